"""Draw the picture of the first screen, from the script and from the page's spiral.py.

.venv/bin/python tests/programs/right_or_wrong.py
"""

import re

import numpy as np
from matplotlib import rc_context
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from problems import DEFAULTS
from readme import PAGE, ROOT, run_file, with_line

import raw_nn

PICTURE = ".github/right_or_wrong.png"
BLACK, RED = "#111111", "#d0021b"
COLOURS = ("#e08a00", "#0062a3", "#008f68")  # apart for the colour-blind, too
SIZES = {"axes.titlesize": 14, "axes.titlepad": 10, "axes.labelsize": 13}
SIZES |= {"legend.fontsize": 14, "xtick.labelsize": 12, "ytick.labelsize": 12}
PALE = ListedColormap(["#fdebc8", "#cfe3f1", "#c6e9dd"])


def draw_iris(axes, scripts):
    correct = {"label": "correct gradient", "lw": 6, "c": BLACK}
    wrong = {"label": "one wrong line", "lw": 2, "ls": (0, (4, 2)), "c": RED}
    rights = []
    for script, style in zip(scripts, (correct, wrong)):
        X, X_test, Y, Y_test, _ = script.load_iris_split()
        rng = np.random.default_rng(1)
        params = script.init_params(rng, 4, DEFAULTS["hidden"], 3)
        losses = script.train(X, Y, params, rng)
        means = np.convolve(losses, np.full(50, 1 / 50), "valid")
        axes.plot(np.arange(len(means)) + 25.5, means, **style)
        right = script.predict(X_test, params) == Y_test.argmax(axis=1)
        rights.append(f"{right.sum()} of 30")
    assert rights[0] == rights[1], "they are no longer right as often: tell it anew"
    axes.set(xlabel="step", ylabel="training loss (running mean)", xlim=(0, 1000))
    axes.set(ylim=(0, 0.85), xticks=(0, 500, 1000), yticks=(0, 0.4, 0.8))
    axes.legend(frameon=False, loc="upper right", handlelength=2.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title(f"Iris: both losses fall,\nboth get {rights[0]} test flowers right")


def draw_spiral(axes, script, heading, colour):
    """Draw the regions that a network has learned, and the training points."""
    _, learned = run_file(PAGE, "spiral.py", script)
    params, X, Y, losses = (learned[name] for name in ("params", "X", "Y", "losses"))
    ends = np.linspace(-1.1, 1.1, 500)
    grid = np.stack(np.meshgrid(ends, ends), axis=-1).reshape(-1, 2)
    regions = script.predict(grid, params).reshape(500, 500)
    given = {"extent": (-1.1, 1.1) * 2, "origin": "lower", "interpolation": "nearest"}
    axes.imshow(regions, PALE, vmin=0, vmax=2, **given)
    for k, marker in enumerate("o^s"):
        points = X[Y[:, k] == 1].T
        axes.scatter(*points, s=28, c=COLOURS[k], marker=marker, ec="white", lw=0.5)
    share = 100 * script.accuracy(X, Y, params)
    title = f"Spiral, {heading}:\n{share:.0f} % of the training points right"
    axes.set_title(title, color=colour)
    label = f"loss: from {losses[0]:.2f} to {losses[-1]:.2f}"
    axes.set_xlabel(label, color=colour, labelpad=8)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set(color=colour, linewidth=3)


@rc_context(SIZES)
def draw(path):
    """Draw the picture."""
    correct, wrong = re.findall(r"(?m)^(\S.*?) +# (?:correct|wrong: .*)$", PAGE)
    scripts = raw_nn, with_line(correct, wrong)
    figure = Figure(figsize=(12.6, 4.6), facecolor="white")
    left = figure.add_axes((0.052, 0.12, 0.3, 0.75))
    middle, right = (figure.add_axes((x, 0.095, 0.283, 0.775)) for x in (0.39, 0.703))
    draw_iris(left, scripts)
    draw_spiral(middle, scripts[0], "correct gradient", BLACK)
    draw_spiral(right, scripts[1], "one wrong line", RED)
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    draw(ROOT / PICTURE)
    print(f"drawn: {PICTURE}")
