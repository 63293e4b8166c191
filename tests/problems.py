"""Random networks and data sets that several tests start from."""

import numpy as np
from sklearn.datasets import load_digits, load_iris, load_wine
from sklearn.neural_network import MLPClassifier

import raw_nn

SHAPES = [  # n, in, hidden, out
    (8, 4, 20, 3),
    (1, 4, 20, 3),  # one sample
    (6, 3, 1, 4),  # one hidden unit
    (7, 5, 6, 2),  # two classes
    (5, 1, 3, 5),  # one input
    (1, 1, 1, 2),
    (2, 2, 3, 3),
    (3, 3, 3, 3),  # every transpose fits
]


def random_problem(n, n_in, n_hidden, n_out, seed=0):
    """Return X, Y, params, all random, biases too, so that any error shows."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, n_in))
    Y = np.eye(n_out)[rng.integers(n_out, size=n)]
    shapes = ((n_in, n_hidden), (n_hidden,), (n_hidden, n_out), (n_out,))
    return X, Y, raw_nn.Params(*map(rng.standard_normal, shapes))


def gradient_of(X, Y, params):
    return raw_nn.backward(X, Y, raw_nn.forward(X, params), params)


def loss_of(X, Y, params):
    return raw_nn.nll_loss(raw_nn.forward(X, params).log_P, Y)


def classes(name):
    """Return X (standardized but for Iris) and labels; 8 and 16 divide their length."""
    load = {"iris": load_iris, "wine": load_wine, "digits": load_digits}[name]
    X, labels = load(return_X_y=True)
    X = X - X.mean(axis=0)
    if name != "iris":
        X /= X.std(axis=0) + (X.std(axis=0) == 0)
    order = np.random.default_rng(0).permutation(len(X))[: len(X) // 16 * 16]
    return X[order], labels[order]


def mlp_classifier(**settings):
    """Return scikit-learn's network with the hyperparameters that raw_nn has on Iris.

    Its loss is the mean over the batch. 67 epochs of 15 batches are 1,005 steps.
    """
    return MLPClassifier(
        (20,),
        solver="sgd",
        momentum=0,
        alpha=0,
        batch_size=8,
        learning_rate_init=8 * 0.003,
        max_iter=67,
        tol=0,
        n_iter_no_change=1000,
        **settings,
    )
