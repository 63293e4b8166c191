"""Draw the picture of the first screen, from the script and from the page's spiral.

python tests/programs/right_or_wrong.py    writes .github/right_or_wrong.png
"""

import contextlib
import io
import re
import sys
import types
from pathlib import Path
from unittest import mock

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT)]

import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

import raw_nn

PICTURE = ROOT / ".github" / "right_or_wrong.png"
PAGE = (ROOT / "README.md").read_text(encoding="utf-8")
BLACK, RED = "#111111", "#d0021b"
COLOURS = ("#e69f00", "#0072b2", "#009e73")  # apart for the colour-blind, too
PALE = ListedColormap(["#fbe6bd", "#bcd9ec", "#b5e2d3"])


def wrong_script():
    """Return the script with the wrong line of the first screen, as a module."""
    lines = re.findall(r"^(dL_dh1 = .*?) *# (?:correct|wrong)", PAGE, re.MULTILINE)
    source = (ROOT / "raw_nn.py").read_text(encoding="utf-8")
    correct, wrong = lines
    assert source.count(correct) == 1, f"raw_nn.py has no line {correct!r}"
    script = types.ModuleType("raw_nn")
    exec(source.replace(correct, wrong), script.__dict__)  # noqa: S102
    return script


def iris(script):
    """Return the losses of the default run, and how many test flowers are right."""
    X, X_test, Y, Y_test, _ = script.load_iris_split()
    rng = np.random.default_rng(1)
    params = script.init_params(rng, 4, 20, 3)
    losses = script.train(X, Y, params, rng)
    right = script.predict(X_test, params) == Y_test.argmax(axis=1)
    return losses, f"{right.sum()} of {len(right)}"


def spiral(script):
    """Return all names of the page's spiral.py, run with a script."""
    (code,) = re.findall(r"^```python\n(# spiral.py\n.*?)^```", PAGE, re.M | re.S)
    names = {}
    patched = mock.patch.dict(sys.modules, raw_nn=script)
    with patched, contextlib.redirect_stdout(io.StringIO()):
        exec(code, names)  # noqa: S102
    return names


def draw_iris(axes, scripts):
    """Draw the running means of both losses, the wrong one upon the correct one."""
    (losses, right), (wrong_losses, same) = map(iris, scripts)
    assert right == same, "the two networks are no longer right as often: tell it anew"
    style = {"lw": 6, "c": BLACK}, {"lw": 2, "c": RED, "ls": (0, (4, 2))}
    for values, given, name in zip(
        (losses, wrong_losses), style, ("correct gradient", "one wrong line")
    ):
        mean = np.convolve(values, np.full(50, 1 / 50), mode="valid")
        axes.plot(np.arange(len(mean)) + 25, mean, label=name, **given)
    axes.set(xlim=(0, 1000), ylim=(0, 0.85), xticks=(0, 500, 1000), yticks=(0, 0.4, 0.8))
    axes.set_xlabel("step", fontsize=13)
    axes.set_ylabel("training loss (running mean)", fontsize=13)
    axes.tick_params(labelsize=12)
    axes.legend(frameon=False, fontsize=14, loc="upper right", handlelength=2.6)
    axes.spines[["top", "right"]].set_visible(False)
    title = f"Iris: both losses fall,\nboth get {right} test flowers right"
    axes.set_title(title, fontsize=14, color=BLACK, pad=10)


def draw_spiral(axes, names, heading, colour):
    """Draw the regions that a network has learned, and the training points."""
    script, params, X, arm = (names[k] for k in ("raw_nn", "params", "X", "arm"))
    ends = np.linspace(-1.1, 1.1, 500)
    grid = np.stack(np.meshgrid(ends, ends), axis=-1).reshape(-1, 2)
    classes = script.predict(grid, params).reshape(500, 500)
    ground = {"extent": (-1.1, 1.1) * 2, "origin": "lower", "interpolation": "nearest"}
    axes.imshow(classes, PALE, vmin=0, vmax=2, **ground)
    for k, marker in enumerate("o^s"):
        points = X[arm == k].T
        axes.scatter(*points, s=22, c=COLOURS[k], marker=marker, ec="white", lw=0.5)
    share = 100 * script.accuracy(X, names["Y"], params)
    title = f"Spiral, {heading}:\n{share:.0f} % of the training points right"
    axes.set_title(title, fontsize=14, color=colour, pad=10)
    losses = names["losses"]
    label = f"loss: from {losses[0]:.2f} to {losses[-1]:.2f}"
    axes.set_xlabel(label, fontsize=13, color=colour, labelpad=8)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set(color=colour, linewidth=3)


def draw(path):
    """Draw the picture."""
    scripts = raw_nn, wrong_script()
    figure = Figure(figsize=(12.6, 4.4), facecolor="white", layout="constrained")
    left, middle, right = figure.subplots(1, 3, width_ratios=(1.15, 1, 1))
    draw_iris(left, scripts)
    draw_spiral(middle, spiral(scripts[0]), "correct gradient", BLACK)
    draw_spiral(right, spiral(scripts[1]), "one wrong line", RED)
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    draw(PICTURE)
    print(f"drawn: {PICTURE.relative_to(ROOT)}")
