"""Training is SGD step by step, learns, refuses what it cannot use, and gives no NaN."""

import tracemalloc
import warnings
from itertools import islice

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from problems import data_set, edited_script, random_problem

import raw_nn


def generator(seed=0):
    return np.random.default_rng(seed)


def peak_of(function, *arguments):
    """Return the most bytes that function has taken at once."""
    tracemalloc.start()
    try:
        function(*arguments)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(("n", "batch_size"), [(10, 4), (10, 5), (10, 10), (3, 1)])
def test_each_epoch_takes_the_next_permutation_of_the_generator(n, batch_size):
    X, Y = np.arange(n), -np.arange(n)
    rng, same = generator(), generator()
    batches = raw_nn.minibatches(rng, X, Y, batch_size)
    for _ in range(30):  # far more than three: it does not end
        order = list(same.permutation(n))
        while order:
            expected, order = order[:batch_size], order[batch_size:]
            X_batch, Y_batch = next(batches)
            assert_array_equal(X_batch, expected)
            assert_array_equal(Y_batch, np.negative(expected))
    assert rng.random() == same.random()  # nothing else was drawn


def test_minibatches_copies_one_batch_at_a_time():  # and not X in a new order
    X, Y = np.zeros((50_000, 20)), np.zeros((50_000, 3))
    batches = raw_nn.minibatches(generator(), X, Y, 10)
    assert peak_of(list, islice(batches, 3)) < X.nbytes / 8


def test_sgd_step_is_one_step_down_the_gradient_of_the_sum():
    X, Y, params = random_problem(8, 4, 6, 3)
    W1, b1, W2, b2 = (theta.copy() for theta in params)
    h = X @ W1 + b1
    a = np.where(h > 0, h, 0)
    e = np.exp(a @ W2 + b2)
    P = e / e.sum(axis=1)[:, None]
    to_hidden = np.einsum("nj,kj->nk", P - Y, W2) * (h > 0)
    arrays = list(params)
    loss = raw_nn.sgd_step(params, X, Y, 0.1)
    assert_allclose(loss, -np.log(P[Y == 1]).mean(), rtol=1e-13)  # before the step
    for theta, array in zip(params, arrays):
        assert theta is array  # updated in place
    assert_allclose(params.W1, W1 - 0.1 * np.einsum("ni,nk->ik", X, to_hidden))
    assert_allclose(params.b1, b1 - 0.1 * to_hidden.sum(axis=0))
    assert_allclose(params.W2, W2 - 0.1 * np.einsum("nk,nj->kj", a, P - Y))
    assert_allclose(params.b2, b2 - 0.1 * (P - Y).sum(axis=0))


@pytest.mark.parametrize(
    ("batch_size", "steps"),
    [(4, 1), (4, 6), (10, 5), (1, 2500)],  # 2,500: nor an early end nor another rate
)
def test_train_is_that_many_steps_and_draws_no_more_than_they_need(batch_size, steps):
    X, Y, params = random_problem(10, 4, 6, 3)
    same = raw_nn.Params(*(theta.copy() for theta in params))
    rng, other = generator(), generator()
    losses = raw_nn.train(params, X, Y, rng, batch_size, 0.1, steps)
    batches = islice(raw_nn.minibatches(other, X, Y, batch_size), steps)
    assert_array_equal(losses, [raw_nn.sgd_step(same, *b, 0.1) for b in batches])
    for theta, wanted in zip(params, same):
        assert_array_equal(theta, wanted)
    assert rng.random() == other.random()


def test_the_defaults_are_those_of_the_post_and_nothing_is_printed(capsys):
    X, Y, params = random_problem(10, 4, 6, 3)
    same = raw_nn.Params(*(theta.copy() for theta in params))
    copies = X.copy(), Y.copy()
    losses = raw_nn.train(params, X, Y, generator())
    given = {"batch_size": 8, "learning_rate": 0.003, "steps": 1000, "show": False}
    assert_array_equal(losses, raw_nn.train(same, X, Y, generator(), **given))
    assert capsys.readouterr() == ("", "")
    assert_array_equal(X, copies[0])
    assert_array_equal(Y, copies[1])


def test_memory_does_not_grow_with_the_steps_but_for_the_losses():
    X, Y, params = random_problem(10, 4, 6, 3)
    given = params, X, Y, generator(), 4, 0.01
    few, many = (peak_of(raw_nn.train, *given, steps) for steps in (200, 2200))
    assert many - few < 8 * 2000 + 8000


def test_train_does_not_copy_the_data():
    X, Y, params = random_problem(20_000, 40, 2, 2)
    assert peak_of(raw_nn.train, params, X, Y, generator(), 4, 0.01, 3) < X.nbytes / 2


@pytest.mark.parametrize(
    ("steps", "shown"),
    [
        (1, [1]),
        (3, [1, 2, 3]),
        (12, [2, 3, 4, 5, 6, 8, 9, 10, 11, 12]),
        (1000, list(range(100, 1001, 100))),
    ],
)
def test_show_prints_each_tenth_as_it_is_reached(steps, shown, capsys, monkeypatch):
    printed, one_step = [], raw_nn.sgd_step

    def watched(*arguments):
        printed.append(capsys.readouterr().out)  # since the step before
        return one_step(*arguments)

    monkeypatch.setattr(raw_nn, "sgd_step", watched)
    X, Y, params = random_problem(10, 4, 6, 3)
    losses = raw_nn.train(params, X, Y, generator(), 4, 0.01, steps, show=True)
    printed.append(capsys.readouterr().out)
    expected = [""] * (steps + 1)
    for start, step in zip([0, *shown], shown):
        number = str(step).rjust(len(str(steps)))
        mean = sum(losses[start:step]) / (step - start)
        expected[step] = f"step {number}: mean loss {mean:.4f}\n"
    assert printed == expected


@pytest.mark.parametrize("kind", [list, "int8", "uint8", "bool", "float32"])
def test_other_kinds_of_numbers_train_as_floats_do(kind):
    rng = generator()
    X, Y = rng.integers(2, size=(10, 4)), np.eye(3, dtype=int)[rng.integers(3, size=10)]
    _, _, params = random_problem(10, 4, 6, 3)
    same = raw_nn.Params(*(theta.copy() for theta in params))
    given = [a.tolist() if kind is list else a.astype(kind) for a in (X, Y)]
    losses = raw_nn.train(params, *given, generator(), np.int64(4), 1, np.int64(20))
    wanted = raw_nn.train(same, X * 1.0, Y * 1.0, generator(), 4, 1.0, 20)
    assert_allclose(losses, wanted, rtol=1e-12)


GOOD_X, GOOD_Y, GOOD = random_problem(10, 4, 6, 3)
NOT_A_NUMBER = np.where(np.arange(40).reshape(10, 4) == 17, np.nan, GOOD_X)
NO_LABELS = np.repeat([[2.0, 0.0, 0.0], [0.0, 0.0, 0.0]], 5, axis=0)  # 1 on average
SHAPES = r"shapes must be X \(n, 4\) and Y \(n, 3\), a one-hot row for each sample, not"
NUMBERS, SUMS = (
    "X and Y must be numbers, not",
    "each row of Y must sum to 1, with no entry below",
)
FLOATS = "params must be arrays of floats, which train can update"
INTEGERS = raw_nn.Params(*(np.ones(theta.shape, int) for theta in GOOD))
REFUSED = [  # argument, value, what the error says
    ("batch_size", 0, "batch size .* 1 to 10, not 0"),
    ("batch_size", 11, "batch size .* 1 to 10, not 11"),
    ("batch_size", 2.5, "batch size .* not 2.5"),
    ("batch_size", "4", "batch size .* not 4"),
    ("batch_size", None, "batch size .* not None"),
    ("steps", 0, "steps .* 1 to 1000000000, not 0"),
    ("steps", 10**9 + 1, "steps .* 1 to 1000000000, not 1000000001"),
    ("steps", 2.0, "steps .* not 2.0"),
    ("learning_rate", 0, "learning rate .* not 0"),
    ("learning_rate", -0.1, "learning rate .* not -0.1"),
    ("learning_rate", float("nan"), "learning rate .* not nan"),
    ("learning_rate", float("inf"), "learning rate .* not inf"),
    ("X", GOOD_X.astype(str), f"{NUMBERS} <U.* and float64"),
    ("Y", [["a", "b", "c"]] * 10, f"{NUMBERS} float64 and <U1"),
    ("X", GOOD_X * 1j, f"{NUMBERS} complex128 and float64"),
    ("X", GOOD_X[0], rf"{SHAPES} \(4,\) and \(10, 3\)"),
    ("X", GOOD_X[:9], rf"{SHAPES} \(9, 4\) and \(10, 3\)"),
    ("X", GOOD_X[:, :3], rf"{SHAPES} \(10, 3\) and \(10, 3\)"),
    ("X", GOOD_X[:, :, None], rf"{SHAPES} \(10, 4, 1\) and \(10, 3\)"),
    ("Y", GOOD_Y.argmax(axis=1), rf"{SHAPES} \(10, 4\) and \(10,\)"),
    ("Y", GOOD_Y[:, :2], rf"{SHAPES} \(10, 4\) and \(10, 2\)"),
    ("X", NOT_A_NUMBER, "X, Y and params must be finite"),
    ("Y", np.full_like(GOOD_Y, np.inf), "X, Y .* must be finite"),
    ("Y", NO_LABELS, f"{SUMS} 0"),
    ("Y", [[1.5, -0.5, 0.0]] * 10, f"{SUMS} 0"),
    ("Y", [[1, 1, 0]] * 10, f"{SUMS} .*"),
    ("params", GOOD._replace(b1=[0.0] * 6), FLOATS),
    ("params", GOOD._replace(b2=np.zeros(3, int)), FLOATS),
    ("params", INTEGERS, FLOATS),
]
REFUSED += [
    ("params", GOOD._replace(**{name: theta * np.nan}), ".* params must be finite")
    for name, theta in zip(GOOD._fields, GOOD)
]


@pytest.mark.parametrize(("argument", "value", "message"), REFUSED)
def test_refuses_what_it_cannot_use_and_changes_nothing(argument, value, message):
    kept = [theta.copy() for theta in GOOD]
    given = {"params": GOOD, "X": GOOD_X, "Y": GOOD_Y, "rng": generator(), "steps": 1}
    with pytest.raises(ValueError, match=f"^{message}$"):
        raw_nn.train(**{**given, argument: value})
    for theta, copy in zip(GOOD, kept):
        assert_array_equal(theta, copy)


@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan])
def test_a_loss_that_is_not_finite_ends_training_at_its_step(bad, monkeypatch):
    losses = iter([1.0, 1.0, bad, 1.0, 1.0])
    monkeypatch.setattr(raw_nn, "sgd_step", lambda *_: next(losses))
    with pytest.raises(FloatingPointError) as error:
        raw_nn.train(GOOD, GOOD_X, GOOD_Y, generator(), 5, 0.1, 5)
    assert str(error.value) == (
        "loss or parameters not finite at step 3: "
        "lower the learning rate, or scale features of very different sizes"
    )
    assert next(losses) == 1.0  # no step was taken after it


@pytest.mark.parametrize("name", raw_nn.Params._fields)
def test_an_overflow_of_any_parameter_in_the_last_step_is_found(name, monkeypatch):
    def overflow(params, *_):
        getattr(params, name).flat[0] = np.inf
        return 1.0

    X, Y, params = random_problem(10, 4, 6, 3)
    monkeypatch.setattr(raw_nn, "sgd_step", overflow)
    with pytest.raises(FloatingPointError, match="at step 2:"):
        raw_nn.train(params, X, Y, generator(), 5, 0.1, 2)


@pytest.mark.parametrize("mode", ["warn", "raise"])
def test_divergence_shows_no_warning_of_numpy_and_leaves_its_settings(mode):
    X, Y, params = random_problem(10, 4, 6, 3)
    with warnings.catch_warnings(), np.errstate(all=mode):
        warnings.simplefilter("error")
        settings = np.geterr()
        with pytest.raises(FloatingPointError, match="not finite at step"):
            raw_nn.train(params, 100 * X, Y, generator(), 5, 1e308, 50)
        assert np.geterr() == settings


def test_to_load_the_script_switches_no_warnings_off():
    settings, filters = np.geterr(), list(warnings.filters)
    edited_script()
    assert np.geterr() == settings
    assert warnings.filters == filters


def test_the_loss_starts_near_chance_and_falls_and_flowers_are_told_apart():
    first, last, scores = [], [], []
    for seed in range(20):
        X, Y, X_test, Y_test, _ = raw_nn.load_iris_split(seed)
        rng = generator(seed)
        params = raw_nn.init_params(rng, 4, 20, 3)
        losses = raw_nn.train(params, X, Y, rng)
        first.append(losses[0])
        last.append(losses[-100:].mean())
        scores.append(raw_nn.accuracy(X_test, Y_test, params))
    assert abs(np.mean(first) - np.log(3)) < 0.25
    assert max(last) < 0.2
    # the README's mean of 1,000 splits, to three standard errors of a mean of 20
    assert abs(np.mean(scores) - 0.9644) < 3 * np.std(scores) / np.sqrt(20)


@pytest.mark.parametrize("name", ["wine", "digits"])
def test_other_data_sets_are_learned_as_well(name):
    X, labels = data_set(name)
    Y = np.eye(labels.max() + 1)[labels]
    half = len(X) // 2
    params = raw_nn.init_params(generator(), X.shape[1], 30, Y.shape[1])
    raw_nn.train(params, X[:half], Y[:half], generator())
    assert raw_nn.accuracy(X[half:], Y[half:], params) > 0.9
