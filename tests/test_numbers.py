"""The forward pass, loss, first weights and prediction: closed forms and extremes."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from problems import random_problem
from scipy.special import log_softmax as scipy_log_softmax

import raw_nn


@pytest.fixture(autouse=True)
def strict():
    """No test here may overflow, divide by 0 or make a NaN; 0 is a fine e**-1000."""
    with np.errstate(all="raise", under="ignore"):
        yield


def test_relu():
    h = np.array([[-2.0, -0.0, 0.0], [1e-300, 3.0, -1e300]])
    assert_array_equal(raw_nn.relu(h), [[0, 0, 0], [1e-300, 3, 0]])


@pytest.mark.parametrize("scale", [1e-300, 1e-3, 1.0, 30.0, 1e3, 1e10, 1e300])
def test_softmax_agrees_with_scipy_at_any_size_of_the_logits(scale):
    h = scale * np.random.default_rng(0).uniform(-1, 1, size=(50, 7))
    P, log_P = raw_nn.softmax(h)
    wanted = scipy_log_softmax(h, axis=1)
    assert_allclose(log_P, wanted, rtol=1e-13, atol=1e-13)
    assert_allclose(P, np.exp(wanted), rtol=1e-13)
    assert_allclose(P.sum(axis=1), 1, rtol=1e-14)


def test_softmax_does_not_see_a_shift_and_follows_the_order_of_the_classes():
    h = np.random.default_rng(0).standard_normal((6, 4))
    shift, order = np.arange(-3.0, 3.0)[:, np.newaxis] * 100, [2, 0, 3, 1]
    for got, wanted in zip(raw_nn.softmax(h[:, order] + shift), raw_nn.softmax(h)):
        assert_allclose(got, wanted[:, order], rtol=1e-12)


def test_extreme_logits_each_row_for_itself():
    # a maximum over all rows, or a logarithm of P, would overflow or give -inf here
    half = [-np.log(2), -np.log(2)]
    h = [[1e300, -1e300], [1e300, 1e300], [-1e300, -1e300], [0, 800], [-800, 0]]
    P, log_P = raw_nn.softmax(np.array(h, float))
    assert_array_equal(P, [[1, 0], [0.5, 0.5], [0.5, 0.5], [0, 1], [0, 1]])
    wanted = [[0, -2e300], half, half, [-800, 0], [-800, 0]]
    assert_allclose(log_P, wanted, rtol=1e-14)
    for true_class in (0, 1):
        Y = np.eye(2)[[true_class] * 5]
        losses = [raw_nn.nll_loss(*row) for row in zip(log_P, Y)]
        assert_allclose(losses, -np.array(wanted)[:, true_class], rtol=1e-14)


def test_loss_is_the_sum_of_the_true_log_probabilities():
    log_P = np.log([[0.5, 0.25, 0.25], [0.1, 0.2, 0.7]])
    Y = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    loss = raw_nn.nll_loss(log_P, Y)
    assert np.ndim(loss) == 0
    assert_allclose(loss, np.log(4 / 0.7), rtol=1e-14)


def test_forward_keeps_each_step_on_the_way():
    # h1 = (3, -1), a1 = (3, 0), h2 = (ln 2, ln 6), P = (1/4, 3/4)
    params = raw_nn.Params(
        np.array([[1.0, 0.0], [0.5, -1.0]]),
        np.array([1.0, 1.0]),
        np.array([[1.0, -1.0], [5.0, -4.0]]),
        np.log([2.0, 6.0]) - [3.0, -3.0],
    )
    activations = raw_nn.forward(np.array([[1.0, 2.0]]), params)
    assert_array_equal(activations.h1, [[3, -1]])
    assert_array_equal(activations.a1, [[3, 0]])
    assert_allclose(activations.h2, np.log([[2, 6]]), rtol=1e-14)
    assert_allclose(activations.P, [[1 / 4, 3 / 4]], rtol=1e-14)
    assert_allclose(activations.log_P, np.log([[1 / 4, 3 / 4]]), rtol=1e-14)


def test_forward_and_predict_take_one_sample_without_its_row_and_lists():
    X, _, params = random_problem(5, 4, 6, 3)
    whole, classes = raw_nn.forward(X, params), raw_nn.predict(X, params)
    assert classes.shape == (5,)
    assert classes.dtype.kind == "i"
    for got, wanted in zip(raw_nn.forward(X.tolist(), params), whole):
        assert_array_equal(got, wanted)
    assert_array_equal(raw_nn.predict(X.tolist(), params), classes)
    for i, x in enumerate(X):
        for sample in (x, x.tolist()):
            for got, wanted in zip(raw_nn.forward(sample, params), whole):
                assert_allclose(got, wanted[i], rtol=0, atol=1e-13)
                assert got.shape == wanted[i].shape
            assert np.ndim(raw_nn.predict(sample, params)) == 0
            assert raw_nn.predict(sample, params) == classes[i]


def test_predict_takes_the_first_of_classes_that_tie():
    params = raw_nn.Params(
        np.zeros((1, 2)), np.ones(2), np.zeros((2, 4)), np.array([0.0, 1, 1, 0])
    )
    assert_array_equal(raw_nn.predict(np.ones((3, 1)), params), [1, 1, 1])


def test_accuracy_is_the_share_of_hits():
    eye = raw_nn.Params(np.eye(3), np.zeros(3), np.eye(3), np.zeros(3))
    X = np.eye(3)[[0, 1, 2, 2, 1]]  # this network predicts the column that holds the 1
    assert raw_nn.accuracy(X, np.eye(3)[[0, 1, 2, 2, 1]], eye) == 1
    assert raw_nn.accuracy(X, np.eye(3)[[0, 1, 2, 0, 0]], eye) == 0.6
    assert raw_nn.accuracy(X, np.eye(3)[[1, 2, 0, 0, 0]], eye) == 0


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
    assert_array_equal(b1, np.zeros(20))
    assert_array_equal(b2, np.zeros(3))
    assert rng.random() == same.random()
