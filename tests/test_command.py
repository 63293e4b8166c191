"""The command prints and draws what was computed, and refuses the rest in one line."""

import contextlib
import inspect
import io
import os
import re
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image
from networks import ROOT, SOURCE, edited_script

import raw_nn


@pytest.fixture
def figures(monkeypatch):
    """The Figures that were saved; they are saved all the same."""
    saved, save = [], Figure.savefig
    both = lambda figure, *a, **k: (saved.append(figure), save(figure, *a, **k))
    monkeypatch.setattr(Figure, "savefig", both)
    return saved


DEFAULTS = {  # of the flags, as the script has them
    flag[2:].replace("-", "_"): eval(value, {})
    for flag, value in re.findall(r'add_argument\("(--\S+)".*?default=(.*?), ', SOURCE)
}
# no flag, and another value for each
CHANGES = ["", "--hidden 1", "--batch-size 120", "--batch-size 1", "--steps 1"]
CHANGES += ["--seed 4294967295", "--seed 0", "--plot other.PNG", "--learning-rate 0.01"]


@pytest.mark.parametrize("flag", CHANGES)
def test_the_command_prints_and_draws_what_the_functions_give(
    flag, capsys, figures, folder
):
    settings = np.geterr()
    assert raw_nn.main(flag.split()) is None
    assert np.geterr() == settings
    stdout, stderr = capsys.readouterr()
    name, _, value = flag[2:].replace("-", "_").partition(" ")
    given = DEFAULTS | ({name: type(DEFAULTS[name])(value)} if flag else {})
    size, rate, steps = given["batch_size"], given["learning_rate"], given["steps"]
    hidden, seed, plot = given["hidden"], given["seed"], given["plot"]
    X, X_test, Y, Y_test, _ = raw_nn.load_iris_split(seed)
    rng = np.random.default_rng(seed)
    params = raw_nn.init_params(rng, 4, hidden, 3)
    losses = raw_nn.train(params, X, Y, rng, size, rate, steps)
    title = [f"{hidden} hidden", f"batch size {size}", f"learning rate {rate}"]
    title += [f"seed {seed}"]
    owed = [*title, f"{steps} steps", plot, "120 training", "30 test", "b2 ok"]
    for samples, labels in ((X, Y), (X_test, Y_test)):
        log_P, n = raw_nn.forward(samples, params).log_P, len(samples)
        hits = (log_P.argmax(axis=1) == labels.argmax(axis=1)).sum()
        owed += [f"set: mean loss {-log_P[labels == 1].mean():.4f}, accuracy"]
        owed += [f"accuracy {100 * hits / n:.1f} % ({hits}/{n})"]
    assert stderr == ""
    assert [text for text in owed if text not in stdout] == []
    (axes,) = figures[0].axes
    assert [text for text in [*title, owed[-1]] if text not in axes.get_title()] == []
    assert_array_equal(axes.lines[0].get_ydata(), losses)
    assert [path.name for path in folder.iterdir()] == [plot]
    assert imread(plot, format="png").shape == (600, 1080, 4)  # px for the README


def test_help_names_each_flag_and_its_default(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    with pytest.raises(SystemExit) as end:
        raw_nn.main(["--help"])
    assert end.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    assert set(re.findall(r" (--[\w-]+) [A-Z]", text)) == {
        c.split()[0] for c in CHANGES[1:]
    }
    assert raw_nn.__doc__.splitlines()[0] in text
    train = inspect.signature(raw_nn.train).parameters
    for name, default in DEFAULTS.items():
        assert name not in train or train[name].default == default
        pattern = rf"--{name.replace('_', '-')} \w+ .*?\(default: (\S+)\)"
        assert re.search(pattern, text)[1] == str(default)


# ---- Refusals ----

REFUSED = {
    "--steps": "0 -5 2.5 many",
    "--batch-size": "0 -1 121 0.5",
    "--hidden": "0 -20 1e3",
    "--learning-rate": "0 -0.1 nan inf fast",
    "--seed": "-1 4294967296 1.5",
    "--plot": "README.md loss nowhere/loss.png",
    "--no-such-flag": "1",
}
REFUSED = [f"{flag} {value}" for flag in REFUSED for value in REFUSED[flag].split()]


def ends_with_status_2(arguments, capsys):
    """Run what is to end so; return stdout and stderr. The old picture stays."""
    Path(DEFAULTS["plot"]).write_text("old")
    with pytest.raises(SystemExit) as end:
        raw_nn.main(arguments.split())
    assert end.value.code == 2
    assert Path(DEFAULTS["plot"]).read_text() == "old"
    return capsys.readouterr()


@pytest.mark.parametrize("arguments", REFUSED)
def test_what_it_cannot_use_is_refused_with_usage_and_one_line(
    arguments, capsys, folder
):
    stdout, stderr = ends_with_status_2(arguments, capsys)
    usage, _, line = stderr.partition("raw_nn.py: error: ")
    assert usage.startswith("usage: raw_nn.py [-h] ")
    word = {"--plot": "picture"}.get(arguments.split()[0], arguments.split()[0])
    assert re.split("-", word)[-1] in line
    assert line.index("\n") == len(line) - 1
    assert stdout == ""
    assert [path.name for path in folder.iterdir()] == [DEFAULTS["plot"]]


FAILS = [
    "1e308",
    "1e308 --steps 1",
    "1e200 --steps 1",  # finite parameters, but not the logits
    "4 --batch-size 1",  # a finite loss, of many digits
    "4 --batch-size 1 --seed 2",  # and one that has fallen again
    "0.003 --steps 1 --plot taken.png",  # a picture that cannot be written
]


@pytest.mark.parametrize("arguments", FAILS)
@pytest.mark.parametrize("mode", ["warn", "raise"])
def test_failures_end_with_one_line_and_the_old_picture(arguments, mode, capsys):
    Path("taken.png").mkdir()
    with warnings.catch_warnings(), np.errstate(all=mode):
        warnings.simplefilter("error")
        settings = np.geterr()
        stdout, line = ends_with_status_2(f"--learning-rate {arguments}", capsys)
        assert np.geterr() == settings
    assert line.startswith("raw_nn.py: error: ")
    assert line.index("\n") == len(line) - 1
    assert "png" not in arguments or "taken.png" in line
    assert not re.search(r"\bnan\b|\binf\b", stdout)


def test_a_mistake_in_an_edit_keeps_its_traceback(folder):
    for new, error in (("a1 @ dL_dh2", ValueError), ("a1.T(dL_dh2)", TypeError)):
        with pytest.raises(error) as caught:
            edited_script(("a1.T @ dL_dh2", new)).main([])
        assert "backward" in [entry.name for entry in caught.traceback]
    assert list(folder.iterdir()) == []


# ---- The picture ----


@pytest.mark.parametrize("steps", [1, 2, 20, 21, 1000, 30_000])
def test_the_picture_shows_each_loss_and_their_running_mean(steps, figures):
    losses = np.random.default_rng(0).uniform(0.5, 2, steps)
    losses[steps // 2] = 1e6 * (steps > 1000) + 1  # sums would forget what follows
    raw_nn.plot_loss(losses, "loss.png")
    (axes,) = figures[0].axes
    (x, y), (middles, means), _ = (line.get_data() for line in axes.lines)
    assert_array_equal(x, np.arange(1, steps + 1))
    assert_array_equal(y, losses)
    window = steps - len(means) + 1
    assert window == min(-(-steps // 20), 1000)
    for i in range(0, len(means), 7):
        assert_allclose(middles[i], x[i : i + window].mean())
        assert_allclose(means[i], y[i : i + window].mean(), rtol=1e-12)
    if steps > 1:
        assert axes.get_xlim() == (1, steps)
    dots = [line.get_marker() == "." for line in axes.lines]
    assert dots[0] == (steps <= 20)  # where a line alone would be hard to see
    assert dots[2] is False


def test_the_picture_says_what_it_shows(figures):
    raw_nn.plot_loss(np.linspace(1, 0.5, 1000), "loss.png", 5, "A title")
    raw_nn.plot_loss(np.linspace(1, 0.5, 1000), "loss.png")
    axes, default = (figure.axes[0] for figure in figures)
    assert axes.get_title() == "A title"
    assert (axes.get_xlabel(), axes.get_ylim()[0]) == ("step", 0)
    assert "loss" in axes.get_ylabel()
    assert axes.get_ylim()[1] > np.log(5)
    names = [text.get_text() for text in axes.get_legend().get_texts()]
    assert "50" in names[1]  # the window of the running mean
    assert f"ln 5 = {np.log(5):.4f}" in names[2]
    assert_array_equal(axes.lines[2].get_ydata(), np.log([5, 5]))
    assert f"ln 3 = {np.log(3):.4f}" in default.get_legend().get_texts()[2].get_text()


# ---- The command as a process ----


def test_a_process_prints_and_draws_the_same_and_the_committed_picture(capsysbinary):
    Path("apart").mkdir()
    # a display that is not there, a backend that wants one, and no settings
    hidden = ("DISPLAY", "WAYLAND_DISPLAY", "MATPLOTLIBRC", "PYTHONUNBUFFERED")
    kept = {name: value for name, value in os.environ.items() if name not in hidden}
    call = [sys.executable, "-W", "error", str(ROOT / "raw_nn.py")]
    kept["MPLBACKEND"] = "TkAgg"
    process = subprocess.run(
        call, cwd="apart", env=kept, capture_output=True, check=False
    )
    raw_nn.main([])
    assert (process.returncode, process.stderr) == (0, b"")
    stdout = capsysbinary.readouterr().out
    assert process.stdout.split() == stdout.split()  # but for Windows' ends of lines
    apart, here = Path("apart") / DEFAULTS["plot"], Path(DEFAULTS["plot"])
    assert apart.read_bytes() == here.read_bytes()
    committed = ROOT / "loss_curve.png"
    difference = np.abs(imread(apart) - imread(committed)).max(axis=2)
    versions = {Image.open(path).text["Software"] for path in (apart, committed)}
    allowed = 0.001 if len(versions) == 1 else 0.03  # where letters look otherwise
    assert (difference > 0.1).mean() < allowed


def test_the_lines_before_a_wait_are_flushed():
    shown = []

    class Stream(io.StringIO):
        def flush(self):
            shown.append(self.getvalue().splitlines()[-1])

    with contextlib.redirect_stdout(Stream()):
        raw_nn.main(["--steps", "10"])
    assert shown[0].startswith("gradient check: ")
    steps = [line.split(":")[0].split()[-1] for line in shown[1:11]]
    assert steps == [str(step) for step in range(1, 11)]
