"""Networks, slopes, shapes and edited copies of the script, for several tests."""

import re
import types
from pathlib import Path

import numpy as np

import raw_nn

ROOT = Path(__file__).parent.parent
SOURCE = (ROOT / "raw_nn.py").read_text(encoding="utf-8")
DEFAULTS = {  # of the command's flags
    flag.replace("-", "_"): eval(value, {})
    for flag, value in re.findall(r'argument\(\s*"--(\S+)",.*?default=(.*?), ', SOURCE)
}


def random_problem(n, n_in, n_hidden, n_out, seed=0):
    """Return X, Y, params, all random, biases too, so that any error shows."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, n_in))
    Y = np.eye(n_out)[rng.integers(n_out, size=n)]
    shapes = ((n_in, n_hidden), (n_hidden,), (n_hidden, n_out), (n_out,))
    return X, Y, raw_nn.Params(*map(rng.standard_normal, shapes))


def complex_step(function, x):
    """Return the slopes of function at x by Im f(x + i epsilon) / epsilon: no rounding."""
    x = np.array(x, complex)
    slopes = []
    for i in np.ndindex(x.shape):
        x[i] += 1e-30j
        slopes.append(np.imag(function(x)) / 1e-30)
        x[i] -= 1e-30j
    return np.moveaxis(slopes, 0, -1).reshape(np.shape(slopes[0]) + x.shape)


def loss_gradient(X, Y, params):
    """Return the gradient of the script's loss by the complex step, as Params."""
    moved = lambda i, theta: [*params[:i], theta, *params[i + 1 :]]
    loss = lambda i: lambda t: raw_nn.nll_loss(raw_nn.forward(X, moved(i, t))[-1], Y)
    return raw_nn.Params(*(complex_step(loss(i), t) for i, t in enumerate(params)))


def load_script(source):
    """Return a module of its own from the text of a script."""
    module = types.ModuleType("raw_nn")
    exec(compile(source, "edited raw_nn.py", "exec"), module.__dict__)  # noqa: S102
    return module


def edited_script(*edits):
    """Return a module of its own: raw_nn.py with each (old, new) text replaced."""
    source = SOURCE
    for old, new in edits:
        assert source.count(old) == 1, f"{old!r} is to stand in raw_nn.py once"
        source = source.replace(old, new)
    return load_script(source)


def shapes(text, **sizes):
    """Return the shapes that a text names, such as (n, out), as tuples of sizes."""
    sizes = {"n": 8, "in": 4, "hidden": 20, "out": 3, **sizes}
    one = rf"(?:\d+|{'|'.join(sizes)})"
    found = re.findall(rf"\(({one},(?: ?{one})*)\)", text)
    names = [re.findall(r"\w+", shape) for shape in found]
    return [tuple(int(sizes.get(name, name)) for name in shape) for shape in names]


def arrays_of_a_step():
    """Return the arrays of a step on eight flowers by their names in the script."""
    X, Y, params = random_problem(8, 4, 20, 3)
    activations = raw_nn.forward(X, params)
    gradient = raw_nn.backward(X, Y, activations, params)
    found = {"X": X, "Y": Y} | params._asdict() | activations._asdict()
    found |= {f"dL_d{name}": slope for name, slope in gradient._asdict().items()}
    found |= {"dL_dh2": found["P"], "dL_da1": found["a1"], "dL_dh1": found["h1"]}
    return found | {"s": found["P"], "e": found["P"], "total": np.ones((8, 1))}
