"""Draw the picture of the first screen, from the script and from the page's spiral.py.

.venv/bin/python tests/programs/right_or_wrong.py
"""

import re

import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from readme import PAGE, ROOT, files, run_file, with_line

import raw_nn

PICTURE = ROOT / ".github" / "right_or_wrong.png"
BLACK, RED = "#111111", "#d0021b"
COLOURS = ("#e08a00", "#0062a3", "#008f68")  # apart for the colour-blind, too
PALE = ListedColormap(["#fdebc8", "#cfe3f1", "#c6e9dd"])


def iris(script):
    """Return the running mean of the losses, and how many test flowers are right."""
    X, X_test, Y, Y_test, _ = script.load_iris_split()
    rng = np.random.default_rng(1)
    params = script.init_params(rng, 4, 20, 3)
    losses = script.train(X, Y, params, rng)
    right = script.predict(X_test, params) == Y_test.argmax(axis=1)
    return np.convolve(losses, np.full(50, 1 / 50), "valid"), f"{right.sum()} of 30"


def draw_iris(axes, scripts):
    (means, right), (wrong_means, same) = map(iris, scripts)
    assert right == same, "the two networks are no longer right as often: tell it anew"
    steps, red = np.arange(len(means)) + 25.5, {"lw": 2, "ls": (0, (4, 2)), "c": RED}
    axes.plot(steps, means, label="correct gradient", lw=6, c=BLACK)
    axes.plot(steps, wrong_means, label="one wrong line", **red)
    axes.set(
        xlim=(0, 1000), ylim=(0, 0.85), xticks=(0, 500, 1000), yticks=(0, 0.4, 0.8)
    )
    axes.set_xlabel("step", fontsize=13)
    axes.set_ylabel("training loss (running mean)", fontsize=13)
    axes.tick_params(labelsize=12)
    axes.legend(frameon=False, fontsize=14, loc="upper right", handlelength=2.6)
    axes.spines[["top", "right"]].set_visible(False)
    title = f"Iris: both losses fall,\nboth get {right} test flowers right"
    axes.set_title(title, fontsize=14, pad=10)


def draw_spiral(axes, script, heading, colour):
    """Draw the regions that a network has learned, and the training points."""
    _, learned = run_file(files(PAGE)["spiral.py"], script)
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
    axes.set_title(title, fontsize=14, color=colour, pad=10)
    label = f"loss: from {losses[0]:.2f} to {losses[-1]:.2f}"
    axes.set_xlabel(label, fontsize=13, color=colour, labelpad=8)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set(color=colour, linewidth=3)


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
    draw(PICTURE)
    print(f"drawn: {PICTURE.relative_to(ROOT)}")
