"""Training is SGD step by step, learns, refuses what it cannot use, and gives no NaN."""

import re
import tracemalloc
import warnings
from itertools import islice

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from networks import loss_gradient, random_problem

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


def copy_of(params):
    return raw_nn.Params(*(theta.copy() for theta in params))


# ---- Batches and steps ----


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


def test_sgd_step_updates_the_arrays_themselves_and_returns_the_loss_before():
    X, Y, params = random_problem(8, 4, 6, 3)
    gradient, before = loss_gradient(X, Y, params), copy_of(params)
    log_P, arrays = raw_nn.forward(X, params).log_P, list(params)
    assert_allclose(raw_nn.sgd_step(params, X, Y, 0.1), -log_P[Y == 1].mean())
    for theta, array, old, slopes in zip(params, arrays, before, gradient):
        assert theta is array
        assert_allclose(theta, old - 0.1 * slopes, rtol=1e-12)


@pytest.mark.parametrize(("batch_size", "steps"), [(4, 1), (4, 6), (10, 5), (1, 2500)])
def test_train_is_that_many_steps_and_no_more(batch_size, steps, capsys):
    X, Y, params = random_problem(10, 4, 6, 3)
    copies = X.copy(), Y.copy()
    same, rng, other = copy_of(params), generator(), generator()
    losses = raw_nn.train(params, X, Y, rng, batch_size, 0.1, steps)
    batches = islice(raw_nn.minibatches(other, X, Y, batch_size), steps)
    assert_array_equal(losses, [raw_nn.sgd_step(same, *b, 0.1) for b in batches])
    for theta, wanted in zip(params, same):
        assert_array_equal(theta, wanted)
    assert rng.random() == other.random()  # nothing else was drawn
    assert capsys.readouterr() == ("", "")
    assert_array_equal(X, copies[0])
    assert_array_equal(Y, copies[1])


def test_each_step_looks_at_its_batch_alone(monkeypatch):
    seen, forward = [], raw_nn.forward
    X, Y, params = random_problem(10, 4, 6, 3)
    watched = lambda X, params: seen.append(len(X)) or forward(X, params)
    monkeypatch.setattr(raw_nn, "forward", watched)
    raw_nn.train(params, X, Y, generator(), 4, 0.01, 6)
    assert seen == [4, 4, 2, 4, 4, 2]


def test_memory_grows_by_the_losses_alone_and_the_data_are_not_copied():
    X, Y, params = random_problem(20_000, 40, 2, 2)
    given = params, X, Y, generator(), 4, 0.01
    few, many = (peak_of(raw_nn.train, *given, steps) for steps in (20, 2020))
    assert few < X.nbytes / 2
    assert many - few < 8 * 2000 + 8000


@pytest.mark.parametrize("steps", [1, 3, 9, 10, 12, 15, 1000, 1001])
def test_show_prints_ten_times_the_mean_since_the_line_before(
    steps, capsys, monkeypatch
):
    printed, one_step = [], raw_nn.sgd_step

    def watched(*arguments):
        printed.append(capsys.readouterr().out)  # since the step before
        return one_step(*arguments)

    monkeypatch.setattr(raw_nn, "sgd_step", watched)
    X, Y, params = random_problem(10, 4, 6, 3)
    losses = raw_nn.train(params, X, Y, generator(), 4, 0.01, steps, show=True)
    printed.append(capsys.readouterr().out)
    shown = [step for step, text in enumerate(printed) if text]
    assert len(shown) == min(steps, 10)
    assert shown[-1] == steps
    assert np.ptp(np.diff([0, *shown])) <= 1  # evenly
    for start, step in zip([0, *shown], shown):
        mean = sum(losses[start:step]) / (step - start)
        assert printed[step].split() == f"step {step}: mean loss {mean:.4f}".split()


@pytest.mark.parametrize("kind", [list, "uint8", "bool", "float32", object])
def test_other_kinds_of_numbers_train_as_floats_do(kind):
    rng = generator()
    X, Y = rng.integers(2, size=(10, 4)), np.eye(3, dtype=int)[rng.integers(3, size=10)]
    _, _, params = random_problem(10, 4, 6, 3)
    same = copy_of(params)
    given = [a.tolist() if kind is list else a.astype(kind) for a in (X, Y)]
    losses = raw_nn.train(params, *given, generator(), np.int64(4), 1, np.int64(20))
    wanted = raw_nn.train(same, X * 1.0, Y * 1.0, generator(), 4, 1.0, 20)
    assert_allclose(losses, wanted, rtol=1e-12)


# ---- Refusals ----

GOOD_X, GOOD_Y, GOOD = random_problem(10, 4, 6, 3)
NOT_A_NUMBER = np.where(np.arange(40).reshape(10, 4) == 17, np.nan, GOOD_X)
NO_LABELS = np.repeat([[2.0, 0.0, 0.0], [0.0, 0.0, 0.0]], 5, axis=0)  # 1 on average
DATA = [  # argument, value, a word of the error
    ("X", np.full((10, 4), "red"), ""),
    ("X", NOT_A_NUMBER, "finite"),
    ("X", np.full_like(GOOD_X, -np.inf), "finite"),
    ("Y", np.full_like(GOOD_Y, np.nan), "finite"),
    ("Y", NO_LABELS, ""),
    ("Y", [[1.5, -0.5, 0.0]] * 10, ""),
    ("Y", [[1, 1, 0]] * 10, ""),
    ("params", GOOD._replace(b1=[0.0] * 6), ""),
    ("params", GOOD._replace(b2=np.zeros(3, int)), "float64"),
    ("params", raw_nn.Params(*(theta.astype("f4") for theta in GOOD)), "float64"),
    ("params", GOOD._replace(b2=np.zeros((1, 3))), ""),
    ("params", GOOD._replace(b1=np.zeros(1)), ""),
]
LABELS = GOOD_Y.argmax(axis=1)
DATA += [
    (name, array, re.escape(str(array.shape)))  # which the error names
    for name, arrays in (
        ("X", (GOOD_X[0], GOOD_X[:9], GOOD_X[:, :3], GOOD_X[:, :, None], GOOD_X[:0])),
        ("Y", (LABELS, LABELS[:, None], GOOD_Y[:1], GOOD_Y[:, :2])),
    )
    for array in arrays
]
DATA += [
    ("params", GOOD._replace(**{name: theta * np.nan}), "finite")
    for name, theta in GOOD._asdict().items()
]
SETTINGS = [("batch_size", 0), ("batch_size", -1), ("steps", 0)]
SETTINGS += [("learning_rate", rate) for rate in (0, -0.1, np.nan, np.inf)]
SETTINGS = [(name, value, name) for name, value in SETTINGS]


@pytest.mark.parametrize(("argument", "value", "word"), DATA + SETTINGS)
def test_what_cannot_be_used_is_refused_and_nothing_changes(argument, value, word):
    kept = copy_of(GOOD)
    given = {"params": GOOD, "X": GOOD_X, "Y": GOOD_Y, argument: value}
    with pytest.raises(ValueError, match=word or None):
        raw_nn.train(**{"rng": generator(), "steps": 1, **given})
    for theta, copy in zip(GOOD, kept):
        assert_array_equal(theta, copy)
    for function in (raw_nn.accuracy, raw_nn.check_gradient):
        if argument in ("X", "Y", "params"):
            with pytest.raises(ValueError, match=word or None):
                function(**given)


def test_no_samples_are_refused_and_a_third_layer_counts():
    with pytest.raises(ValueError, match=r"\(0, 4\)"):
        raw_nn.train(GOOD, GOOD_X[:0], GOOD_Y[:0], generator())
    params = (*GOOD, np.ones((3, 2)), np.zeros(2))  # as W3, b3
    Y = np.eye(2)[[0, 1] * 5]
    assert_array_equal(raw_nn.check_data(GOOD_X, Y, params)[1], Y)
    with pytest.raises(ValueError, match=r"\(n, 2\)"):
        raw_nn.check_data(GOOD_X, GOOD_Y, params)


# ---- Divergence ----


@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan])
def test_a_loss_that_is_not_finite_ends_training_at_its_step(bad, monkeypatch):
    losses = iter([1.0, 1.0, bad, 1.0, 1.0])
    monkeypatch.setattr(raw_nn, "sgd_step", lambda *_: next(losses))
    with pytest.raises(FloatingPointError, match="3"):
        raw_nn.train(GOOD, GOOD_X, GOOD_Y, generator(), 5, 0.1, 5)
    assert next(losses) == 1.0  # no step was taken after it


@pytest.mark.parametrize("mode", ["warn", "raise"])
def test_divergence_shows_no_warning_of_numpy_and_leaves_its_settings(mode):
    X, Y, params = random_problem(10, 4, 6, 3)
    with warnings.catch_warnings(), np.errstate(all=mode):
        warnings.simplefilter("error")
        settings = np.geterr()
        with pytest.raises(FloatingPointError):
            raw_nn.train(params, 100 * X, Y, generator(), 5, 1e308, 50)
        assert np.geterr() == settings


# ---- It learns ----


def test_the_loss_starts_near_chance_and_falls():
    first, last = [], []
    for seed in range(20):
        X, _, Y, *_ = raw_nn.load_iris_split(seed)
        params = raw_nn.init_params(generator(seed), 4, 20, 3)
        losses = raw_nn.train(params, X, Y, generator(seed))
        first.append(losses[0])
        last.append(losses[-100:].mean())
    assert abs(np.mean(first) - np.log(3)) < 0.25
    assert max(last) < 0.2
