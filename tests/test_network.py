"""The functions of raw_nn.py: values, gradients, their check, training, refusals."""

import functools
import inspect
import math
from itertools import islice
from unittest import mock

import numpy as np
import pytest
from numpy.random import default_rng
from numpy.testing import assert_allclose, assert_array_equal
from problems import edited, loss_gradient, random_problem
from scipy.special import log_softmax
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.neural_network import MLPClassifier

import raw_nn


def flat(arrays):
    return np.concatenate([np.ravel(array) for array in arrays])


@np.errstate(all="raise", under="ignore")  # it may not overflow; 0 is a fine e**-1000
def test_softmax_agrees_with_scipy_at_any_size_of_the_logits():
    for scale in (1e-300, 1.0, 30.0, 1e3, 1e300):
        h = scale * default_rng(0).uniform(-1, 1, size=(50, 7))
        P, log_P = raw_nn.softmax(h)
        assert_allclose(log_P, log_softmax(h, 1), rtol=1e-13, atol=1e-13)
        assert_allclose(P, np.exp(log_softmax(h, 1)), rtol=1e-13)


def test_forward_and_predict_take_one_sample_without_its_row_and_lists():
    X, _, params = random_problem(5, 4, 6, 3)
    whole = raw_nn.forward(X, params)
    for i, x in enumerate(X.tolist()):
        for got, wanted in zip(raw_nn.forward(x, params), whole, strict=True):
            assert got.shape == wanted[i].shape
            assert_allclose(got, wanted[i], rtol=0, atol=1e-13)
        assert raw_nn.predict(x, params) == whole.P[i].argmax()
    assert_array_equal(raw_nn.predict(X.tolist(), params), whole.P.argmax(axis=1))
    assert raw_nn.predict(X[:0], params).tolist() == []


def test_the_start_is_w1_then_w2_within_the_bounds_and_biases_of_0():
    rng, same = default_rng(0), default_rng(0)
    W1, b1, W2, b2 = raw_nn.init_params(rng, 300, 500, 3)
    assert_array_equal(W1, raw_nn.xavier_uniform(same, 300, 500))
    assert_array_equal(W2, raw_nn.xavier_uniform(same, 500, 3))
    assert rng.random() == same.random()  # nothing else was drawn
    assert (b1.tolist(), b2.tolist()) == ([0] * 500, [0] * 3)
    bound = np.sqrt(6 / 800)
    found = [W1.min() / bound, W1.max() / bound, W1.std() / bound]
    assert_allclose(found, [-1, 1, 3**-0.5], rtol=0.01)


def test_the_split_is_iris_less_the_mean_of_its_training_samples():
    rows = lambda X, j: sorted(map(tuple, np.column_stack([X.round(9), j])))
    for given, n in (((), 40), ((1,), 40), ((2**32 - 1, 0.5), 25)):
        X, X_test, *Ys, mean = raw_nn.load_iris_split(*given)
        assert_allclose(X.mean(axis=0), 0, atol=1e-14)
        whole = rows(np.vstack([X, X_test]) + mean, np.vstack(Ys).argmax(axis=1))
        assert whole == rows(*load_iris(return_X_y=True))
        for Y, share in zip(Ys, (n, 50 - n)):  # as many of each
            assert Y.dtype == float
            assert sorted(Y.tolist()) == sorted(np.eye(3).tolist() * share)
    means = [raw_nn.load_iris_split(*seed)[-1].sum() for seed in ((), (1,), (0,))]
    assert means[0] == means[1] != means[2]  # the seed is 1 by default, and decides


def test_backward_and_numeric_gradient_equal_the_complex_step():
    for sizes in ((8, 4, 20, 3), (1, 4, 20, 3), (6, 3, 1, 4), (7, 5, 6, 2), (3,) * 4):
        X, Y, params = random_problem(*sizes)
        for labels in (Y, default_rng(0).dirichlet(np.ones(sizes[3]), size=sizes[0])):
            activations = raw_nn.forward(X, params)
            for array in (X, labels, *params, *activations):
                array.flags.writeable = False  # what is only read may not change
            derived = raw_nn.backward(X, labels, activations, params)
            measured = raw_nn.numeric_gradient(X, labels, params)
            wanted = loss_gradient(X, labels, params)
            assert list(map(np.shape, derived)) == list(map(np.shape, params))
            scale = np.ptp(flat(wanted))
            assert_allclose(flat(derived), flat(wanted), rtol=0, atol=1e-14 * scale)
            assert_allclose(flat(measured), flat(wanted), rtol=0, atol=1e-7 * scale)
        whole = params._make(np.sign(t).astype(int) for t in params)  # 0 + 1e-6 is 0
        measured = raw_nn.numeric_gradient(X, Y, whole)
        wanted = loss_gradient(X, Y, whole)
        assert_allclose(flat(measured), flat(wanted), rtol=0, atol=1e-6)
    moved = [params._replace(b2=params.b2 + [0, nudge, 0]) for nudge in (0.5, -0.5)]
    up, down = [raw_nn.nll_loss(raw_nn.forward(X, p).log_P, Y) for p in moved]
    measured = raw_nn.numeric_gradient(X, Y, params, epsilon=0.5)
    assert_allclose(measured.b2[1], up - down)


def test_a_unit_is_closed_at_exactly_0_and_open_however_little_above():
    X, Y, params = random_problem(8, 4, 6, 3)
    params.W1[:, 2:4], params.b1[2:4] = 0.0, [0.0, 1e-13]  # a mask at 1e-12 is wrong
    gradient = raw_nn.backward(X, Y, raw_nn.forward(X, params), params)
    assert (gradient.W1[:, 2].any(), gradient.b1[2]) == (False, 0)
    assert np.all(gradient.W1[:, 3] != 0)


def given_by_run(seed, hidden=10):
    """What a run with this seed gives to check_gradient."""
    X, _, Y, *_ = raw_nn.load_iris_split(seed)
    return X[:8], Y[:8], raw_nn.init_params(default_rng(seed), 4, hidden, 3)


def verdict(wrong=""):
    said = {name: "WRONG" if name in wrong else "ok" for name in raw_nn.Params._fields}
    return ", ".join(map(" ".join, said.items()))


EDITS = [  # old text, new text, what is wrong then
    ("dL_da1 * (h1 > 0.0)", "dL_da1", "W1 b1"),  # no mask
    ("a1.T @ dL_dh2", "h1.T @ dL_dh2", "W2"),
    ("dL_dh2.sum(axis=0)", "dL_dh2.mean(axis=0)", "b2"),
    ("X.T @ dL_dh1", "X.T @ dL_dh1 * ([[1.01]] + [[1]] * 3)", "W1"),  # one row
    ("P - Y", "1.01 * (P - Y)", "W1 b1 W2 b2"),
    ("dL_dh1.sum(axis=0)", "dL_dh1", "b1"),  # no sum over the batch
    ("a1.T @ dL_dh2", "(a1.T @ dL_dh2).T", "W2"),
    ("dL_dh2.sum(axis=0)", "dL_dh2.sum(axis=0) * np.nan", "b2"),
]


def test_check_gradient_names_just_what_is_wrong():
    given = [given_by_run(seed, hidden) for seed in range(3) for hidden in (1, 20, 10)]
    for old, new, wrong in EDITS:
        said = {edited((old, new)).check_gradient(*problem) for problem in given}
        assert (new, said) == (new, {verdict(wrong)})
    X, Y, params = given_by_run(1)
    for wrong in raw_nn.Params._fields:  # beside larger arrays
        check = edited((f"dL_d{wrong} = ", f"dL_d{wrong} = 1.5 * ")).check_gradient
        assert {check(k * X, Y, params) for k in (1e-7, 1e6)} == {verdict(wrong)}
    X = X * [1e4, 1, 1, 1]  # a slope may be off by a millionth of the largest of W1
    for share, wrong in ((5e-7, ""), (2e-6, "W1")):
        off = f"; dL_dW1[1, 0] += {share} * abs(dL_dW1).max()"
        check = edited(("X.T @ dL_dh1", "X.T @ dL_dh1" + off)).check_gradient
        assert check(X, Y, params) == verdict(wrong)


@np.errstate(all="raise", under="ignore")
def test_a_right_gradient_that_is_hard_to_measure_is_not_called_wrong():
    X, Y, params = given_by_run(1)
    certain = params._replace(b2=np.array([0.0, 40.0, 0.0]))
    spoilt = params._make(1000 * theta for theta in params)
    hard = [(X[:1], [[0, 1, 0]], certain), (X, Y, spoilt)]
    for gap in (-1e-6, -3e-7, 0, 1e-8, 3e-7, 1e-6):  # a bend of each unit in the nudge
        hard.append((X, Y, params._replace(b1=gap - X[0] @ params.W1)))
    for seed in range(5):
        rng = default_rng(seed)
        labels = rng.dirichlet(np.ones(3), size=8).round(5)
        hard.append((X, labels, given_by_run(seed)[2]))
        Y = np.eye(2)[rng.permutation(100_000) % 2]
        unit = raw_nn.Params(np.zeros((1, 1)), np.zeros(1), np.eye(1, 2), np.zeros(2))
        hard.append((rng.standard_normal((100_000, 1)), Y, unit))  # bends all over
        blobs = Y[:300, :1] + 0.3 * rng.standard_normal((300, 4)) - 0.5
        learned = raw_nn.init_params(rng, 4, 20, 2)
        raw_nn.train(2 * blobs, Y[:300], learned, rng, 8, 0.3, 500)
        hard.append((2 * blobs, Y[:300], learned))
    X, labels = load_breast_cancer(return_X_y=True)  # features as they are
    params = raw_nn.init_params(rng, X.shape[1], 5, 2)
    hard.append((X[:8], np.eye(2)[labels[:8]], params))
    assert {raw_nn.check_gradient(*problem) for problem in hard} == {verdict()}


def test_a_thousand_steps_end_at_the_weights_of_scikit_learn():
    X, _, Y, *_ = raw_nn.load_iris_split()  # 15 batches of 8
    W1, b1, W2, b2 = params = raw_nn.init_params(default_rng(1), 4, 20, 3)
    given = {"solver": "sgd", "momentum": 0, "alpha": 0, "shuffle": False}
    rate = 0.003 * 8  # for the mean loss
    theirs = MLPClassifier((20,), batch_size=8, learning_rate_init=rate, **given)
    theirs.partial_fit(X, Y.argmax(axis=1), classes=range(3))  # makes its weights
    pairs = list(zip([W1, W2, b1, b2], [*theirs.coefs_, *theirs.intercepts_]))
    for theta, weight in pairs:
        weight[...] = theta
    batches = raw_nn.minibatches(default_rng(2), X, Y.argmax(axis=1), 8)
    for _ in range(67):
        theirs.partial_fit(*map(np.concatenate, zip(*islice(batches, 15))))
    raw_nn.train(X, Y, params, default_rng(2), steps=67 * 15)
    for theta, weight in pairs:
        assert_allclose(theta, weight, rtol=0, atol=1e-13)


def test_train_takes_each_batch_of_each_permutation():
    table = type("table", (list,), {"__array_ufunc__": None})  # like one of pandas
    rows = ((4, 1, "?"), (4, 6, "u1"), (10, 5, object), (5, 9, float), (1, 300, "f4"))
    for size, steps, kind in rows:
        _, Y, params = random_problem(10, 4, 6, 3)
        X, rng = default_rng(1).integers(2, size=(10, 4)), default_rng(0)
        given = table(X.tolist()) if kind == "f4" else X.astype(kind), Y.astype(kind)
        same, other = params._make(map(np.copy, params)), default_rng(0)
        wanted, order = [], []
        losses = raw_nn.train(*given, params, rng, np.int64(size), 0.1, np.int64(steps))
        for _ in range(steps):
            order = order if len(order) else other.permutation(10)
            batch, order = order[:size], order[size:]
            log_P = raw_nn.forward(X[batch], same).log_P
            wanted.append(-log_P[Y[batch] == 1].mean())
            raw_nn.sgd_step(X[batch], Y[batch], same, 0.1)
        assert_allclose(losses, wanted, rtol=1e-9)
        assert_allclose(flat(params), flat(same), rtol=1e-9)
        assert rng.random() == other.random()  # nothing else was drawn
        assert raw_nn.accuracy(*given, params) == raw_nn.accuracy(X, Y, same)


def test_a_step_looks_at_its_batch_and_the_end_at_a_thousand_samples(monkeypatch):
    X, Y, params = random_problem(60_000, 4, 6, 3)
    forward = mock.Mock(side_effect=raw_nn.forward)
    monkeypatch.setattr(raw_nn, "forward", forward)
    raw_nn.train(X, Y, params, default_rng(0), 2, 0.01, 20)
    *steps, last = [np.size(call.args[0]) // 4 for call in forward.call_args_list]
    assert set(steps) <= {1, 2}, "a step is to look at its batch alone"
    assert 900 < last < 2000, "all samples at once may need too much memory"


OPTIONS = {"batch_size": 3, "learning_rate": 0.02, "steps": 11, "show": True}


def test_each_option_of_train_changes_something(capsys):
    options = [*inspect.signature(raw_nn.train).parameters][4:]
    assert options == [*OPTIONS], "put each option of train into OPTIONS"
    ends = []
    for change in ({}, *[{name: value} for name, value in OPTIONS.items()]):
        X, Y, params = random_problem(10, 4, 6, 3)
        losses = raw_nn.train(X, Y, params, default_rng(0), **{"steps": 12} | change)
        ends.append((losses.tolist(), params.b2.tolist(), capsys.readouterr().out))
        assert bool(ends[-1][2]) == ("show" in change)
        assert ends.count(ends[-1]) == 1, f"{change} changes nothing"


def test_show_prints_ten_times_the_mean_of_the_last_tenth(capsys):
    for steps in (1, 3, 9, 10, 12, 15, 1000, 1001):
        X, Y, params = random_problem(10, 4, 6, 3)
        losses = raw_nn.train(X, Y, params, default_rng(0), 4, 0.01, steps, show=True)
        lines = [line.split() for line in capsys.readouterr().out.splitlines()]
        shown = [int(words[1].strip(":")) for words in lines]
        assert (len(shown), shown[-1]) == (min(steps, 10), steps)
        assert np.ptp(np.diff([0, *shown])) <= 1  # evenly
        for step, words in zip(shown, lines):
            mean = losses[max(0, step - math.ceil(steps / 10)) : step].mean()
            assert words == f"step {step}: mean loss {mean:.4f}".split()


SKIP = [  # a matrix V from X to the logits
    ("    b2: np.ndarray", "    b2: np.ndarray\n    V: np.ndarray"),
    ("W1, b1, W2, b2 = params", "W1, b1, W2, b2, V = params"),
    ("a1 @ W2 + b2", "a1 @ W2 + b2 + X @ V"),
    ("dL_dW2, dL_db2)", "dL_dW2, dL_db2, X.T @ dL_dh2)"),
]
DEEPER = [  # a third layer
    ("    b2: np.ndarray", "    b2: np.ndarray\n    W3: object\n    b3: object"),
    ("W1, b1, W2, b2 = params", "W1, b1, W2, b2, W3, b3 = params"),
    ("h2 = a1 @ W2 + b2", "h2 = relu(a1 @ W2 + b2) @ W3 + b3"),
    ("P - Y", "P - Y; a2 = relu(a1 @ W2 + params.b2); G = dL_dh2"),
    ("dL_dW2 = ", "dL_dh2 = G @ params.W3.T * (a2 > 0); dL_dW2 = "),
    ("dL_dW2, dL_db2)", "dL_dW2, dL_db2, a2.T @ G, G.sum(axis=0))"),
]
TANH = [("np.maximum(h, 0.0)", "np.tanh(h)"), ("(h1 > 0.0)", "(1 - a1**2)")]


@pytest.mark.parametrize("edits", [SKIP, DEEPER, TANH])
def test_a_network_that_a_reader_edits_is_checked_and_trained(edits):
    script, rng = edited(*edits), default_rng(1)
    X, Y, params = random_problem(10, 4, 6, 3)
    shapes = {"V": (4, 3), "W3": (3, 3), "b3": (3,)}
    more = [rng.standard_normal(shapes[name]) for name in script.Params._fields[4:]]
    params = script.Params(*params, *more)
    wanted = ", ".join(f"{name} ok" for name in params._fields)
    assert script.check_gradient(X, Y, params) == wanted
    before, losses = flat(params), script.train(X, Y, params, rng, 10, 0.01, 50)
    assert losses[-1] < losses[0] and flat(params)[-1] != before[-1]
    assert script.accuracy(X, Y, params) > 0.5


X, Y, GOOD = random_problem(10, 4, 6, 3)
LABELS, CONSTANT = Y.argmax(axis=1), np.where(np.arange(4) == 2, np.nan, X)
INF, NAN = GOOD._replace(b1=GOOD.b1 * np.inf), GOOD._replace(W2=GOOD.W2 * np.nan)
ROWS = [GOOD._replace(b1=np.zeros(shape)) for shape in (1, (1, 6))]
FLOAT32 = GOOD._make(theta.astype("f4") for theta in GOOD)
REFUSED = [  # argument, values, a pattern that the message has to fit
    ("X", [np.full((10, 4), "red")], "red"),
    ("X", [X[0], X[:, :3], X[:, :, None]], r"\((n|10), 4\)"),
    ("X", [np.zeros((10, 8, 8))], r"\(n, 64\)"),
    ("X", [X[:0]], "no samples"),
    ("X", [X[:9]], "9, 3"),  # of Y
    ("X", [CONSTANT, np.nan_to_num(CONSTANT, nan=-np.inf)], r"X must.*finite.*\[2\]"),
    ("Y", [Y * np.nan], "Y must.*finite"),
    ("Y", [LABELS, LABELS[:, None], Y[:1], Y[:, :2]], r"one-hot.*eye\(3\)"),
    ("Y", [100 * Y, 2 * Y - 1, 0 * Y, Y * [1, 1, 0]], "sum to 1.*two"),
    ("params", [INF], "b1 must.*finite"),
    ("params", [NAN], "W2 must.*finite"),
    ("params", [tuple(GOOD), X, FLOAT32, GOOD._replace(b1=[0.0] * 6)], "Params.*W1"),
    ("params", [*ROWS, GOOD._replace(b2=np.zeros((1, 3)))], "bias"),
    ("batch_size", [0, -1], "batch_size"),
    ("steps", [0, -1], "steps"),
    ("learning_rate", [0, -0.1, np.nan, np.inf], "learning_rate"),
]
CASES = [({name: value}, said) for name, values, said in REFUSED for value in values]
ONE = GOOD._replace(W2=GOOD.W2[:, :1], b2=GOOD.b2[:1])  # of one output
CASES += [({"Y": Y + [0.5, -0.5, 0]}, ">= 0"), ({"Y": Y[:, :1], "params": ONE}, "two")]
CASES += [({"X": GOOD, "Y": X, "params": Y}, "Params")]  # train(params, X, Y, rng)
WIDE = {"X": np.full((10, 7), np.inf), "params": GOOD._replace(W1=np.ones((7, 6)))}
CASES += [(WIDE, r"X must.*finite.*\[0 1 2 3 4\]")]


@pytest.mark.filterwarnings("error")
def test_what_cannot_be_used_is_refused_by_name_and_nothing_changes():
    kept, good = flat(GOOD), {"X": X, "Y": Y, "params": GOOD}
    for change, said in CASES:
        given = good | change
        calls = [functools.partial(raw_nn.train, **given, rng=default_rng(0))]
        if change.keys() <= good.keys():
            calls += [functools.partial(raw_nn.accuracy, **given)]
            calls += [functools.partial(raw_nn.check_gradient, **given)]
        if "finite" in said and "Y" not in change:
            calls += [functools.partial(raw_nn.predict, given["X"], given["params"])]
        for call in calls:
            with pytest.raises(ValueError, match=said):
                call()
    for x, y in ((X[0], Y[0]), (X, Y[0]), (X, Y[:, :1]), (X[0], Y)):  # one sample
        with pytest.raises(ValueError, match="Y"):
            raw_nn.backward(x, y, raw_nn.forward(x, GOOD), GOOD)
    for x, size in ((X, 0), (X, -1), (X[:0], 8)):  # a loop over these would not end
        with pytest.raises(ValueError, match="batch_size.*X"):
            next(raw_nn.minibatches(default_rng(0), x, Y[: len(x)], size))
    assert_array_equal(flat(GOOD), kept)


def test_a_loss_of_a_million_ends_training_at_its_step(monkeypatch):
    for bad in (np.inf, -np.inf, np.nan, 1.01e6):
        losses = mock.Mock(side_effect=[1.0, 0.99e6, bad, 1.0, 1.0])
        monkeypatch.setattr(raw_nn, "sgd_step", losses)
        with pytest.raises(FloatingPointError, match="3.*scale.*rate.*draw"):
            raw_nn.train(X, Y, GOOD, default_rng(0), 5, 0.1, 5)
        assert losses.call_count == 3


@pytest.mark.filterwarnings("error")
def test_divergence_shows_no_warning_of_numpy_and_leaves_its_settings():
    x, _, y, *_ = raw_nn.load_iris_split()
    # the last two are seen after the last step alone
    for k, rate, steps in ((100, 1e308, 50), (100, 1.0, 50), (1, 3, 3), (1, 1e300, 1)):
        params, rng = raw_nn.init_params(default_rng(1), 4, 20, 3), default_rng(1)
        with np.errstate(all="warn"):
            with pytest.raises(FloatingPointError, match="loss.*scale.*rate.*draw"):
                raw_nn.train(k * x, y, params, rng, learning_rate=rate, steps=steps)
            assert {*np.geterr().values()} == {"warn"}
    with pytest.raises(ValueError, match="W1.*finite"):  # what overflowed, used
        raw_nn.predict(x, params)
