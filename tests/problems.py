"""Networks, data sets and edited copies of the script that several tests start from."""

import types

import numpy as np
from conftest import ROOT
from sklearn.datasets import load_digits, load_iris, load_wine

import raw_nn


def random_problem(n, n_in, n_hidden, n_out, seed=0):
    """Return X, Y, params, all random, biases too, so that any error shows."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, n_in))
    Y = np.eye(n_out)[rng.integers(n_out, size=n)]
    shapes = ((n_in, n_hidden), (n_hidden,), (n_hidden, n_out), (n_out,))
    return X, Y, raw_nn.Params(*map(rng.standard_normal, shapes))


def data_set(name):
    """Return X, standardized but for Iris, and labels, both shuffled; 16 | len(X)."""
    load = {"iris": load_iris, "wine": load_wine, "digits": load_digits}[name]
    X, labels = load(return_X_y=True)
    X = X - X.mean(axis=0)
    if name != "iris":
        X /= X.std(axis=0) + (X.std(axis=0) == 0)
    order = np.random.default_rng(0).permutation(len(X))[: len(X) // 16 * 16]
    return X[order], labels[order]


def edited_script(*edits):
    """Return a module of its own: raw_nn.py with each (old, new) text replaced."""
    source = (ROOT / "raw_nn.py").read_text(encoding="utf-8")
    for old, new in edits:
        assert source.count(old) == 1, f"{old!r} is to stand in raw_nn.py once"
        source = source.replace(old, new)
    module = types.ModuleType("edited_raw_nn")
    exec(compile(source, "edited raw_nn.py", "exec"), module.__dict__)  # noqa: S102
    return module
