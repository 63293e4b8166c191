"""Measure the table of results and the speed: by hand, before a release.

python tests/measure.py results    1,000 seeds a row, to results.txt; minutes
python tests/measure.py speed      ratios, measured side by side in one run; a minute
"""

import os
import re
import subprocess
import sys
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT)]

import numpy as np
from networks import DEFAULTS
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier

import raw_nn

FILE = Path(__file__).parent / "results.txt"
ROWS = {  # what is measured with 1,000 seeds, and what the page calls it
    "raw_nn": "**`raw_nn.py`**",
    "MLPClassifier": "`MLPClassifier`, random biases",
    "LogisticRegression": "`LogisticRegression`",
}
SEEDS = {name: range(1000) for name in ROWS}
SEEDS |= {"overfits": range(2, 102), **dict.fromkeys("ABCE", range(2, 302))}
SETTINGS = " ".join(
    f"{k}={v}" for k, v in DEFAULTS.items() if k not in ("seed", "plot")
)


def mlp_classifier(**settings):
    """Return scikit-learn's network with our settings; its rate is for the mean loss."""
    size, rate = DEFAULTS["batch_size"], DEFAULTS["learning_rate"]
    settings |= {"solver": "sgd", "momentum": 0, "alpha": 0, "batch_size": size}
    hidden = (DEFAULTS["hidden"],)
    return MLPClassifier(hidden, learning_rate_init=size * rate, **settings)


@cache
def trained(script, seed, hidden=DEFAULTS["hidden"], **settings):
    """Return how many test flowers a script gets wrong on a split, and its test loss."""
    X, X_test, Y, Y_test, _ = script.load_iris_split(seed)
    rng = np.random.default_rng(seed)
    params = script.init_params(rng, 4, hidden, 3)
    script.train(params, X, Y, rng, **settings)
    wrong = (script.predict(X_test, params) != Y_test.argmax(axis=1)).sum()
    log_P = script.forward(X_test, params)[-1]
    return wrong, script.nll_loss(log_P, Y_test) / len(X_test)


def fitted(classifier, seed):
    """Return how many test flowers a classifier gets wrong on a split."""
    X, X_test, Y, Y_test, _ = raw_nn.load_iris_split(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # 67 epochs, it says, do not suffice
        predicted = classifier.fit(X, Y.argmax(axis=1)).predict(X_test)
    return (predicted != Y_test.argmax(axis=1)).sum()


def overfits(seed):
    """Return whether the test loss rises in the run of part 12."""
    losses = partial(trained, raw_nn, seed, 20, batch_size=24, learning_rate=0.01)
    return losses(steps=5000)[1] > losses(steps=1000)[1]


def measure(name, seed):
    """Return what is kept of a seed, as digits."""
    if name == "overfits":
        return f"{overfits(seed):d}"
    if name == "MLPClassifier":
        return f"{fitted(mlp_classifier(max_iter=67, tol=0, random_state=seed), seed)}"
    if name == "LogisticRegression":
        return f"{fitted(LogisticRegression(max_iter=1000), seed)}"
    wrong, loss = trained(raw_nn, seed)
    if name == "raw_nn":
        return f"{wrong}"
    from make_page import README, networks  # which imports this module

    script, _ = networks(README.read_text(encoding="utf-8"))[name]
    wrong, wrong_loss = trained(script, seed)
    return f"{wrong}{wrong_loss < loss:d}"


def spiral(letter):
    """Return the training accuracy in % of a wrong network on the spiral of the page."""
    import make_page

    page = make_page.README.read_text(encoding="utf-8")
    (block,) = (b for _, b in make_page.FENCE.findall(page) if "arm = " in b)
    printed = make_page.Console(make_page.networks(page)[letter][0]).paste(block)
    return re.search(r"accuracy: (\d+)", printed)[1]


def measured():
    """Return {name: digits of each seed}, and under "settings" those of the runs."""
    lines = FILE.read_text().splitlines()
    return dict(line.split(" ", 1) for line in lines)


def digits(name):
    """Return an array of what was measured, with a row for each seed."""
    row = np.array(list(map(int, measured()[name])))
    return row.reshape(len(SEEDS[name]), -1)


def measure_results():
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # for the processes: the arrays are small
    with ProcessPoolExecutor() as pool:
        rows = {"settings": SETTINGS}
        for name, seeds in SEEDS.items():
            rows[name] = "".join(pool.map(partial(measure, name), seeds, chunksize=20))
            print(name, flush=True)
    rows["spiral"] = " ".join(map(spiral, "ABCE"))
    FILE.write_text("".join(f"{name} {row}\n" for name, row in rows.items()))


def table():
    """Yield the rows of the page's table: mean and standard error in percent."""
    for name, shown in ROWS.items():
        right = 100 - digits(name) / 0.3
        error = right.std(ddof=1) / np.sqrt(len(right))
        yield shown, f"{right.mean():.1f} ± {error:.1f}"


def luck(letter):
    """Return a wrong network's cells: beside the right one, on the same splits."""
    (wrong, lower), right = digits(letter).T, digits("raw_nn")[SEEDS[letter], 0]
    points = (right - wrong).mean() / 0.3
    same, less = 100 * (wrong == right).mean(), 100 * lower.mean()
    return f"{same:.0f} %", f"{points:.1f} points".replace("-", "−"), f"{less:.0f} %"


def race(name, rounds, ours, theirs):
    """Run both by turns; print the ratio of their least seconds."""
    seconds = {ours: [], theirs: []}
    for i in range(rounds + 1):  # the first round is not counted
        for run in seconds:
            start = time.perf_counter()
            run()
            seconds[run] += [time.perf_counter() - start] if i else []
    print(f"{name} {min(seconds[ours]) / min(seconds[theirs]):.2f}")


def command(*call):
    with TemporaryDirectory() as folder:
        given = {"cwd": folder, "stdout": subprocess.DEVNULL}
        subprocess.run([sys.executable, *call], check=True, **given)


def measure_speed():
    warnings.simplefilter("ignore")  # MLPClassifier warns that it has not converged
    rng, (X, _, Y, *_) = np.random.default_rng, raw_nn.load_iris_split()
    mlp = mlp_classifier(max_iter=67, tol=0, n_iter_no_change=1000)
    net = lambda: raw_nn.init_params(rng(0), 4, DEFAULTS["hidden"], 3)
    iris = lambda: raw_nn.train(net(), X, Y, rng(0), steps=1005)
    labels = Y.argmax(axis=1)
    race("67 epochs: train / MLPClassifier.fit", 20, iris, lambda: mlp.fit(X, labels))
    modules = ("matplotlib.figure", "sklearn.datasets", "sklearn.model_selection")
    imports = ["-c", "import numpy, " + ", ".join(modules)]
    run = lambda: command(ROOT / "raw_nn.py")
    race("command / its imports", 7, run, lambda: command(*imports))


if __name__ == "__main__":
    {"results": measure_results, "speed": measure_speed}[sys.argv[1]]()
