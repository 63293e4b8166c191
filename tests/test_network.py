"""Values, extremes and gradients of the network; the check; the split of Iris.

That each numbered line computes its formula is tested in test_page.py.
"""

import inspect
import re

import numpy as np
import networks
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from networks import SOURCE, edited_script, loss_gradient, random_problem
from scipy.special import log_softmax as scipy_log_softmax
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.neural_network import MLPClassifier

import raw_nn


@pytest.fixture(autouse=True)
def strict():
    """No test here may overflow, divide by 0 or make a NaN; 0 is a fine e**-1000."""
    with np.errstate(all="raise", under="ignore"):
        yield


# ---- Forward, loss, prediction ----


@pytest.mark.parametrize("scale", [1e-300, 1e-3, 1.0, 30.0, 1e3, 1e10, 1e300])
def test_softmax_agrees_with_scipy_at_any_size_of_the_logits(scale):
    h = scale * np.random.default_rng(0).uniform(-1, 1, size=(50, 7))
    P, log_P = raw_nn.softmax(h)
    wanted = scipy_log_softmax(h, axis=1)
    assert_allclose(log_P, wanted, rtol=1e-13, atol=1e-13)
    assert_allclose(P, np.exp(wanted), rtol=1e-13)
    assert_allclose(P.sum(axis=1), 1, rtol=1e-14)


def test_forward_and_predict_take_one_sample_without_its_row_and_lists():
    X, _, params = random_problem(5, 4, 6, 3)
    whole, classes = raw_nn.forward(X, params), raw_nn.predict(X.tolist(), params)
    assert classes.shape == (5,)
    assert classes.dtype.kind == "i"
    for i, x in enumerate(X):
        for got, wanted in zip(raw_nn.forward(x.tolist(), params), whole):
            assert got.shape == wanted[i].shape
            assert_allclose(got, wanted[i], rtol=0, atol=1e-13)
        assert np.ndim(raw_nn.predict(x, params)) == 0
        assert raw_nn.predict(x, params) == classes[i] == whole.P[i].argmax()


# ---- Initial weights ----


def test_xavier_fills_its_interval_evenly():
    W = raw_nn.xavier_uniform(np.random.default_rng(0), 300, 500)
    bound = np.sqrt(6 / 800)
    assert W.shape == (300, 500)
    assert np.abs(W).max() < bound
    # of 150,000 draws the extremes lie within 1e-4 of the ends but for e**-7 of cases
    assert_allclose([W.min(), W.max()], [-bound, bound], rtol=1e-4)
    counts, _ = np.histogram(W, bins=10, range=(-bound, bound))
    assert_allclose(counts / W.size, 0.1, rtol=0, atol=4 * np.sqrt(0.09 / W.size))


def test_init_params_draws_w1_then_w2_and_nothing_else():
    rng, same = np.random.default_rng(0), np.random.default_rng(0)
    W1, b1, W2, b2 = raw_nn.init_params(rng, 4, 20, 3)
    assert_array_equal(W1, raw_nn.xavier_uniform(same, 4, 20))
    assert_array_equal(W2, raw_nn.xavier_uniform(same, 20, 3))
    assert (b1.tolist(), b2.tolist()) == ([0] * 20, [0] * 3)
    assert rng.random() == same.random()


# ---- The split of Iris ----


def test_the_split_has_one_hot_floats_and_equal_shares():
    for given, shares in (({}, (40, 10)), ({"test_size": 0.5}, (25, 25))):
        _, _, Y, Y_test, _ = raw_nn.load_iris_split(seed=2**32 - 1, **given)
        for labels, share in zip((Y, Y_test), shares):
            assert labels.dtype == float
            assert sorted(map(list, labels)) == sorted(np.eye(3).tolist() * share)


@pytest.mark.parametrize("seed", range(3))
def test_with_the_mean_of_the_training_samples_added_it_is_iris(seed):
    def in_order(X, labels):
        rows = np.column_stack([np.round(X, 9), labels])
        return rows[np.lexsort(rows.T)]

    X, X_test, Y, Y_test, mean = raw_nn.load_iris_split(seed)
    assert_allclose(X.mean(axis=0), 0, atol=1e-14)
    assert np.all(np.abs(X_test.mean(axis=0)) > 1e-4)
    whole = np.vstack([X, X_test]) + mean, np.vstack([Y, Y_test]).argmax(axis=1)
    assert_allclose(in_order(*whole), in_order(*load_iris(return_X_y=True)))


def test_the_seed_decides_the_split_and_is_1_by_default():
    for given, default in zip(raw_nn.load_iris_split(1), raw_nn.load_iris_split()):
        assert_array_equal(given, default)
    assert not np.array_equal(given, raw_nn.load_iris_split(0)[-1])


# ---- The gradient ----

# n, in, hidden, out: one sample, one unit, two classes, all sizes equal
SHAPES = [(8, 4, 20, 3), (1, 4, 20, 3), (6, 3, 1, 4), (7, 5, 6, 2), (3, 3, 3, 3)]


def gradient_of(X, Y, params):
    return raw_nn.backward(X, Y, raw_nn.forward(X, params), params)


def assert_gradients_close(actual, wanted, tolerance):
    """Each array may differ by tolerance times the largest entry of the gradient."""
    scale = max(np.abs(slopes).max() for slopes in wanted)
    for name, ours, slopes in zip(raw_nn.Params._fields, actual, wanted):
        assert np.shape(ours) == slopes.shape, name
        assert_allclose(ours, slopes, rtol=0, atol=tolerance * scale, err_msg=name)


@pytest.mark.parametrize("shape", SHAPES)
def test_backward_equals_the_complex_step(shape):
    for seed in range(5):
        X, Y, (_, b1, _, b2) = random_problem(*shape, seed)
        rng = np.random.default_rng(seed)
        params = raw_nn.init_params(rng, *shape[1:])._replace(b1=b1, b2=b2)
        shares = rng.dirichlet(np.ones(shape[3]), size=shape[0])  # labels all the same
        for labels in (Y, shares):
            wanted = loss_gradient(X, labels, params)
            assert_gradients_close(gradient_of(X, labels, params), wanted, 1e-14)


def test_a_unit_is_closed_at_exactly_0_and_open_however_little_above():
    X, Y, params = random_problem(8, 4, 6, 3)
    params.W1[:, 2:4], params.b1[2:4] = 0.0, [0.0, 1e-13]  # a mask at 1e-12 is wrong
    gradient = gradient_of(X, Y, params)
    assert_array_equal(gradient.W1[:, 2], 0)
    assert_array_equal(gradient.b1[2], 0)
    assert np.all(gradient.W1[:, 3] != 0)


def test_nothing_changes_its_arguments():
    X, Y, params = random_problem(8, 4, 20, 3)
    activations = raw_nn.forward(X, params)
    arrays = [X, Y, *params, *activations]
    for array in arrays:
        array.flags.writeable = False
    raw_nn.backward(X, Y, activations, params)
    raw_nn.softmax(activations.h2)
    raw_nn.accuracy(X, Y, params)
    raw_nn.numeric_gradient(X, Y, params)
    raw_nn.check_gradient(X, Y, params)


@pytest.mark.parametrize("load", [load_iris, load_wine, load_digits])
@pytest.mark.parametrize(("batch_size", "hidden"), [(8, 20), (16, 5)])
def test_a_thousand_steps_end_at_the_weights_of_scikit_learn(load, batch_size, hidden):
    X, labels = load(return_X_y=True)
    rng, n = np.random.default_rng, len(X) // 16 * 16
    order = rng(0).permutation(len(X))[:n]
    X, labels = (X - X.mean(axis=0))[order], labels[order]
    X, Y = X / np.abs(X).max(axis=0, initial=1e-9), np.eye(labels.max() + 1)[labels]
    params = raw_nn.init_params(rng(1), X.shape[1], hidden, Y.shape[1])
    given = {"solver": "sgd", "momentum": 0, "alpha": 0, "batch_size": batch_size}
    rate = 0.003 * batch_size  # its loss is the mean over the batch
    theirs = MLPClassifier((hidden,), learning_rate_init=rate, shuffle=False, **given)
    theirs.partial_fit(X, labels, classes=range(Y.shape[1]))  # makes its weights
    weights = [*theirs.coefs_, *theirs.intercepts_]
    ours = [params.W1, params.W2, params.b1, params.b2]
    for weight, theta in zip(weights, ours):
        weight[...] = theta
    per_epoch = len(X) // batch_size  # one call of partial_fit takes that many steps
    epochs = -(-1000 // per_epoch)
    batches = raw_nn.minibatches(rng(2), X, labels, batch_size)
    for _ in range(epochs):
        epoch = zip(*(next(batches) for _ in range(per_epoch)))
        theirs.partial_fit(*map(np.concatenate, epoch))
    raw_nn.train(params, X, Y, rng(2), batch_size, steps=epochs * per_epoch)
    for weight, theta in zip(weights, ours):
        assert_allclose(theta, weight, rtol=0, atol=1e-13)
    P = raw_nn.forward(X, params).P
    assert_allclose(P, theirs.predict_proba(X), rtol=0, atol=1e-12)


def test_numeric_gradient_measures_what_the_complex_step_gives():
    problem = random_problem(6, 4, 5, 3)
    wanted = loss_gradient(*problem)
    assert_gradients_close(raw_nn.numeric_gradient(*problem), wanted, 1e-7)
    # two-sided: ten times the nudge, a hundred times the error; one-sided has ten
    near, far = (raw_nn.numeric_gradient(*problem, epsilon) for epsilon in (1e-3, 1e-2))
    assert (
        90 < np.abs(far.b2 - wanted.b2).max() / np.abs(near.b2 - wanted.b2).max() < 110
    )


def test_numeric_gradient_nudges_integer_parameters_too():  # 0 + 1e-7 must not be 0
    X, Y, params = random_problem(3, 2, 2, 2)
    whole = raw_nn.Params(*(np.sign(theta).astype(int) for theta in params))
    wanted = loss_gradient(X, Y, raw_nn.Params(*(theta * 1.0 for theta in whole)))
    assert_gradients_close(raw_nn.numeric_gradient(X, Y, whole), wanted, 1e-7)


# ---- The check of every run ----


def given_by_run(seed, hidden=10):
    """What a run with this seed gives to check_gradient."""
    X, _, Y, *_ = raw_nn.load_iris_split(seed)
    return X[:8], Y[:8], raw_nn.init_params(np.random.default_rng(seed), 4, hidden, 3)


def verdict(wrong=""):
    """What check_gradient is to say if the gradients of these parameters are wrong."""
    names = raw_nn.Params._fields
    return ", ".join(f"{name} {'WRONG' if name in wrong else 'ok'}" for name in names)


ALL = "W1 b1 W2 b2"
EDITS = [  # old text, new text, what is wrong then
    ("P - Y", "P - Y", ""),  # the script as it is
    ("dL_da1 * (h1 > 0.0)", "dL_da1", "W1 b1"),  # no mask
    ("(h1 > 0.0)", "(h1 < 0.0)", "W1 b1"),  # the mask of the other side
    ("a1.T @ dL_dh2", "h1.T @ dL_dh2", "W2"),
    ("X.T @ dL_dh1", "X.T @ dL_da1", "W1"),
    ("dL_dh1.sum(axis=0)", "dL_da1.sum(axis=0)", "b1"),
    ("dL_dh2.sum(axis=0)", "dL_dh2.mean(axis=0)", "b2"),
    ("dL_dh1.sum(axis=0)", "dL_dh1.mean(axis=0)", "b1"),
    ("a1.T @ dL_dh2", "a1.T @ dL_dh2 / len(X)", "W2"),
    ("X.T @ dL_dh1", "X.T @ dL_dh1 / len(X)", "W1"),
    ("P - Y", "P + Y", ALL),
    ("P - Y", "1.01 * (P - Y)", ALL),
    ("dL_dh2 @ W2.T", "1.01 * dL_dh2 @ W2.T", "W1 b1"),
    ("dL_dh2 @ W2.T", "dL_dh2 @ -W2.T", "W1 b1"),
    ("dL_dh1.sum(axis=0)", "dL_dh1", "b1"),  # no sum over the batch
    ("dL_dh2.sum(axis=0)", "dL_dh2", "b2"),
    ("a1.T @ dL_dh2", "(a1.T @ dL_dh2).T", "W2"),
    ("P - Y", "(P - Y) * np.nan", ALL),
    ("dL_dh2.sum(axis=0)", "dL_dh2.sum(axis=0) * np.nan", "b2"),
]


@pytest.mark.parametrize(("old", "new", "wrong"), EDITS)
def test_check_gradient_names_just_what_is_wrong(old, new, wrong):
    script = edited_script((old, new))
    given = [given_by_run(seed, hidden) for seed in range(5) for hidden in (1, 20, 10)]
    X, Y, params = given[-1]
    for weight in (0.0, 0.1, 1.0):  # many slopes are 0 at equal weights
        equal = raw_nn.Params(*(np.full_like(theta, weight) for theta in params))
        given.append((X, Y, equal))
    for problem in given:
        assert script.check_gradient(*problem) == verdict(wrong)


def test_check_gradient_allows_a_millionth_of_the_largest_slope(monkeypatch):
    problem = given_by_run(1)
    slopes = raw_nn.Params(*(1e6 * part for part in gradient_of(*problem)))
    monkeypatch.setattr(raw_nn, "numeric_gradient", lambda *_: slopes)
    for gap, wrong in ((0.9e-6, ""), (1.1e-6, "b1")):
        moved = slopes._replace(b1=slopes.b1.copy())
        moved.b1[0] -= gap * np.abs(slopes.b1).max()  # a single one
        monkeypatch.setattr(raw_nn, "backward", lambda *_, given=moved: given)
        assert raw_nn.check_gradient(*problem) == verdict(wrong)


def test_check_gradient_measures_where_the_nearest_bend_is_farthest(monkeypatch):
    nearest, forward = [], raw_nn.forward

    def watched(X, params):
        activations = forward(X, params)
        nearest.append(np.abs(activations.h1).min())
        return activations

    monkeypatch.setattr(raw_nn, "forward", watched)
    raw_nn.check_gradient(*given_by_run(1))
    assert nearest[10] == max(nearest[:10]) > min(nearest[:10])


@pytest.mark.parametrize("scale", [1e-7, 1e-6, 1e6])
@pytest.mark.parametrize("wrong", ["W1", "b1", "W2", "b2"])
def test_a_wrong_array_beside_larger_ones_is_found(scale, wrong):
    script = edited_script((f"dL_d{wrong} = ", f"dL_d{wrong} = 1.5 * "))
    X, Y, params = given_by_run(1)
    assert script.check_gradient(scale * X, Y, params) == verdict(wrong)


def hard_to_measure():
    """Yield problems that a measurement at the parameters themselves gets wrong."""
    for seed in (2792, 4713, 5870, 12385):  # a bend within the nudge
        yield given_by_run(seed)
    X, Y = [[0, 0], [0, 1], [1, 0], [1, 1]], np.eye(2)[[0, 1, 1, 0]].tolist()
    for seed in range(10):  # a sample of zeros, exactly at the bend
        yield X, Y, raw_nn.init_params(np.random.default_rng(seed), 2, 4, 2)
    W2 = np.array([[40.0, -40.0], [40.0, -40.0]])  # a network that is certain
    params = raw_nn.Params(np.ones((2, 2)), np.zeros(2), W2, np.zeros(2))
    yield np.ones((1, 2)), [[1.0, 0.0]], params
    rng = np.random.default_rng(0)
    for load in (load_wine, load_breast_cancer, load_digits):  # features as they are
        X, labels = load(return_X_y=True)
        some = rng.permutation(len(X))[:8]
        Y = np.eye(labels.max() + 1)[labels[some]]
        yield X[some], Y, raw_nn.init_params(rng, X.shape[1], 5, Y.shape[1])
    X, Y, params = given_by_run(1)
    yield X, Y, raw_nn.Params(*(1000 * theta for theta in params))  # a spoilt network


@pytest.mark.parametrize("problem", list(hard_to_measure()))
def test_a_right_gradient_is_not_called_wrong(problem):
    assert raw_nn.check_gradient(*problem) == verdict()


# ---- Docstrings and comments ----


def test_comments_name_the_shapes_of_the_arrays():
    known = networks.arrays_of_a_step()
    pattern = r"^ *(\w+)(?:, \w+)?(?: = .*|: np\.ndarray)  # (\(.*)$"
    lines = re.findall(pattern, SOURCE.split("class Params")[1], re.MULTILINE)
    named = [
        (name, text) for name, text in lines if name in known and networks.shapes(text)
    ]
    assert len(named) > 15
    for name, text in named:
        assert networks.shapes(text)[0] == known[name].shape, name


def test_docstrings_name_the_shapes_of_arguments_and_results_in_their_order():
    X, Y, params = random_problem(8, 4, 20, 3)
    log_P, rng = raw_nn.forward(X, params).log_P, np.random.default_rng(0)
    for function, given, returned in (
        ("load_iris_split", [], raw_nn.load_iris_split()),
        ("softmax", [log_P], ()),
        ("forward", [X, X[0]], ()),
        ("nll_loss", [Y], ()),
        ("backward", [Y], ()),
        ("xavier_uniform", [], (raw_nn.xavier_uniform(rng, 4, 3),)),
        ("train", [], (raw_nn.train(params, X, Y, rng, 4, 0.01, 5),)),
        ("predict", [X, X[0]], ()),
        ("accuracy", [X, Y], ()),
        ("plot_loss", [np.ones(5)], ()),
    ):
        named = inspect.getdoc(getattr(raw_nn, function))
        named = networks.shapes(named, n_in=4, n_out=3, steps=5)
        assert named == [array.shape for array in (*given, *returned)], function


def test_texts_are_ascii_and_do_not_say_the_contrary():
    assert SOURCE.isascii()
    assert "percent" not in raw_nn.accuracy.__doc__  # it is a fraction
    assert "mean" not in raw_nn.nll_loss.__doc__  # it is a sum
    assert "after" not in raw_nn.sgd_step.__doc__  # it is the loss before the step
