"""Measure the results of the page over many seeds, into results.txt; some minutes.

.venv/bin/python tests/programs/measure.py

Each row has a digit for each seed: how many of 30 test flowers are wrong; for overfits,
whether the test loss rises.
"""

import os
import tempfile
import warnings
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import numpy as np
from make_page import RESULTS
from problems import DEFAULTS
from readme import PAGE, networks
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier

import raw_nn

SEEDS = dict.fromkeys(("D", "MLPClassifier", "LogisticRegression"), range(1000))
SEEDS |= {**dict.fromkeys("ABCE", range(2, 302)), "overfits": range(2, 102)}
NAMES = ["hidden", "batch_size", "learning_rate", "steps"]
SETTINGS = "settings " + " ".join(f"{name}={DEFAULTS[name]}" for name in NAMES)


def trained(script, seed, **settings):
    """Return how many test flowers a network gets wrong on a split, and its test loss."""
    X, X_test, Y, Y_test, _ = script.load_iris_split(seed)
    rng = np.random.default_rng(seed)
    params = script.init_params(rng, 4, DEFAULTS["hidden"], 3)
    script.train(X, Y, params, rng, **settings)
    wrong = (script.predict(X_test, params) != Y_test.argmax(axis=1)).sum()
    return wrong, script.nll_loss(script.forward(X_test, params).log_P, Y_test)


def measure(name, seed):
    """Return what is kept of a seed."""
    if name == "overfits":
        run = partial(trained, raw_nn, seed, batch_size=24, learning_rate=0.01)
        return f"{run(steps=5000)[1] > run(steps=1000)[1]:d}"
    if name in networks(PAGE):
        return f"{trained(networks(PAGE)[name][0], seed)[0]}"
    X, X_test, Y, Y_test, _ = raw_nn.load_iris_split(seed)
    hidden, size, rate, steps = [DEFAULTS[name] for name in NAMES]
    given = {"solver": "sgd", "momentum": 0, "alpha": 0, "batch_size": size, "tol": 0}
    given |= {"learning_rate_init": size * rate, "max_iter": 67, "random_state": seed}
    mlp = MLPClassifier((hidden,), **given)  # its rate is for the mean loss
    chosen = mlp if name == "MLPClassifier" else LogisticRegression(max_iter=steps)
    warnings.simplefilter("ignore")  # 67 epochs, it says, do not suffice
    predicted = chosen.fit(X, Y.argmax(axis=1)).predict(X_test)
    return f"{(predicted != Y_test.argmax(axis=1)).sum()}"


if __name__ == "__main__":
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # for the processes: the arrays are small
    os.chdir(tempfile.mkdtemp())
    rows = [SETTINGS]
    with ProcessPoolExecutor() as pool:
        for name, seeds in SEEDS.items():
            kept = pool.map(partial(measure, name), seeds, chunksize=20)
            rows.append(f"{name} {''.join(kept)}")
            print(f"measured: {name}", flush=True)
    RESULTS.write_text("\n".join(rows) + "\n")
    print(f"written: {RESULTS}; now run make_page.py")
