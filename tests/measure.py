"""Measure the table of results and the speed: by hand, before a release.

python tests/measure.py results    1,000 seeds a row, to wrong_flowers.txt; minutes
python tests/measure.py speed      ratios, measured side by side in one run; a minute
"""

import os
import subprocess
import sys
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT)]

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier

import raw_nn

FILE = Path(__file__).parent / "wrong_flowers.txt"
ROWS = {  # what is measured, and what the page calls it
    "raw_nn": "**`raw_nn.py`**",
    "MLPClassifier": "`MLPClassifier`, same network",
    "LogisticRegression": "`LogisticRegression`",
}
SEEDS = range(1000)


# ---- Results ----


def mlp_classifier(**settings):
    """Return scikit-learn's network with our settings; its rate is for the mean loss."""
    settings |= {"solver": "sgd", "momentum": 0, "alpha": 0, "batch_size": 8}
    return MLPClassifier((20,), learning_rate_init=8 * 0.003, **settings)


def wrong_flowers(name, seed):
    """Return how many of the 30 test flowers a method gets wrong on a split."""
    X, X_test, Y, Y_test, _ = raw_nn.load_iris_split(seed)
    if name == "raw_nn":
        rng = np.random.default_rng(seed)
        params = raw_nn.init_params(rng, 4, 20, 3)
        raw_nn.train(params, X, Y, rng)
        predicted = raw_nn.predict(X_test, params)
    else:
        classifier = mlp_classifier(max_iter=67, tol=0, random_state=seed)
        if name == "LogisticRegression":
            classifier = LogisticRegression(max_iter=1000)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # 67 epochs, it says, do not suffice
            predicted = classifier.fit(X, Y.argmax(axis=1)).predict(X_test)
    return int((predicted != Y_test.argmax(axis=1)).sum())


def measured():
    """Return {name: the number of wrong flowers for each seed}, from the file."""
    lines = FILE.read_text().splitlines()
    return {name: list(map(int, text)) for name, text in map(str.split, lines)}


def measure_results():
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # for the processes: the arrays are small
    with ProcessPoolExecutor() as pool, FILE.open("w") as file:
        for name in ROWS:
            counts = pool.map(partial(wrong_flowers, name), SEEDS, chunksize=20)
            print(name, "".join(map(str, counts)), file=file, flush=True)


def table():
    """Yield the rows of the page's table: mean and standard error in percent."""
    for name, counts in measured().items():
        right = 100 - np.array(counts) / 0.3
        error = right.std(ddof=1) / np.sqrt(len(right))
        yield ROWS[name], f"{right.mean():.1f} ± {error:.1f}"


# ---- Speed ----


def race(rounds, ours, theirs):
    """Run both by turns; return the ratio of their least seconds."""
    seconds = {ours: [], theirs: []}
    for i in range(rounds + 1):  # the first round is not counted
        for run in seconds:
            start = time.perf_counter()
            run()
            seconds[run] += [time.perf_counter() - start] if i else []
    return min(seconds[ours]) / min(seconds[theirs])


def command(*call):
    with TemporaryDirectory() as folder:
        call = [sys.executable, *call]
        subprocess.run(call, cwd=folder, check=True, stdout=subprocess.DEVNULL)


def measure_speed():
    warnings.simplefilter("ignore")  # MLPClassifier warns that it has not converged
    rng, (X, _, Y, *_) = np.random.default_rng, raw_nn.load_iris_split()
    mlp = mlp_classifier(max_iter=67, tol=0, n_iter_no_change=1000)

    def iris():
        raw_nn.train(raw_nn.init_params(rng(0), 4, 20, 3), X, Y, rng(0), steps=1005)

    ratio = race(20, iris, lambda: mlp.fit(X, Y.argmax(axis=1)))
    print(f"Iris, 67 epochs: train / MLPClassifier.fit {ratio:.2f}")
    modules = ("matplotlib.figure", "sklearn.datasets", "sklearn.model_selection")
    imports = "import numpy, " + ", ".join(modules)
    ratio = race(7, lambda: command(ROOT / "raw_nn.py"), lambda: command("-c", imports))
    print(f"command / its imports {ratio:.2f}")


if __name__ == "__main__":
    {"results": measure_results, "speed": measure_speed}[sys.argv[1]]()
