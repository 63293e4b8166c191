"""Mini-batches and SGD: each step is the formula, and learning comes of it."""

import warnings
from itertools import islice

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from problems import classes, gradient_of, loss_of, random_problem

import raw_nn


def generator(seed=0):
    return np.random.default_rng(seed)


def test_each_epoch_visits_each_sample_once_in_a_new_order():
    batches = list(islice(raw_nn.minibatches(generator(), 10, 4), 9))
    assert [len(batch) for batch in batches] == [4, 4, 2] * 3
    epochs = [np.concatenate(batches[i : i + 3]) for i in (0, 3, 6)]
    for epoch in epochs:
        assert_array_equal(np.sort(epoch), np.arange(10))
    assert not np.array_equal(epochs[0], epochs[1])
    assert not np.array_equal(epochs[1], epochs[2])


@pytest.mark.parametrize(("n", "batch_size"), [(10, 5), (10, 10), (1, 1), (3, 1)])
def test_minibatches_cut_up_the_permutations_of_the_generator(n, batch_size):
    rng = generator()
    wanted = np.concatenate([rng.permutation(n) for _ in range(3)])
    batches = islice(
        raw_nn.minibatches(generator(), n, batch_size), 3 * n // batch_size
    )
    assert_array_equal(np.concatenate(list(batches)), wanted)


@pytest.mark.parametrize(("n", "batch_size"), [(10, 4), (12, 4), (3, 3), (1, 1)])
def test_training_is_the_update_formula_batch_after_batch(n, batch_size):
    X, Y, params = random_problem(n, 4, 6, 3)
    reference = [theta.copy() for theta in params]
    wanted = []
    for batch in islice(raw_nn.minibatches(generator(), n, batch_size), 20):
        at = X[batch], Y[batch], raw_nn.Params(*reference)
        wanted.append(loss_of(*at) / len(batch))
        reference = [
            theta - 0.1 * slope for theta, slope in zip(reference, gradient_of(*at))
        ]
    arrays = list(params)
    losses = raw_nn.train(params, X, Y, generator(), batch_size, 0.1, 20)
    assert all(theta is array for theta, array in zip(params, arrays))
    assert losses.shape == (20,)
    assert_allclose(losses, wanted, rtol=1e-13)
    for theta, by_hand in zip(params, reference):
        assert_allclose(theta, by_hand, rtol=0, atol=1e-13)


def test_one_step_worked_by_hand():
    # One hidden unit, open: h1 = a1 = 2, logits (0, 0), P = (1/2, 1/2), class 0 true.
    params = raw_nn.Params(
        np.array([[2.0]]), np.zeros(1), np.array([[1.0, 1.0]]), np.array([0.0, 0.0])
    )
    X, Y = np.array([[1.0]]), np.array([[1.0, 0.0]])
    losses = raw_nn.train(params, X, Y, generator(), 1, 0.5, 1)
    assert_allclose(losses, np.log(2), rtol=1e-15)
    assert_allclose(params.W2, [[1.5, 0.5]], rtol=1e-15)  # 1 - 0.5 * 2 * (-1/2, 1/2)
    assert_allclose(params.b2, [0.25, -0.25], rtol=1e-15)
    assert_array_equal(params.W1, [[2.0]])  # both outputs pull alike, one up, one down
    assert_array_equal(params.b1, [0.0])


def test_nothing_but_the_permutations_is_drawn():
    X, Y, params = random_problem(10, 4, 6, 3)
    used, reference = generator(), generator()
    raw_nn.train(params, X, Y, used, 4, 0.1, 6)  # two epochs of three batches
    reference.permutation(10)
    reference.permutation(10)
    assert used.random() == reference.random()


def test_the_defaults_are_those_of_the_post():
    X, Y, _, _ = raw_nn.load_iris_split()
    params, same = (raw_nn.init_params(generator(), 4, 20, 3) for _ in range(2))
    losses = raw_nn.train(params, X, Y, generator())
    again = raw_nn.train(
        same, X, Y, generator(), batch_size=8, learning_rate=0.003, steps=1000
    )
    assert_array_equal(losses, again)
    for theta, twin in zip(params, same):
        assert_array_equal(theta, twin)


def test_the_seed_decides_the_losses_bit_for_bit():
    X, Y, _, _ = raw_nn.load_iris_split()
    runs = [
        raw_nn.train(
            raw_nn.init_params(generator(seed), 4, 20, 3), X, Y, generator(seed)
        )
        for seed in (0, 0, 1)
    ]
    assert_array_equal(runs[0], runs[1])
    assert not np.array_equal(runs[0], runs[2])


def test_data_stay_as_they_were():
    X, Y, params = random_problem(10, 4, 6, 3)
    copies = X.copy(), Y.copy()
    raw_nn.train(params, X, Y, generator(), 4, 0.1, 10)
    assert_array_equal(X, copies[0])
    assert_array_equal(Y, copies[1])


@pytest.mark.parametrize(
    ("steps", "reported"),
    [
        (1, [1]),
        (3, [1, 2, 3]),
        (10, list(range(1, 11))),
        (12, [2, 3, 4, 5, 6, 8, 9, 10, 11, 12]),
        (1000, list(range(100, 1001, 100))),
    ],
)
def test_progress_is_reported_by_tenths(steps, reported):
    X, Y, params = random_problem(10, 4, 6, 3)
    calls = []
    losses = raw_nn.train(
        params, X, Y, generator(), 4, 0.01, steps, lambda *call: calls.append(call)
    )
    assert [step for step, _ in calls] == reported
    starts = [0, *reported]
    for (step, loss), start in zip(calls, starts):
        assert_allclose(loss, losses[start:step].mean(), rtol=1e-14)


def test_progress_is_reported_while_it_trains():
    X, Y, params = random_problem(10, 4, 6, 3)
    seen = []
    raw_nn.train(
        params, X, Y, generator(), 4, 0.01, 10, lambda *_: seen.append(params.b2.copy())
    )
    assert len({tuple(b2) for b2 in seen}) == 10


def test_one_training_sample_is_learned():
    X, Y, params = random_problem(1, 4, 6, 3)
    losses = raw_nn.train(params, X, Y, generator(), 1, 0.1, 500)
    assert losses[-1] < 0.01 < losses[0]


def test_constant_features_teach_the_shares_of_the_classes():
    Y = np.eye(3)[[0, 0, 0, 0, 0, 1, 1, 1, 2, 2]]
    X = np.zeros((10, 4))
    params = raw_nn.init_params(generator(), 4, 6, 3)
    W1 = params.W1.copy()
    raw_nn.train(params, X, Y, generator(), 10, 0.1, 500)
    assert_array_equal(params.W1, W1)
    assert_allclose(raw_nn.forward(X, params).P[0], [0.5, 0.3, 0.2], atol=1e-9)


def test_a_tiny_learning_rate_changes_nothing():
    X, Y, params = random_problem(8, 4, 6, 3)
    copies = [theta.copy() for theta in params]
    losses = raw_nn.train(params, X, Y, generator(), 8, 1e-300, 5)
    assert_allclose(losses, losses[0], rtol=1e-14)
    for theta, copy in zip(params, copies):
        assert_array_equal(theta, copy)


def divergence(step):
    return (
        f"^loss or parameters are no longer finite at step {step}: "
        "lower the learning rate$"
    )


@pytest.mark.parametrize("mode", ["warn", "raise"])
@pytest.mark.parametrize("learning_rate", [10.0, 1e100, 1e300])
def test_too_high_a_learning_rate_ends_with_one_error(learning_rate, mode):
    X, Y, _, _ = raw_nn.load_iris_split()
    params = raw_nn.init_params(generator(), 4, 20, 3)
    with warnings.catch_warnings(), np.errstate(all=mode):
        warnings.simplefilter("error")
        with pytest.raises(FloatingPointError, match=divergence(r"\d+")):
            raw_nn.train(params, X, Y, generator(), learning_rate=learning_rate)


def test_the_step_that_is_named_is_the_first_with_a_loss_that_is_not_finite():
    X, Y, params = random_problem(4, 3, 5, 2)
    params.W1[...] = 1e200
    params.W2[...] = [1e200, -1e200]  # the logits overflow in the very first step
    with pytest.raises(FloatingPointError, match=divergence(1)):
        raw_nn.train(params, np.abs(X), Y, generator(), 4, 0.1, 5)
    X, Y, params = random_problem(4, 3, 5, 2)
    with pytest.raises(FloatingPointError, match=divergence(2)):
        raw_nn.train(params, X, Y, generator(), 4, 1e300, 5)


def test_an_overflow_in_the_last_update_is_found_too():
    X, Y, params = random_problem(4, 3, 5, 2)
    with pytest.raises(FloatingPointError, match=divergence(1)):
        raw_nn.train(params, 10 * X, Y, generator(), 4, 1e308, 1)
    X, Y, params = random_problem(4, 3, 5, 2)
    X[:, 0] *= 1e20  # only the weights of this input overflow
    with pytest.raises(FloatingPointError, match=divergence(1)):
        raw_nn.train(params, X, Y, generator(), 4, 1e300, 1)


FINITE = "X and params must be finite, each row of Y must sum to 1"


@pytest.mark.parametrize(
    ("argument", "value", "message"),
    [
        ("batch_size", 0, "batch size must be a positive whole number, not 0"),
        ("batch_size", -1, "batch size must be a positive whole number, not -1"),
        ("batch_size", 2.0, "batch size must be a positive whole number, not 2.0"),
        ("batch_size", 11, "batch size 11 exceeds the 10 samples"),
        ("steps", 0, "steps must be a positive whole number, not 0"),
        ("steps", -3, "steps must be a positive whole number, not -3"),
        ("steps", 1.5, "steps must be a positive whole number, not 1.5"),
        ("steps", "9", "steps must be a positive whole number, not 9"),
        ("learning_rate", 0, "learning rate must be finite and > 0, not 0"),
        ("learning_rate", -0.1, "learning rate must be finite and > 0, not -0.1"),
        ("learning_rate", np.nan, "learning rate must be finite and > 0, not nan"),
        ("learning_rate", np.inf, "learning rate must be finite and > 0, not inf"),
        ("X", np.zeros((10, 3)), r"X, Y must be \(10, 4\), \(10, 3\), not \(10, 3\),"),
        ("X", np.zeros(10), r"X, Y must be \(10, 4\), .*, not \(10,\), \(10, 3\)"),
        ("Y", np.zeros(10), r"X, Y must be .*, not \(10, 4\), \(10,\)"),
        ("Y", np.eye(2)[[0] * 10], r"X, Y must be .*, not \(10, 4\), \(10, 2\)"),
        ("Y", np.eye(3)[[0] * 9], r"X, Y must be .*, not \(10, 4\), \(9, 3\)"),
        ("X", np.full((10, 4), np.nan), FINITE),
        ("X", np.full((10, 4), np.inf), FINITE),
        ("Y", np.zeros((10, 3)), FINITE),
        ("Y", np.full((10, 3), np.nan), FINITE),
        ("X", np.diag([np.nan, 1, 1, 1])[[0, 1, 2, 3] + [1] * 6], FINITE),
        ("Y", np.ones((10, 3)) - np.eye(3)[[0] * 10], FINITE),
    ],
)
def test_refuses_what_it_cannot_use(argument, value, message):
    X, Y, params = random_problem(10, 4, 6, 3)
    copies = [theta.copy() for theta in params]
    arguments = {"X": X, "Y": Y, "rng": generator(), "batch_size": 10, "steps": 1}
    raw_nn.check_training(params, X, Y, 10, 0.1, 1)  # the rest of them is all right
    with pytest.raises(ValueError, match=f"^{message}"):
        raw_nn.train(params, **{**arguments, argument: value})
    for theta, copy in zip(params, copies):
        assert_array_equal(theta, copy)


@pytest.mark.parametrize("name", raw_nn.Params._fields)
def test_refuses_parameters_that_are_not_finite(name):
    X, Y, params = random_problem(10, 4, 6, 3)
    getattr(params, name).flat[-1] = np.inf
    with pytest.raises(ValueError, match=f"^{FINITE}$"):
        raw_nn.train(params, X, Y, generator(), 5, 0.1, 1)


def test_accuracy_is_the_share_of_hits():
    eye = raw_nn.Params(np.eye(3), np.zeros(3), np.eye(3), np.zeros(3))
    X = np.eye(3)[[0, 1, 2, 2, 1]]  # this network predicts the column that holds the 1
    assert raw_nn.accuracy(eye, X, np.eye(3)[[0, 1, 2, 2, 1]]) == 1
    assert raw_nn.accuracy(eye, X, np.eye(3)[[0, 1, 2, 0, 0]]) == 0.6
    assert raw_nn.accuracy(eye, X, np.eye(3)[[1, 2, 0, 0, 0]]) == 0


def test_the_loss_starts_near_chance_and_falls():
    first, last = [], []
    for seed in range(20):
        X, Y, _, _ = raw_nn.load_iris_split(seed)
        rng = generator(seed)
        params = raw_nn.init_params(rng, 4, 20, 3)
        first.append(loss_of(X, Y, params) / 120)
        raw_nn.train(params, X, Y, rng)
        last.append(loss_of(X, Y, params) / 120)
    assert abs(np.mean(first) - np.log(3)) < 0.25
    assert max(last) < min(0.2, min(first))


def test_mean_test_accuracy_over_many_splits():
    scores = []
    for seed in range(100):
        X_train, Y_train, X_test, Y_test = raw_nn.load_iris_split(seed)
        rng = generator(seed)
        params = raw_nn.init_params(rng, 4, 20, 3)
        raw_nn.train(params, X_train, Y_train, rng)
        scores.append(raw_nn.accuracy(params, X_test, Y_test))
    # the README's mean, less three standard errors of a mean of 100
    assert np.mean(scores) > 0.9644 - 3 * np.std(scores) / 10


@pytest.mark.parametrize("name", ["wine", "digits"])
def test_other_data_sets_are_learned_as_well(name):
    X, labels = classes(name)
    Y = np.eye(labels.max() + 1)[labels]
    half = len(X) // 2
    params = raw_nn.init_params(generator(), X.shape[1], 30, Y.shape[1])
    raw_nn.train(params, X[:half], Y[:half], generator())
    assert raw_nn.accuracy(params, X[half:], Y[half:]) > 0.9
