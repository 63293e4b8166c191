"""ReLU, softmax, loss and first weights: closed forms, properties and extremes."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from problems import SHAPES, loss_of, random_problem
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
    assert raw_nn.relu(np.float64(-1.5)) == 0
    assert raw_nn.relu(np.zeros((2, 3, 4))).shape == (2, 3, 4)


def test_softmax_of_known_odds():
    h = np.log([[1.0, 2.0, 5.0], [6.0, 1.0, 1.0]])
    wanted = [[1 / 8, 2 / 8, 5 / 8], [6 / 8, 1 / 8, 1 / 8]]
    assert_allclose(raw_nn.softmax(h), wanted, rtol=1e-14)


@pytest.mark.parametrize("scale", [1e-300, 1e-3, 1.0, 30.0, 1e3, 1e10, 1e300])
def test_softmax_is_a_distribution_and_agrees_with_scipy(scale):
    h = scale * np.random.default_rng(0).uniform(-1, 1, size=(50, 7))
    P, log_P = raw_nn.softmax(h), raw_nn.log_softmax(h)
    assert np.all(P >= 0)
    assert_allclose(P.sum(axis=1), 1, rtol=0, atol=1e-14)
    assert_allclose(log_P, scipy_log_softmax(h, axis=1), rtol=1e-13, atol=1e-13)
    assert_array_equal(P, np.exp(log_P))


def test_softmax_is_invariant_under_a_shift_of_a_row():
    h = np.random.default_rng(0).standard_normal((6, 4))
    shift = np.arange(-3.0, 3.0)[:, np.newaxis] * 100
    assert_allclose(raw_nn.softmax(h + shift), raw_nn.softmax(h), rtol=1e-12)


def test_softmax_follows_a_permutation_of_the_classes():
    h = np.random.default_rng(0).standard_normal((6, 4))
    order = [2, 0, 3, 1]
    assert_allclose(
        raw_nn.softmax(h[:, order]), raw_nn.softmax(h)[:, order], rtol=1e-14
    )


def test_softmax_takes_each_row_for_itself():
    h = np.array([[0.0, 1.0, 2.0], [1e300, -1e300, 0.0], [-700.0, -701.0, -702.0]])
    alone = np.vstack([raw_nn.softmax(row[np.newaxis]) for row in h])
    assert_array_equal(raw_nn.softmax(h), alone)


@pytest.mark.parametrize(
    ("h", "P", "log_P"),
    [
        ([1e300, -1e300], [1, 0], [0, -2e300]),
        ([1e300, 1e300], [0.5, 0.5], [-np.log(2), -np.log(2)]),
        ([-1e300, -1e300], [0.5, 0.5], [-np.log(2), -np.log(2)]),
        ([0.0, 800.0], [0, 1], [-800, 0]),
        ([-800.0, 0.0], [0, 1], [-800, 0]),
        ([710.0, 710.0], [0.5, 0.5], [-np.log(2), -np.log(2)]),
    ],
)
def test_extreme_logits(h, P, log_P):
    h = np.array([h])
    assert_allclose(raw_nn.softmax(h), [P], rtol=1e-14, atol=0)
    assert_allclose(raw_nn.log_softmax(h), [log_P], rtol=1e-14, atol=0)
    for true_class in (0, 1):
        loss = raw_nn.nll_loss(raw_nn.log_softmax(h), np.eye(2)[[true_class]])
        assert_allclose(loss, -log_P[true_class], rtol=1e-14, atol=0)


def test_the_whole_forward_pass_bears_extreme_logits():
    params = raw_nn.Params(
        np.ones((1, 1)), np.zeros(1), np.array([[1e300, -1e300]]), np.zeros(2)
    )
    activations = raw_nn.forward(np.array([[1.0]]), params)
    assert_array_equal(activations.P, [[1, 0]])
    assert raw_nn.nll_loss(activations.log_P, np.array([[0.0, 1.0]])) == 2e300


@pytest.mark.parametrize("n_classes", [2, 3, 10])
@pytest.mark.parametrize("n", [1, 4])
def test_uniform_logits_cost_ln_k_per_sample(n_classes, n):
    Y = np.eye(n_classes)[np.arange(n) % n_classes]
    loss = raw_nn.nll_loss(raw_nn.log_softmax(np.full((n, n_classes), 7.0)), Y)
    assert np.ndim(loss) == 0
    assert_allclose(loss, n * np.log(n_classes), rtol=1e-14)


def test_loss_adds_up_the_true_log_probabilities():
    log_P = np.log([[0.5, 0.25, 0.25], [0.1, 0.2, 0.7]])
    Y = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    assert_allclose(raw_nn.nll_loss(log_P, Y), np.log(4 / 0.7), rtol=1e-14)


@pytest.mark.parametrize("shape", SHAPES)
def test_forward_has_the_shapes_that_it_promises(shape):
    n, _, n_hidden, n_out = shape
    X, Y, params = random_problem(*shape)
    activations = raw_nn.forward(X, params)
    assert activations.h1.shape == activations.a1.shape == (n, n_hidden)
    assert activations.h2.shape == activations.log_P.shape == (n, n_out)
    assert_array_equal(activations.a1, np.where(activations.h1 > 0, activations.h1, 0))
    assert loss_of(X, Y, params) > 0


def test_xavier_fills_its_interval_evenly():
    n_in, n_out = 300, 500
    W = raw_nn.xavier_uniform(np.random.default_rng(0), n_in, n_out)
    bound = np.sqrt(6) / np.sqrt(800)
    assert W.shape == (n_in, n_out)
    assert np.abs(W).max() < bound
    # of 150,000 draws the extremes lie within 1e-4 of the ends but for e**-7 of cases;
    # mean and variance are held to four standard errors
    assert_allclose([W.min(), W.max()], [-bound, bound], rtol=1e-4)
    assert abs(W.mean()) < 4 * bound / np.sqrt(3 * W.size)
    assert_allclose(W.var(), 2 / (n_in + n_out), rtol=4 * np.sqrt(0.8 / W.size))
    counts, _ = np.histogram(W, bins=10, range=(-bound, bound))
    assert_allclose(counts / W.size, 0.1, rtol=0, atol=4 * np.sqrt(0.09 / W.size))


def test_xavier_keeps_the_variance_through_a_square_layer():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((2000, 400))
    W = raw_nn.xavier_uniform(rng, 400, 400)
    assert_allclose((X @ W).var(), 1, rtol=0.02)
    assert_allclose((X @ W.T).var(), 1, rtol=0.02)


def test_init_params():
    params = raw_nn.init_params(np.random.default_rng(0), 4, 20, 3)
    assert [theta.shape for theta in params] == [(4, 20), (20,), (20, 3), (3,)]
    assert_array_equal(params.b1, 0)
    assert_array_equal(params.b2, 0)
    rng = np.random.default_rng(0)  # W1 is drawn before W2, and nothing else is drawn
    assert_array_equal(params.W1, raw_nn.xavier_uniform(rng, 4, 20))
    assert_array_equal(params.W2, raw_nn.xavier_uniform(rng, 20, 3))


@pytest.mark.parametrize("position", range(3))
@pytest.mark.parametrize("size", [0, -1, 2.5, float("nan"), "3"])
def test_init_params_refuses_what_is_no_size(position, size):
    sizes = [1, 1, 1]
    raw_nn.init_params(np.random.default_rng(0), *sizes)
    sizes[position] = size
    name = ("number of inputs", "number of hidden units", "number of classes")[position]
    message = f"^{name} must be a positive whole number, not {size}$"
    with pytest.raises(ValueError, match=message):
        raw_nn.init_params(np.random.default_rng(0), *sizes)


def test_numpy_integers_are_sizes():
    sizes = np.array([4, 20, 3])
    assert raw_nn.init_params(np.random.default_rng(0), *sizes).W1.shape == (4, 20)
