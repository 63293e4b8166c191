"""backward is the gradient of the loss, and check_gradient tells when it is not."""

import contextlib
import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from problems import data_set, edited_script, random_problem
from sklearn.neural_network import MLPClassifier

import raw_nn

SHAPES = [  # n, in, hidden, out
    (8, 4, 20, 3),
    (1, 4, 20, 3),  # one sample
    (6, 3, 1, 4),  # one hidden unit
    (7, 5, 6, 2),  # two classes
    (5, 1, 3, 5),  # one input
    (1, 1, 1, 2),
    (3, 3, 3, 3),  # every transpose fits
]


def gradient_of(X, Y, params):
    return raw_nn.backward(X, Y, raw_nn.forward(X, params), params)


def complex_step(X, Y, params):
    """The gradient by Im L(theta + i epsilon) / epsilon: no difference, no rounding."""
    gradient = raw_nn.Params(*map(np.empty_like, params))
    nudged = raw_nn.Params(*(theta.astype(complex) for theta in params))
    for theta, slopes in zip(nudged, gradient):
        for i in np.ndindex(theta.shape):
            theta[i] += 1e-30j
            loss = raw_nn.nll_loss(raw_nn.forward(X, nudged).log_P, Y)
            theta[i] -= 1e-30j
            slopes[i] = loss.imag / 1e-30
    return gradient


def loops(X, Y, params):
    """The gradient from the formulas for single numbers, without any NumPy."""
    W1, b1, W2, b2 = (theta.tolist() for theta in params)
    dW1, db1, dW2, db2 = (np.zeros(theta.shape).tolist() for theta in params)
    units, classes = range(len(b1)), range(len(b2))
    for x, y in zip(X.tolist(), Y.tolist()):
        h1 = [sum(x_i * w[k] for x_i, w in zip(x, W1)) + b1[k] for k in units]
        a1 = [h if h > 0 else 0.0 for h in h1]
        h2 = [sum(a1[k] * W2[k][j] for k in units) + b2[j] for j in classes]
        p = [math.exp(h) / sum(map(math.exp, h2)) for h in h2]
        for j in classes:
            db2[j] += p[j] - y[j]
            for k in units:
                dW2[k][j] += a1[k] * (p[j] - y[j])
        for k in units:
            if h1[k] > 0:
                slope = sum((p[j] - y[j]) * W2[k][j] for j in classes)
                db1[k] += slope
                for i in range(len(x)):
                    dW1[i][k] += x[i] * slope
    return raw_nn.Params(*map(np.array, (dW1, db1, dW2, db2)))


def assert_gradients_close(actual, wanted, tolerance):
    """Each array may differ by tolerance times the largest entry of the gradient."""
    scale = max(np.abs(slopes).max() for slopes in wanted)
    for name, ours, slopes in zip(raw_nn.Params._fields, actual, wanted):
        assert np.shape(ours) == slopes.shape, name
        assert_allclose(ours, slopes, rtol=0, atol=tolerance * scale, err_msg=name)


@pytest.mark.parametrize("shape", SHAPES)
def test_backward_equals_the_complex_step_and_loops_over_single_numbers(shape):
    for seed in range(5):
        X, Y, (_, b1, _, b2) = random_problem(*shape, seed)
        rng = np.random.default_rng(seed)
        params = raw_nn.init_params(rng, *shape[1:])._replace(b1=b1, b2=b2)
        shares = rng.dirichlet(np.ones(shape[3]), size=shape[0])  # labels all the same
        for problem in ((X, Y, params), (X, shares, params)):
            gradient = gradient_of(*problem)
            assert_gradients_close(gradient, complex_step(*problem), 1e-14)
            assert_gradients_close(gradient, loops(*problem), 1e-14)


def test_backward_equals_the_complex_step_after_training():
    # where the loss is small, P - Y is a small difference of large numbers
    X, Y, *_ = raw_nn.load_iris_split()
    rng = np.random.default_rng(1)
    params = raw_nn.init_params(rng, 4, 20, 3)
    raw_nn.train(params, X, Y, rng)
    assert_gradients_close(gradient_of(X, Y, params), complex_step(X, Y, params), 1e-12)


def test_a_unit_is_closed_at_exactly_0_and_open_however_little_above():
    X, Y, params = random_problem(8, 4, 6, 3)
    params.W1[:, 2:4], params.b1[2:4] = 0.0, [0.0, 1e-13]  # a mask at 1e-12 is wrong
    gradient = gradient_of(X, Y, params)
    assert_array_equal(gradient.W1[:, 2], 0)
    assert gradient.b1[2] == 0
    assert abs(gradient.b1[3]) > 1e-3


def test_all_that_only_computes_leaves_its_inputs_as_they_were():
    X, Y, params = random_problem(8, 4, 20, 3)
    activations = raw_nn.forward(X, params)
    arrays = [X, Y, *params, *activations]
    copies = [array.copy() for array in arrays]
    raw_nn.backward(X, Y, activations, params)
    raw_nn.relu(activations.h1)
    raw_nn.softmax(activations.h2)
    raw_nn.nll_loss(activations.log_P, Y)
    raw_nn.accuracy(X, Y, params)
    raw_nn.numeric_gradient(X, Y, params)
    raw_nn.check_gradient(X, Y, params)
    for array, copy in zip(arrays, copies):
        assert_array_equal(array, copy)


@pytest.mark.parametrize(
    ("name", "batch_size", "hidden"),
    [("iris", 8, 20), ("wine", 8, 5), ("digits", 16, 30)],
)
def test_a_thousand_steps_end_at_the_weights_of_scikit_learn(name, batch_size, hidden):
    X, labels = data_set(name)
    Y = np.eye(labels.max() + 1)[labels]
    params = raw_nn.init_params(
        np.random.default_rng(1), X.shape[1], hidden, Y.shape[1]
    )
    theirs = MLPClassifier(
        (hidden,),
        solver="sgd",
        momentum=0,
        alpha=0,
        batch_size=batch_size,
        learning_rate_init=0.003 * batch_size,  # its loss is the mean over the batch
        shuffle=False,
    )
    theirs.partial_fit(X, labels, classes=range(Y.shape[1]))  # makes its weights
    weights = [*theirs.coefs_, *theirs.intercepts_]
    ours = [params.W1, params.W2, params.b1, params.b2]
    for weight, theta in zip(weights, ours):
        weight[...] = theta
    per_epoch = len(X) // batch_size  # one call of partial_fit takes that many steps
    epochs = -(-1000 // per_epoch)
    batches = raw_nn.minibatches(np.random.default_rng(2), X, labels, batch_size)
    for _ in range(epochs):
        epoch = zip(*(next(batches) for _ in range(per_epoch)))
        theirs.partial_fit(*map(np.concatenate, epoch))

    rng = np.random.default_rng(2)
    raw_nn.train(params, X, Y, rng, batch_size, steps=epochs * per_epoch)
    for weight, theta in zip(weights, ours):
        assert_allclose(theta, weight, rtol=0, atol=1e-13)
    P = raw_nn.forward(X, params).P
    assert_allclose(P, theirs.predict_proba(X), rtol=0, atol=1e-12)


def test_numeric_gradient_measures_what_the_complex_step_gives():
    problem = random_problem(6, 4, 5, 3)
    wanted = complex_step(*problem)
    assert_gradients_close(raw_nn.numeric_gradient(*problem), wanted, 1e-8)
    # two-sided: ten times the nudge, a hundred times the error; one-sided has ten
    errors = [
        np.abs(raw_nn.numeric_gradient(*problem, epsilon).b2 - wanted.b2).max()
        for epsilon in (1e-3, 1e-2)
    ]
    assert 90 < errors[1] / errors[0] < 110


def test_numeric_gradient_nudges_integer_parameters_too():  # 0 + 1e-6 must not be 0
    X, Y, _ = random_problem(3, 2, 2, 2)
    params = raw_nn.Params(
        np.array([[1, -1], [2, 1]]), np.array([1, 3]), np.eye(2, dtype=int), [0, 1]
    )
    measured = raw_nn.numeric_gradient(X, Y, params)
    floats = raw_nn.Params(*(np.array(theta, float) for theta in params))
    assert_gradients_close(measured, complex_step(X, Y, floats), 1e-8)


def given_by_run(seed):
    """What a run with this seed gives to check_gradient."""
    X, Y, *_ = raw_nn.load_iris_split(seed)
    return X[:8], Y[:8], raw_nn.init_params(np.random.default_rng(seed), 4, 10, 3)


@pytest.fixture(scope="module")
def hundred():
    """For each of 100 seeds what a run gives to check_gradient, and the slopes."""
    given = map(given_by_run, range(100))
    return [(problem, raw_nn.numeric_gradient(*problem)) for problem in given]


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
    ("X.T @ dL_dh1", "1.01 * X.T @ dL_dh1", "W1"),
    ("dL_dh1.sum(axis=0)", "1.01 * dL_dh1.sum(axis=0)", "b1"),
    ("a1.T @ dL_dh2", "1.01 * a1.T @ dL_dh2", "W2"),
    ("dL_dh2.sum(axis=0)", "1.01 * dL_dh2.sum(axis=0)", "b2"),
    ("dL_dh2 @ W2.T", "dL_dh2 @ -W2.T", "W1 b1"),
    ("dL_dh1.sum(axis=0)", "dL_dh1", "b1"),  # no sum over the batch
    ("dL_dh2.sum(axis=0)", "dL_dh2", "b2"),
    ("a1.T @ dL_dh2", "(a1.T @ dL_dh2).T", "W2"),
    ("P - Y", "(P - Y) * np.nan", ALL),
    ("dL_dh2.sum(axis=0)", "dL_dh2.sum(axis=0) * np.nan", "b2"),
]
STOPPED = ("dL_dh1", "dL_dh2", "(a1.T @ dL_dh2).T")  # no update: another shape


def verdict(wrong):
    """What check_gradient is to say if the gradients of these parameters are wrong."""
    names = raw_nn.Params._fields
    return ", ".join(f"{name} {'WRONG' if name in wrong else 'ok'}" for name in names)


@pytest.mark.parametrize(("old", "new", "wrong"), EDITS)
def test_check_gradient_names_just_what_is_wrong(
    old, new, wrong, hundred, capsys, tmp_path
):
    script = edited_script((old, new))
    for problem, slopes in hundred:
        script.numeric_gradient = lambda *_, slopes=slopes: slopes  # not edited
        assert script.check_gradient(*problem) == verdict(wrong.split())
    # and the command goes on with such an edit, to its result where there is one
    script = edited_script((old, new))
    script.plot_loss = lambda *_: None  # to save time
    stopped = new in STOPPED or "nan" in new
    ends = (ValueError, SystemExit) if stopped else ()
    with contextlib.suppress(*ends):
        script.main(["--steps", "5", "--plot", str(tmp_path / "loss.png")])
    stdout = capsys.readouterr().out
    assert f"gradient check: {verdict(wrong.split())}\n" in stdout
    assert stopped or "\ntest set: mean loss " in stdout


def test_check_gradient_allows_a_millionth_of_the_largest_slope_of_all(monkeypatch):
    problem = given_by_run(1)
    for scale, gap, wrong in ((100, 0.95e-6, ""), (100, 1.05e-6, "b1"), (0, 0, "")):
        slopes = raw_nn.Params(*(scale * part for part in gradient_of(*problem)))
        moved = slopes._replace(b1=slopes.b1.copy())
        moved.b1[0] -= gap * max(np.abs(part).max() for part in slopes)
        with monkeypatch.context() as patch:
            patch.setattr(raw_nn, "numeric_gradient", lambda *_, known=slopes: known)
            patch.setattr(raw_nn, "backward", lambda *_, given=moved: given)
            assert raw_nn.check_gradient(*problem) == verdict(wrong.split())


@pytest.mark.parametrize("weight", [0.0, 0.1, 1.0])
def test_check_gradient_calls_equal_weights_right(weight):
    # many slopes are 0 here, so that nothing can be measured against their own size
    X, Y, params = given_by_run(1)
    params = raw_nn.Params(*(np.full_like(theta, weight) for theta in params))
    assert raw_nn.check_gradient(X, Y, params) == verdict("")
