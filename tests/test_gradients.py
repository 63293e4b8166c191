"""The gradient of backward, checked three independent ways, and its properties."""

import math
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from problems import SHAPES, classes, gradient_of, loss_of, random_problem
from sklearn.neural_network import MLPClassifier

import raw_nn


def central_differences(X, Y, params, epsilon=1e-5):
    """The gradient of the loss from its definition, one parameter at a time."""
    gradient = raw_nn.Params(*map(np.zeros_like, params))
    for theta, slope in zip(params, gradient):
        for index in np.ndindex(theta.shape):
            value = theta[index]
            theta[index] = value + epsilon
            above = loss_of(X, Y, params)
            theta[index] = value - epsilon
            below = loss_of(X, Y, params)
            theta[index] = value
            slope[index] = (above - below) / (2 * epsilon)
    return gradient


def loop_gradient(X, Y, params):
    """The gradient from the scalar formulas of the README, without any NumPy."""
    W1, b1, W2, b2 = (theta.tolist() for theta in params)
    dW1, db1, dW2, db2 = (np.zeros(theta.shape).tolist() for theta in params)
    for x, y in zip(X.tolist(), Y.tolist()):
        h1 = [
            sum(x[i] * W1[i][k] for i in range(len(x))) + b1[k] for k in range(len(b1))
        ]
        a1 = [h if h > 0 else 0.0 for h in h1]
        h2 = [
            sum(a1[k] * W2[k][j] for k in range(len(a1))) + b2[j]
            for j in range(len(b2))
        ]
        p = [math.exp(h) / sum(map(math.exp, h2)) for h in h2]
        for j in range(len(b2)):
            db2[j] += p[j] - y[j]
            for k in range(len(b1)):
                dW2[k][j] += a1[k] * (p[j] - y[j])
        for k in range(len(b1)):
            if h1[k] > 0:
                slope = sum((p[j] - y[j]) * W2[k][j] for j in range(len(b2)))
                db1[k] += slope
                for i in range(len(x)):
                    dW1[i][k] += x[i] * slope
    return raw_nn.Params(dW1, db1, dW2, db2)


def assert_gradients_close(actual, desired, tolerance):
    """Each array may differ by tolerance times the largest entry of the gradient."""
    scale = max(np.abs(np.asarray(part)).max() for part in desired)
    for name, got, wanted in zip(raw_nn.Params._fields, actual, desired):
        assert np.shape(got) == np.shape(wanted), name
        assert_allclose(got, wanted, rtol=0, atol=tolerance * scale, err_msg=name)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("seed", range(3))
def test_equals_central_differences(shape, seed):
    X, Y, params = random_problem(*shape, seed)
    assert_gradients_close(
        gradient_of(X, Y, params), central_differences(X, Y, params), 1e-9
    )


@pytest.mark.parametrize("shape", SHAPES)
def test_equals_loops_over_the_scalar_formulas(shape):
    X, Y, params = random_problem(*shape)
    assert_gradients_close(
        gradient_of(X, Y, params), loop_gradient(X, Y, params), 1e-13
    )


def test_soft_labels_have_an_exact_gradient_too():
    X, _, params = random_problem(5, 3, 4, 3)
    Y = np.random.default_rng(1).dirichlet(np.ones(3), size=5)
    assert_gradients_close(
        gradient_of(X, Y, params), central_differences(X, Y, params), 1e-9
    )


@pytest.mark.parametrize("shape", SHAPES)
def test_a_batch_has_the_sum_of_the_gradients_of_its_samples(shape):
    X, Y, params = random_problem(*shape)
    singles = [gradient_of(X[i : i + 1], Y[i : i + 1], params) for i in range(len(X))]
    sums = [np.sum(parts, axis=0) for parts in zip(*singles)]
    assert_gradients_close(gradient_of(X, Y, params), sums, 1e-14)


def test_the_order_of_the_samples_does_not_matter():
    X, Y, params = random_problem(8, 4, 20, 3)
    order = np.random.default_rng(1).permutation(8)
    shuffled = gradient_of(X[order], Y[order], params)
    assert_gradients_close(shuffled, gradient_of(X, Y, params), 1e-14)


def test_the_order_of_the_hidden_units_goes_through_to_the_gradient():
    X, Y, params = random_problem(8, 4, 20, 3)
    order = np.random.default_rng(1).permutation(20)
    W1, b1, W2, b2 = params
    renamed = raw_nn.Params(W1[:, order], b1[order], W2[order], b2)
    dW1, db1, dW2, db2 = gradient_of(X, Y, params)
    wanted = raw_nn.Params(dW1[:, order], db1[order], dW2[order], db2)
    assert_gradients_close(gradient_of(X, Y, renamed), wanted, 1e-14)


def test_nothing_flows_back_through_a_unit_at_the_kink():
    X, Y, params = random_problem(8, 4, 6, 3)
    params.W1[:, 2] = params.b1[2] = 0.0  # h1 is exactly 0 for every sample
    assert_array_equal(raw_nn.forward(X, params).h1[:, 2], 0)
    gradient = gradient_of(X, Y, params)
    assert_array_equal(gradient.W1[:, 2], 0)
    assert gradient.b1[2] == 0
    assert np.all(gradient.b1[[0, 1, 3, 4, 5]] != 0)


def test_all_zero_weights_leave_the_hidden_layer_dead():
    X, Y, params = random_problem(8, 4, 20, 3)
    for theta in params:
        theta[...] = 0.0
    gradient = gradient_of(X, Y, params)
    for name in ("W1", "b1", "W2"):
        assert_array_equal(getattr(gradient, name), 0)
    assert_allclose(gradient.b2, 8 / 3 - Y.sum(axis=0), rtol=0, atol=1e-14)
    raw_nn.train(params, X, Y, np.random.default_rng(0), steps=50)
    for name in ("W1", "b1", "W2"):
        assert_array_equal(getattr(params, name), 0)


def test_a_network_worked_by_hand():
    # h1 = (3, -1), a1 = (3, 0), h2 = (ln 2, ln 6), P = (1/4, 3/4); class 0 is true.
    X, Y = np.array([[1.0, 2.0]]), np.array([[1.0, 0.0]])
    params = raw_nn.Params(
        np.array([[1.0, 0.0], [0.5, -1.0]]),
        np.array([1.0, 1.0]),
        np.array([[0.0, 0.0], [5.0, -4.0]]),
        np.log([2.0, 6.0]),
    )
    activations = raw_nn.forward(X, params)
    assert_array_equal(activations.h1, [[3, -1]])
    assert_array_equal(activations.a1, [[3, 0]])
    assert_allclose(activations.h2, np.log([[2, 6]]), rtol=1e-15)
    assert_allclose(activations.log_P, np.log([[1 / 4, 3 / 4]]), rtol=1e-14)
    assert_allclose(activations.P, [[1 / 4, 3 / 4]], rtol=1e-14)
    assert_allclose(loss_of(X, Y, params), np.log(4), rtol=1e-14)
    params.W2[0] = [2.0, -2.0]  # now dL_da1 is not 0, whatever P is
    params.b2[:] = np.log([2.0, 6.0]) - [6.0, -6.0]  # and P is as before
    gradient = gradient_of(X, Y, params)
    assert_allclose(gradient.W2, [[-9 / 4, 9 / 4], [0, 0]], rtol=1e-13)
    assert_allclose(gradient.b2, [-3 / 4, 3 / 4], rtol=1e-13)
    assert_allclose(gradient.W1, [[-3, 0], [-6, 0]], rtol=1e-13)
    assert_allclose(gradient.b1, [-3, 0], rtol=1e-13)


def test_inputs_stay_as_they_were():
    X, Y, params = random_problem(8, 4, 20, 3)
    arrays = [X, Y, *params]
    copies = [array.copy() for array in arrays]
    activations = raw_nn.forward(X, params)
    kept = [array.copy() for array in activations]
    raw_nn.backward(X, Y, activations, params)
    raw_nn.softmax(activations.h2)
    raw_nn.nll_loss(activations.log_P, Y)
    raw_nn.accuracy(params, X, Y)
    for array, copy in zip([*arrays, *activations], [*copies, *kept]):
        assert_array_equal(array, copy)


@pytest.mark.parametrize(
    ("name", "batch_size", "hidden"),
    [("iris", 8, 20), ("wine", 8, 5), ("digits", 16, 30)],
)
def test_a_thousand_steps_end_at_the_weights_of_scikit_learn(name, batch_size, hidden):
    X, labels = classes(name)
    Y = np.eye(labels.max() + 1)[labels]
    rng = np.random.default_rng(1)
    params = raw_nn.init_params(rng, X.shape[1], hidden, Y.shape[1])
    theirs = MLPClassifier(
        (hidden,),
        solver="sgd",
        momentum=0,
        alpha=0,
        batch_size=batch_size,
        learning_rate_init=0.003 * batch_size,  # its loss is the mean over the batch
        shuffle=False,
    )
    theirs.partial_fit(X[:batch_size], labels[:batch_size], classes=range(Y.shape[1]))
    weights = [*theirs.coefs_, *theirs.intercepts_]
    for weight, theta in zip(weights, (params.W1, params.W2, params.b1, params.b2)):
        weight[...] = theta
    batches = raw_nn.minibatches(np.random.default_rng(2), len(X), batch_size)
    for _, batch in zip(range(1000), batches):
        theirs.partial_fit(X[batch], labels[batch])

    raw_nn.train(params, X, Y, np.random.default_rng(2), batch_size)
    for weight, theta in zip(weights, (params.W1, params.W2, params.b1, params.b2)):
        assert_allclose(theta, weight, rtol=0, atol=1e-13)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        P = raw_nn.forward(X, params).P
    assert_allclose(P, theirs.predict_proba(X), rtol=0, atol=1e-12)
    assert raw_nn.accuracy(params, X, Y) == theirs.score(X, labels)
