"""Training is SGD step by step, refuses what it cannot use, and gives no NaN."""

import math
import re
import tracemalloc
from itertools import islice

import numpy as np
import pytest
from networks import edited_script, loss_gradient, random_problem, shapes
from numpy.random import default_rng
from numpy.testing import assert_allclose, assert_array_equal

import raw_nn


def copy_of(params):
    return type(params)(*(theta.copy() for theta in params))


def flat(*arrays):
    return np.concatenate([array.ravel() for array in arrays])


def test_each_epoch_takes_the_next_permutation_of_the_generator():
    for n, batch_size in ((10, 4), (10, 5), (10, 10), (3, 1)):
        rng, same = default_rng(0), default_rng(0)
        batches = raw_nn.minibatches(rng, np.arange(n), -np.arange(n), batch_size)
        for _ in range(30):  # far more than three: it does not end
            order = same.permutation(n)
            for start in range(0, n, batch_size):
                X_batch, Y_batch = next(batches)
                assert_array_equal(X_batch, order[start : start + batch_size])
                assert_array_equal(Y_batch, -X_batch)
        assert rng.random() == same.random()  # nothing else was drawn


def test_sgd_step_updates_the_arrays_themselves_and_returns_the_loss_before():
    X, Y, params = random_problem(8, 4, 6, 3)
    gradient, before = loss_gradient(X, Y, params), copy_of(params)
    log_P, arrays = raw_nn.forward(X, params).log_P, list(params)
    assert_allclose(raw_nn.sgd_step(params, X, Y, 0.1), -log_P[Y == 1].mean())
    for theta, array, old, slopes in zip(params, arrays, before, gradient):
        assert theta is array
        assert_allclose(theta, old - 0.1 * slopes, rtol=1e-12)


def test_train_is_that_many_steps_and_no_more(capsys):
    for batch_size, steps in ((4, 1), (4, 6), (10, 5), (1, 2500)):
        X, Y, params = random_problem(10, 4, 6, 3)
        data, same, rng, other = flat(X, Y), copy_of(params), *map(default_rng, (0, 0))
        losses = raw_nn.train(params, X, Y, rng, batch_size, 0.1, steps)
        batches = islice(raw_nn.minibatches(other, X, Y, batch_size), steps)
        assert_array_equal(losses, [raw_nn.sgd_step(same, *b, 0.1) for b in batches])
        assert_array_equal(flat(*params, X, Y), [*flat(*same), *data])
        assert rng.random() == other.random()  # nothing else was drawn
    assert capsys.readouterr() == ("", "")


def test_a_step_looks_at_its_batch_alone_and_memory_grows_by_the_losses(monkeypatch):
    X, Y, params = random_problem(20_000, 40, 2, 2)
    peaks, rows, forward = [], [], raw_nn.forward
    for steps in (20, 2020):
        tracemalloc.start()
        raw_nn.train(params, X, Y, default_rng(0), 4, 0.01, steps)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[0] < X.nbytes / 2  # the data are not copied
    assert peaks[1] - peaks[0] < 8 * 2000 + 8000
    watched = lambda X, params: rows.append(np.size(X) // 40) or forward(X, params)
    monkeypatch.setattr(raw_nn, "forward", watched)
    raw_nn.train(params, X, Y, default_rng(0), 4, 0.01, 20)
    assert 80 <= sum(rows) <= 81  # and one that the guard may look at


def test_show_prints_ten_times_the_mean_of_the_last_tenth(capsys):
    for steps in (1, 3, 9, 10, 12, 15, 1000, 1001):
        X, Y, params = random_problem(10, 4, 6, 3)
        losses = raw_nn.train(params, X, Y, default_rng(0), 4, 0.01, steps, show=True)
        lines = [line.split() for line in capsys.readouterr().out.splitlines()]
        shown = [int(words[1].strip(":")) for words in lines]
        assert (len(shown), shown[-1]) == (min(steps, 10), steps)
        assert np.ptp(np.diff([0, *shown])) <= 1  # evenly
        for step, words in zip(shown, lines):
            mean = losses[:step][-math.ceil(steps / 10) :].mean()
            assert words == f"step {step}: mean loss {mean:.4f}".split()


def test_other_kinds_of_numbers_and_tables_do_as_floats_do():
    rng = default_rng(0)
    X, Y = rng.integers(2, size=(10, 4)), np.eye(3, dtype=int)[rng.integers(3, size=10)]
    _, _, params = random_problem(10, 4, 6, 3)
    same = copy_of(params)
    wanted = raw_nn.train(same, X * 1.0, Y * 1.0, default_rng(0), 4, 1.0, 20)
    classes = raw_nn.predict(X * 1.0, same)
    kinds = [(X.astype(kind), Y.astype(kind)) for kind in ("u1", "?", "f4", object)]
    table = type("table", (list,), {"__array_ufunc__": None})  # like one of pandas
    size, steps = np.int64([4, 20])
    for given in (*kinds, (table(X.tolist()), table(Y.tolist()))):
        theirs = copy_of(params)
        losses = raw_nn.train(theirs, *given, default_rng(0), size, 1, steps)
        assert_allclose(losses, wanted, rtol=1e-12)
        assert_array_equal(raw_nn.predict(given[0], theirs), classes)
        assert raw_nn.accuracy(*given, theirs) == (classes == Y.argmax(axis=1)).mean()


def test_a_matrix_added_at_the_end_is_checked_and_trained():
    script = edited_script(  # a skip connection, X V
        ("    b2: np.ndarray", "    b2: np.ndarray\n    V: np.ndarray"),
        ("W1, b1, W2, b2 = params", "W1, b1, W2, b2, V = params"),
        ("a1 @ W2 + b2", "a1 @ W2 + b2 + X @ V"),
        ("dL_dW2, dL_db2)", "dL_dW2, dL_db2, X.T @ dL_dh2)"),
    )
    X, Y, params = random_problem(10, 4, 6, 3)
    params = script.Params(*params, np.zeros((4, 3)))
    assert script.check_gradient(X, Y, params) == "W1 ok, b1 ok, W2 ok, b2 ok, V ok"
    losses = script.train(params, X, Y, default_rng(0), 10, 0.01, 50)
    assert (losses[-1] < losses[0], params.V.all()) == (True, True)


X, Y, GOOD = random_problem(10, 4, 6, 3)
LABELS = Y.argmax(axis=1)
FLAT, ROW = (GOOD._replace(b1=np.zeros(shape)) for shape in (1, (1, 6)))
INF, NAN = GOOD._replace(b1=GOOD.b1 * np.inf), GOOD._replace(W2=GOOD.W2 * np.nan)
SINGLE = GOOD._make(theta.astype("f4") for theta in GOOD)
REFUSED = [  # argument, values, what the message has to name
    ("X", [np.full((10, 4), "red")], "red"),
    ("X", [X[0], X[:, :3], X[:, :, None], X[:0]], (10, 4)),
    ("X", [np.zeros((10, 8, 8))], (10, 64)),
    ("X", [X[:9]], (9, 3)),  # of Y
    ("X", [X * np.nan, np.where(X == X[4, 1], -np.inf, X)], "finite"),
    ("Y", [LABELS, LABELS[:, None], Y[:1], Y[:, :2]], (10, 3)),
    ("Y", [Y * np.nan], "finite"),
    ("Y", [Y * 2, Y * 0, [[1.5, -0.5, 0]] * 10, Y * LABELS[:, None]], "Y"),
    ("params", [SINGLE, GOOD._replace(b2=np.zeros(3, int))], "float64"),
    ("params", [GOOD._replace(b1=[0.0] * 6)], "float64"),
    ("params", [FLAT, ROW, GOOD._replace(b2=np.zeros((1, 3)))], "bias"),
    ("params", [INF, NAN], "finite"),
    ("batch_size", [0, -1], ">= 1"),
    ("steps", [0, -1], ">= 1"),
    ("learning_rate", [0, -0.1, np.nan, np.inf], "learning_rate"),
]


def refusal(function, *arguments, **named):
    """Return the message with which a function refuses what it gets, or else ""."""
    try:
        function(*arguments, **named)
    except ValueError as error:
        return str(error)
    return ""


def test_what_cannot_be_used_is_refused_by_name_and_nothing_changes():
    kept, wrong = flat(*GOOD), []
    for argument, values, named in REFUSED:
        for value in values:
            given = {"X": X, "Y": Y, "params": GOOD, argument: value}
            said = [refusal(raw_nn.train, **{"steps": 1, **given}, rng=default_rng(0))]
            if argument in ("X", "Y", "params"):
                said += [refusal(raw_nn.accuracy, **given)]
                said += [refusal(raw_nn.check_gradient, **given)]
            if argument in ("X", "params") and named == "finite":
                said += [refusal(raw_nn.predict, given["X"], given["params"])]
            for text in said:
                found = text if isinstance(named, str) else shapes(text, n=10)
                wrong += [] if named in found else [(argument, named, text)]
    assert wrong == []
    assert_array_equal(flat(*GOOD), kept)


def test_one_sample_without_its_row_is_refused_where_its_gradient_would_be_wrong():
    X, Y, params = random_problem(2, 2, 2, 2)
    kept = flat(*params)
    for x, y in ((X[0], Y[0]), (X, Y[0]), (X, Y[:, :1]), (X[0], Y)):
        assert refusal(raw_nn.backward, x, y, raw_nn.forward(x, params), params)
        assert refusal(raw_nn.sgd_step, params, x, y, 0.1)
    assert_array_equal(flat(*params), kept)


def test_a_loss_of_a_million_ends_training_at_its_step(monkeypatch):
    for bad in (np.inf, -np.inf, np.nan, 1.01e6):
        losses = iter([1.0, 0.99e6, bad, 1.0, 1.0])
        monkeypatch.setattr(raw_nn, "sgd_step", lambda *_, given=losses: next(given))
        with pytest.raises(FloatingPointError, match="3") as error:
            raw_nn.train(GOOD, X, Y, default_rng(0), 5, 0.1, 5)
        assert next(losses) == 1.0  # no step was taken after it
        # what to do: at a lower rate the same params would fail again
        assert {"scale", "rate", "draw"} <= set(re.findall("[a-z]+", str(error.value)))


@pytest.mark.filterwarnings("error")
def test_divergence_shows_no_warning_of_numpy_and_leaves_its_settings():
    for rate in (1e308, 1.0):  # above all numbers, and so that some of P are 0
        X, Y, params = random_problem(10, 4, 6, 3)
        with np.errstate(all="warn"):
            with pytest.raises(FloatingPointError):
                raw_nn.train(params, 100 * X, Y, default_rng(0), 5, rate, 50)
            assert {*np.geterr().values()} == {"warn"}
