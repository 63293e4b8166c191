"""Print raw_nn's speed as a Markdown table of ratios: python tests/benchmark.py

What is compared runs by turns in one process, so that both sides see the same
machine; each ratio is given for the minima and for the medians of the rounds.
"""

import os
import platform
import subprocess
import sys
import time
import tracemalloc
import warnings
from importlib.metadata import version
from importlib.util import find_spec
from itertools import islice
from tempfile import TemporaryDirectory

import numpy as np
from conftest import ROOT
from problems import mlp_classifier

import raw_nn

HAS_TORCH = find_spec("torch") is not None
PACKAGES = "numpy, matplotlib.figure, sklearn.datasets, sklearn.model_selection"


def race(rounds, **runners):
    """Time every runner once per round; return {name: seconds (rounds,)}."""
    seconds = {name: [] for name in runners}
    for name, run in runners.items():
        run()  # a first time, not counted
    for _ in range(rounds):
        for name, run in runners.items():
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
    return {name: np.array(values) for name, values in seconds.items()}


def row(what, ours, theirs, seconds, steps=None):
    """Print the ratios of the minima and of the medians, then our minimum."""
    a, b = seconds[ours], seconds[theirs]
    ratios = f"{a.min() / b.min():.2f} | {np.median(a) / np.median(b):.2f}"
    time = f"{1e6 * a.min() / steps:,.0f} µs a step" if steps else f"{a.min():.2f} s"
    print(f"| {what} | {ratios} | {time} |", flush=True)


def floor(params, X, Y, rng, batch_size, learning_rate, steps):
    """The NumPy calls of raw_nn.train, their outputs preallocated, and nothing else."""
    W1, b1, W2, b2 = (theta.copy() for theta in params)
    batches = list(islice(raw_nn.minibatches(rng, len(X), batch_size), steps))
    n, n_in, n_hidden, n_out = batch_size, *W1.shape, len(b2)
    Xb, Yb = np.empty((n, n_in)), np.empty((n, n_out))
    h1, a1, da1, dh1 = (np.empty((n, n_hidden)) for _ in range(4))
    mask = np.empty((n, n_hidden), bool)
    h2, s, e, log_P, P, dh2 = (np.empty((n, n_out)) for _ in range(6))
    top, total = np.empty((n, 1)), np.empty((n, 1))
    dW1, db1, dW2, db2 = (np.empty_like(theta) for theta in params)
    losses = np.empty(steps)
    for step, batch in enumerate(batches):
        X.take(batch, axis=0, out=Xb, mode="clip")
        Y.take(batch, axis=0, out=Yb, mode="clip")
        np.matmul(Xb, W1, out=h1)
        np.add(h1, b1, out=h1)
        np.maximum(h1, 0.0, out=a1)
        np.matmul(a1, W2, out=h2)
        np.add(h2, b2, out=h2)
        h2.max(axis=1, keepdims=True, out=top)
        np.subtract(h2, top, out=s)
        np.exp(s, out=e)
        e.sum(axis=1, keepdims=True, out=total)
        np.log(total, out=total)
        np.subtract(s, total, out=log_P)
        np.exp(log_P, out=P)
        losses[step] = -np.vdot(Yb, log_P) / n
        np.subtract(P, Yb, out=dh2)
        np.matmul(a1.T, dh2, out=dW2)
        dh2.sum(axis=0, out=db2)
        np.matmul(dh2, W2.T, out=da1)
        np.greater(h1, 0, out=mask)
        np.multiply(da1, mask, out=dh1)
        np.matmul(Xb.T, dh1, out=dW1)
        dh1.sum(axis=0, out=db1)
        for theta, gradient in ((W1, dW1), (b1, db1), (W2, dW2), (b2, db2)):
            np.multiply(gradient, learning_rate, out=gradient)
            np.subtract(theta, gradient, out=theta)
    return losses


def products(X, params, n, steps):
    """The five matrix products of a step alone, on batches of n samples."""
    X, (W1, _, W2, _) = X[:n], params
    d1, d2 = np.ones((n, W1.shape[1])), np.ones((n, W2.shape[1]))
    for _ in range(steps):
        X @ W1, d1 @ W2, d1.T @ d2, d2 @ W2.T, X.T @ d1


def torch_loop(params, X, Y, batch_size, learning_rate, steps):
    """The same training in PyTorch, in eager mode."""
    import torch

    torch.set_num_threads(os.cpu_count())
    X, labels = torch.from_numpy(X), torch.from_numpy(Y.argmax(axis=1))

    def train():
        thetas = [torch.tensor(theta, requires_grad=True) for theta in params]
        W1, b1, W2, b2 = thetas
        optimizer = torch.optim.SGD(thetas, lr=learning_rate)
        losses = []
        rng = np.random.default_rng(0)
        batches = raw_nn.minibatches(rng, len(X), batch_size)
        for batch in islice(batches, steps):
            batch = torch.from_numpy(batch)
            logits = torch.relu(X[batch] @ W1 + b1) @ W2 + b2
            loss = torch.nn.functional.cross_entropy(
                logits, labels[batch], reduction="sum"
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item() / len(batch))

    return train


def fresh(n_in, n_hidden, n_out):
    return raw_nn.init_params(np.random.default_rng(0), n_in, n_hidden, n_out)


def iris_rows():
    X, Y, _, _ = raw_nn.load_iris_split()
    labels = Y.argmax(axis=1)

    def train():
        raw_nn.train(fresh(4, 20, 3), X, Y, np.random.default_rng(0), steps=1005)

    def sklearn():
        mlp_classifier().fit(X, labels)

    def bare():
        floor(fresh(4, 20, 3), X, Y, np.random.default_rng(0), 8, 0.003, 1005)

    runners = {"train": train, "sklearn": sklearn, "bare": bare}
    if HAS_TORCH:
        runners["torch"] = torch_loop(fresh(4, 20, 3), X, Y, 8, 0.003, 1005)
    seconds = race(20, **runners)
    what = "Iris, 1,005 steps: `train` / "
    row(what + "`MLPClassifier.fit`", "train", "sklearn", seconds, 1005)
    row(what + "its NumPy calls, preallocated", "train", "bare", seconds, 1005)
    if HAS_TORCH:
        row(what + "PyTorch, eager", "train", "torch", seconds, 1005)


def size_row(n_in, n_hidden, n_out, batch_size):
    rng = np.random.default_rng(0)
    n = 4 * max(batch_size, 128)
    X, Y = rng.standard_normal((n, n_in)), np.eye(n_out)[rng.integers(n_out, size=n)]
    params = fresh(n_in, n_hidden, n_out)
    work = batch_size * n_hidden * (n_in + n_out)
    steps = max(10, min(500, 200_000_000 // work))

    def train():
        raw_nn.train(params, X, Y, rng, batch_size, 1e-9, steps)

    def alone():
        products(X, params, batch_size, steps)

    seconds = race(7, train=train, alone=alone)
    size = f"{n_in}-{n_hidden:,}-{n_out}, batch {batch_size:,}"
    what = f"{size}: `train` / its 5 matrix products"
    row(what, "train", "alone", seconds, steps)


def step_line():
    """Print which share of a step on Iris each of its parts takes."""
    X, Y, _, _ = raw_nn.load_iris_split()
    X, Y, params = X[:8], Y[:8], fresh(4, 20, 3)
    activations = raw_nn.forward(X, params)
    gradient = raw_nn.backward(X, Y, activations, params)
    order, rate = np.arange(8), np.array(1e-9)

    def repeat(part):
        return lambda: [part() for _ in range(1000)]

    def update():
        for theta, slope in zip(params, gradient):
            theta -= rate * slope

    seconds = race(
        20,
        batch=repeat(lambda: (X.take(order, axis=0), Y.take(order, axis=0))),
        forward=repeat(lambda: raw_nn.forward(X, params)),
        loss=repeat(lambda: raw_nn.nll_loss(activations.log_P, Y) / 8),
        backward=repeat(lambda: raw_nn.backward(X, Y, activations, params)),
        update=repeat(update),
    )
    total = sum(values.min() for values in seconds.values())
    shares = (f"{name} {values.min() / total:.0%}" for name, values in seconds.items())
    print("\nOf a step on Iris:", ", ".join(shares))


def command_line():
    """Print which share of the command each of its parts takes."""
    with TemporaryDirectory() as folder:
        X, Y, _, _ = raw_nn.load_iris_split()

        def train():
            raw_nn.train(fresh(4, 20, 3), X, Y, np.random.default_rng(0))

        def draw():
            raw_nn.plot_loss(np.ones(1000), f"{folder}/loss.png")

        seconds = race(7, train=train, draw=draw, imports=imports)
    train, draw, importing = (
        seconds[name].min() for name in ("train", "draw", "imports")
    )
    total = train + draw + importing
    print(
        f"\nOf the command: import {importing / total:.0%}, "
        f"train {train / total:.0%}, draw {draw / total:.0%}"
    )


def imports():
    """Start a Python that imports what raw_nn imports."""
    subprocess.run([sys.executable, "-c", f"import {PACKAGES}"], check=True)


def command_row():
    def command():
        with TemporaryDirectory() as folder:
            call = [sys.executable, ROOT / "raw_nn.py"]
            subprocess.run(call, cwd=folder, check=True, stdout=subprocess.DEVNULL)

    seconds = race(7, command=command, imports=imports)
    row("`python raw_nn.py` / import of its packages", "command", "imports", seconds)


def memory_lines():
    X, Y, _, _ = raw_nn.load_iris_split()
    for steps in (1000, 10_000):
        tracemalloc.start()
        raw_nn.train(fresh(4, 20, 3), X, Y, np.random.default_rng(0), steps=steps)
        peak = tracemalloc.get_traced_memory()[1] - 8 * steps
        tracemalloc.stop()
        print(f"- {steps:,} steps: {peak / 1024:.0f} KiB besides the array of losses")


def main():
    warnings.simplefilter("ignore")  # MLPClassifier warns that it has not converged
    packages = ["numpy", "scikit-learn", "matplotlib"]
    packages += ["torch"] if HAS_TORCH else []
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    print(f"{os.cpu_count()} cores, Python {platform.python_version()}, {versions}")
    print("\n| measured | ratio of minima | of medians | our time |")
    print("|---|--:|--:|--:|")
    iris_rows()
    for n_hidden in (20, 256, 4096):
        size_row(4, n_hidden, 3, 8)
    for batch_size in (64, 1024):
        size_row(4, 20, 3, batch_size)
    size_row(784, 1024, 10, 512)
    command_row()
    if not HAS_TORCH:
        print("\nPyTorch is not installed: its row is left out.")
    step_line()
    command_line()
    print("\nPeak memory of `train` on Iris:\n")
    memory_lines()


if __name__ == "__main__":
    main()
