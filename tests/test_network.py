"""Values, extremes and gradients; the check; the split. Formulas are in test_page."""

import re

import networks
import numpy as np
from networks import SOURCE, edited_script, loss_gradient, random_problem
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import log_softmax as scipy_log_softmax
from sklearn.datasets import load_breast_cancer, load_digits, load_iris
from sklearn.neural_network import MLPClassifier

import raw_nn


@np.errstate(all="raise", under="ignore")  # it may not overflow; 0 is a fine e**-1000
def test_softmax_agrees_with_scipy_at_any_size_of_the_logits():
    for scale in (1e-300, 1e-3, 1.0, 30.0, 1e3, 1e10, 1e300):
        h = scale * np.random.default_rng(0).uniform(-1, 1, size=(50, 7))
        P, log_P = raw_nn.softmax(h)
        wanted = scipy_log_softmax(h, axis=1)
        assert_allclose(log_P, wanted, rtol=1e-13, atol=1e-13)
        assert_allclose(P, np.exp(wanted), rtol=1e-13)


def test_forward_and_predict_take_one_sample_without_its_row_and_lists():
    X, _, params = random_problem(5, 4, 6, 3)
    whole, classes = raw_nn.forward(X, params), raw_nn.predict(X.tolist(), params)
    assert (classes.shape, classes.dtype.kind) == ((5,), "i")
    for i, x in enumerate(X):
        for got, wanted in zip(raw_nn.forward(x.tolist(), params), whole):
            assert got.shape == wanted[i].shape
            assert_allclose(got, wanted[i], rtol=0, atol=1e-13)
        assert np.ndim(raw_nn.predict(x, params)) == 0
        assert raw_nn.predict(x, params) == classes[i] == whole.P[i].argmax()


def test_xavier_fills_its_interval_evenly():
    W = raw_nn.xavier_uniform(np.random.default_rng(0), 300, 500)
    bound = np.sqrt(6 / 800)
    assert (W.shape, np.abs(W).max() < bound) == ((300, 500), True)
    # of 150,000 draws the extremes lie within 1e-4 of the ends but for e**-7 of cases
    assert_allclose([W.min(), W.max()], [-bound, bound], rtol=1e-4)
    even = np.linspace(-bound, bound, W.size)
    assert_allclose(np.sort(W, axis=None), even, rtol=0, atol=0.01 * bound)


def test_init_params_draws_w1_then_w2_and_nothing_else():
    rng, same = np.random.default_rng(0), np.random.default_rng(0)
    W1, b1, W2, b2 = raw_nn.init_params(rng, 4, 20, 3)
    assert_array_equal(W1, raw_nn.xavier_uniform(same, 4, 20))
    assert_array_equal(W2, raw_nn.xavier_uniform(same, 20, 3))
    assert (b1.tolist(), b2.tolist()) == ([0] * 20, [0] * 3)
    assert rng.random() == same.random()


def test_the_split_is_iris_less_the_mean_of_its_training_samples():
    def in_order(X, labels):
        rows = np.column_stack([np.round(X, 9), labels])
        return rows[np.lexsort(rows.T)]

    iris, means = in_order(*load_iris(return_X_y=True)), []
    for given, n in ((), 40), ((1,), 40), ((0,), 40), ((2**32 - 1, 0.5), 25):
        X, X_test, Y, Y_test, mean = split = raw_nn.load_iris_split(*given)
        means.append(mean.tolist())
        assert_allclose(X.mean(axis=0), 0, atol=1e-14)
        assert np.all(np.abs(X_test.mean(axis=0)) > 1e-4)
        labels = np.vstack([Y, Y_test]).argmax(axis=1)
        assert_allclose(in_order(np.vstack([X, X_test]) + mean, labels), iris)
        for one_hot, share in ((Y, n), (Y_test, 50 - n)):  # as many of each
            assert one_hot.dtype == float
            assert sorted(map(list, one_hot)) == sorted(np.eye(3).tolist() * share)
        named = networks.shapes(raw_nn.load_iris_split.__doc__.split("\n")[0])
        assert n != 40 or named == [array.shape for array in split[: len(named)]]
    assert means[0] == means[1] != means[2]  # the seed is 1 by default, and decides


def gradient_of(X, Y, params):
    """Return what backward gives; no array that it gets may change."""
    activations = raw_nn.forward(X, params)
    for array in (X, Y, *params, *activations):
        array.flags.writeable = False
    return raw_nn.backward(X, Y, activations, params)


def assert_gradients_close(actual, wanted, tolerance):
    """Each array may differ by tolerance times the largest entry of the gradient."""
    scale = max(np.abs(slopes).max() for slopes in wanted)
    for name, ours, slopes in zip(raw_nn.Params._fields, actual, wanted):
        assert np.shape(ours) == slopes.shape, name
        assert_allclose(ours, slopes, rtol=0, atol=tolerance * scale, err_msg=name)


def test_backward_equals_the_complex_step():
    for sizes in ((8, 4, 20, 3), (1, 4, 20, 3), (6, 3, 1, 4), (7, 5, 6, 2), (3,) * 4):
        X, Y, (_, b1, _, b2) = random_problem(*sizes)
        rng = np.random.default_rng(0)
        params = raw_nn.init_params(rng, *sizes[1:])._replace(b1=b1, b2=b2)
        shares = rng.dirichlet(np.ones(sizes[3]), size=sizes[0])
        for labels in (Y, shares):
            wanted = loss_gradient(X, labels, params)
            assert_gradients_close(gradient_of(X, labels, params), wanted, 1e-14)


def test_a_unit_is_closed_at_exactly_0_and_open_however_little_above():
    X, Y, params = random_problem(8, 4, 6, 3)
    params.W1[:, 2:4], params.b1[2:4] = 0.0, [0.0, 1e-13]  # a mask at 1e-12 is wrong
    gradient = gradient_of(X, Y, params)
    assert (gradient.W1[:, 2].any(), gradient.b1[2]) == (False, 0)
    assert np.all(gradient.W1[:, 3] != 0)


def test_a_thousand_steps_end_at_the_weights_of_scikit_learn():
    X, labels = load_iris(return_X_y=True)
    rng = np.random.default_rng
    order = rng(0).permutation(len(X))[:144]
    X, labels, Y = (X - X.mean(axis=0))[order], labels[order], np.eye(3)[labels[order]]
    for size, hidden in ((8, 20), (16, 5)):
        params = raw_nn.init_params(rng(1), 4, hidden, 3)
        # its loss is the mean over the batch
        given = {"learning_rate_init": 0.003 * size, "batch_size": size, "alpha": 0}
        given |= {"solver": "sgd", "momentum": 0, "shuffle": False}
        theirs = MLPClassifier((hidden,), **given)
        theirs.partial_fit(X, labels, classes=range(3))  # makes its weights
        weights = [*theirs.coefs_, *theirs.intercepts_]
        ours = [params.W1, params.W2, params.b1, params.b2]
        for weight, theta in zip(weights, ours):
            weight[...] = theta
        per_epoch = len(X) // size  # one call of partial_fit takes that many steps
        epochs = -(-1000 // per_epoch)
        batches = raw_nn.minibatches(rng(2), X, labels, size)
        for _ in range(epochs):
            epoch = zip(*(next(batches) for _ in range(per_epoch)))
            theirs.partial_fit(*map(np.concatenate, epoch))
        raw_nn.train(params, X, Y, rng(2), size, steps=epochs * per_epoch)
        for weight, theta in zip(weights, ours):
            assert_allclose(theta, weight, rtol=0, atol=1e-13)


def test_numeric_gradient_measures_what_the_complex_step_gives():
    X, Y, params = random_problem(6, 4, 5, 3)
    whole = raw_nn.Params(*(np.sign(t).astype(int) for t in params))  # 0 + 1e-6 is 0
    for given in (params, whole):
        wanted = loss_gradient(X, Y, raw_nn.Params(*(theta * 1.0 for theta in given)))
        assert_gradients_close(raw_nn.numeric_gradient(X, Y, given), wanted, 1e-7)


def given_by_run(seed, hidden=10):
    """What a run with this seed gives to check_gradient."""
    X, _, Y, *_ = raw_nn.load_iris_split(seed)
    params = raw_nn.init_params(np.random.default_rng(seed), 4, hidden, 3)
    for array in (X, Y, *params):
        array.flags.writeable = False  # it may change none
    return X[:8], Y[:8], params


def verdict(wrong=""):
    """What check_gradient is to say if the gradients of these parameters are wrong."""
    names = raw_nn.Params._fields
    return ", ".join(f"{name} {'WRONG' if name in wrong else 'ok'}" for name in names)


EDITS = [  # old text, new text, what is wrong then
    ("dL_da1 * (h1 > 0.0)", "dL_da1", "W1 b1"),  # no mask
    ("(h1 > 0.0)", "(h1 < 0.0)", "W1 b1"),  # the mask of the other side
    ("a1.T @ dL_dh2", "h1.T @ dL_dh2", "W2"),
    ("X.T @ dL_dh1", "X.T @ dL_da1", "W1"),
    ("dL_dh2.sum(axis=0)", "dL_dh2.mean(axis=0)", "b2"),
    ("dL_dh1.sum(axis=0)", "dL_dh1.sum(axis=0) / 3", "b1"),
    ("X.T @ dL_dh1", "X.T @ dL_dh1 * ([[1.01]] + [[1]] * 3)", "W1"),  # one row
    ("P - Y", "P + Y", "W1 b1 W2 b2"),
    ("P - Y", "1.01 * (P - Y)", "W1 b1 W2 b2"),
    ("dL_dh2 @ W2.T", "dL_dh2 @ -W2.T", "W1 b1"),
    ("dL_dh1.sum(axis=0)", "dL_dh1", "b1"),  # no sum over the batch
    ("a1.T @ dL_dh2", "(a1.T @ dL_dh2).T", "W2"),
    ("dL_dh2.sum(axis=0)", "dL_dh2.sum(axis=0) * np.nan", "b2"),
]


def test_check_gradient_names_just_what_is_wrong():
    given = [given_by_run(seed, hidden) for seed in range(3) for hidden in (1, 20, 10)]
    for old, new, wrong in EDITS:
        script = edited_script((old, new))
        said = {script.check_gradient(*problem) for problem in given}
        assert (new, said) == (new, {verdict(wrong)})


def test_a_wrong_array_beside_larger_ones_is_found():
    X, Y, params = given_by_run(1)
    for wrong in raw_nn.Params._fields:
        script = edited_script((f"dL_d{wrong} = ", f"dL_d{wrong} = 1.5 * "))
        said = {script.check_gradient(k * X, Y, params) for k in (1e-7, 1e-6, 1e6)}
        assert said == {verdict(wrong)}


def trained(seed, X, labels, steps, rate):
    """Return X, Y and the Params of a network of 20 units that has learned them."""
    rng, Y = np.random.default_rng(seed), np.eye(2)[labels * 1]
    params = raw_nn.init_params(rng, 4, 20, 2)
    raw_nn.train(params, X, Y, rng, 8, rate, steps)
    return X, Y, params


def hard_to_measure():
    """Yield (what makes it hard, problem)."""
    X, Y, params = given_by_run(1)
    for gap in (-1e-6, -3e-7, 0, 1e-8, 3e-7, 1e-6):
        near = params._replace(b1=gap - X[0] @ params.W1)
        yield "a bend of each unit within the nudge", (X, Y, near)
    yield "a spoilt network", (X, Y, params._make(1000 * theta for theta in params))
    certain = params._replace(b2=np.array([0.0, 40.0, 0.0]))
    yield "a network that is certain of a single sample", (X[:1], [[0, 1, 0]], certain)
    for seed in range(5):
        rng = np.random.default_rng(seed)
        shares = rng.dirichlet(np.ones(3), size=8).round(5)
        yield "soft labels that are rounded", (X, shares, given_by_run(seed)[2])
        many, labels = rng.standard_normal((10_000, 1)), rng.permutation(10_000) % 2
        unit = raw_nn.Params(np.zeros((1, 1)), np.zeros(1), np.eye(1, 2), np.zeros(2))
        yield "samples near a bend at most points", (many, np.eye(2)[labels], unit)
        labels = np.arange(300) % 2
        blobs = rng.normal(2 * labels[:, None] - 1, 0.3, (300, 4))
        blobs = (blobs - blobs.mean(axis=0)) / blobs.std(axis=0)
        yield "trained blobs", trained(seed, blobs, labels, 500, 0.3)
    X, labels = load_iris(return_X_y=True)
    yield "setosa or not, trained", trained(1, X, labels == 0, 10_000, 0.03)
    for load in (load_breast_cancer, load_digits):
        X, labels = load(return_X_y=True)
        Y = np.eye(labels.max() + 1)[labels]
        params = raw_nn.init_params(rng, X.shape[1], 5, Y.shape[1])
        yield "features as they are", (X[:8], Y[:8], params)


@np.errstate(all="raise", under="ignore")
def test_a_right_gradient_is_not_called_wrong():
    said = [(why, raw_nn.check_gradient(*given)) for why, given in hard_to_measure()]
    assert [(why, text) for why, text in said if text != verdict()] == []


def test_comments_name_the_shapes_of_the_arrays():
    known = networks.arrays_of_a_step()
    pattern = r"^ *(\w+)(?:, \w+)?(?: = .*|: np\.ndarray)  # (\(.*)$"
    lines = re.findall(pattern, SOURCE.split("class Params")[1], re.MULTILINE)
    named = [(k, *networks.shapes(text)[:1]) for k, text in lines if k in known]
    named = [pair for pair in named if len(pair) == 2]
    assert len(named) > 15
    assert named == [(name, known[name].shape) for name, _ in named]
    assert SOURCE.isascii()
