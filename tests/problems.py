"""For tests and programs: random problems, slopes, edited copies of the script."""

import contextlib
import functools
import re
import types
from pathlib import Path
from unittest import mock

import numpy as np

import raw_nn

ROOT = Path(__file__).parent.parent
SOURCE = (ROOT / "raw_nn.py").read_text(encoding="utf-8")
LINES = re.findall(r"^(.* \((\d+)\))$", SOURCE, re.MULTILINE)
NUMBERED = {int(number): line for line, number in LINES}

# {option: default} of the command, from the parser that main makes
parse = mock.patch("argparse.ArgumentParser.parse_args", autospec=True)
with parse as called, contextlib.suppress(StopIteration):
    called.side_effect = StopIteration
    raw_nn.main([])
DEFAULTS = vars(called.call_args[0][0].parse_args([]))


def random_problem(n, n_in, n_hidden, n_out):
    """Return X, Y, params, all random, biases too, so that any error shows."""
    rng = np.random.default_rng(0)
    X, Y = rng.standard_normal((n, n_in)), np.eye(n_out)[rng.integers(n_out, size=n)]
    shapes = ((n_in, n_hidden), (n_hidden,), (n_hidden, n_out), (n_out,))
    return X, Y, raw_nn.Params(*map(rng.standard_normal, shapes))


def complex_step(function, x):
    """Return the slopes of function at x by Im f(x + i epsilon) / epsilon: no rounding."""
    x = np.array(x, complex)
    slopes = np.empty(x.shape)
    for i in np.ndindex(x.shape):
        x[i] += 1e-30j
        slopes[i] = np.imag(function(x)) / 1e-30
        x[i] -= 1e-30j
    return slopes


def loss_gradient(X, Y, params, script=raw_nn):
    """Return the gradient of a script's loss by the complex step, as Params."""

    def loss(theta, name):
        activations = script.forward(X, params._replace(**{name: theta}))
        return script.nll_loss(activations[-1], Y)

    slope = lambda name, theta: complex_step(functools.partial(loss, name=name), theta)
    return params._make(map(slope, params._fields, params))


@functools.cache
def load_script(source):
    """Return a module of its own from the text of a script."""
    module = types.ModuleType("raw_nn")
    exec(compile(source, "edited raw_nn.py", "exec"), module.__dict__)  # noqa: S102
    return module


def edited(*edits):
    """Return the script as a module of its own, with each (old, new) text replaced."""
    source = SOURCE
    for old, new in edits:
        assert source.count(old) == 1, f"{old!r} is to stand in raw_nn.py once"
        source = source.replace(old, new)
    return load_script(source)


def run_line(number, names):
    """Execute a numbered line of the script with these names; return the one it sets."""
    line = NUMBERED[number].strip().replace("return ", "result = ")
    exec(line, names)  # noqa: S102
    return re.match(r"\w+", line)[0]
