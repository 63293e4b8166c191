"""The command prints and draws what was computed, and refuses the rest in one line."""

import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread
from networks import DEFAULTS, ROOT, SOURCE, edited_script
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image

import raw_nn


@pytest.fixture
def drawn(monkeypatch):
    """The axes of the Figures that were saved; they are saved all the same."""
    saved, save = [], Figure.savefig
    both = lambda figure, *a, **k: (saved.append(figure.axes[0]), save(figure, *a, **k))
    monkeypatch.setattr(Figure, "savefig", both)
    return saved


# no flag, and another value for each
CHANGES = ["", "--hidden 1", "--batch-size 120", "--batch-size 1", "--steps 1"]
CHANGES += ["--seed 4294967295", "--seed 0", "--plot other.PNG", "--learning-rate 0.01"]


def call(function, *arguments, **flags):
    """Call a function; of the flags it gets those that it has a parameter for."""
    names = inspect.signature(function).parameters
    return function(*arguments, **{k: v for k, v in flags.items() if k in names})


def test_the_command_gives_what_the_functions_give(capsys, drawn, folder, monkeypatch):
    for change in CHANGES:
        flushes = []
        monkeypatch.setattr(sys.stdout, "flush", lambda kept=flushes: kept.append(1))
        assert raw_nn.main(change.split()) is None
        waits = len(flushes)
        stdout, stderr = capsys.readouterr()
        name, _, value = change[2:].replace("-", "_").partition(" ")
        given = DEFAULTS | ({name: type(DEFAULTS[name])(value)} if change else {})
        X, X_test, Y, Y_test, _ = call(raw_nn.load_iris_split, **given)
        rng = np.random.default_rng(given["seed"])
        params = raw_nn.init_params(rng, 4, given["hidden"], 3)
        losses = call(raw_nn.train, params, X, Y, rng, show=True, **given)
        title = ["{hidden} hidden", "batch size {batch_size}", "seed {seed}"]
        title = [t.format(**given) for t in (*title, "learning rate {learning_rate}")]
        owed = [*title, f"{given['steps']} steps", given["plot"], "b2 ok"]
        owed += [f"ln 3 = {np.log(3):.4f}", capsys.readouterr().out]
        for kind, samples, labels in (("training", X, Y), ("test", X_test, Y_test)):
            log_P, n = raw_nn.forward(samples, params).log_P, len(samples)
            hits = (log_P.argmax(axis=1) == labels.argmax(axis=1)).sum()
            owed += [f"{kind} set: mean loss {-log_P[labels == 1].mean():.4f}, "]
            owed += [f"{n} {kind}", f"accuracy {100 * hits / n:.1f} % ({hits}/{n})"]
        lacks = [text for text in owed if text not in stdout]
        lacks += [t for t in (*title, owed[-1]) if t not in drawn[-1].get_title()]
        assert (change, stderr, lacks) == (change, "", [])
        assert waits > min(given["steps"], 10)  # each line before a wait is flushed
        assert_array_equal(drawn[-1].lines[0].get_ydata(), losses)
        assert [path.name for path in folder.iterdir()] == [given["plot"]]
        assert imread(given["plot"], format="png").shape == (600, 1080, 4)  # in README
        Path(given["plot"]).unlink()


def test_the_network_that_is_checked_is_the_one_to_be_trained(monkeypatch):
    checked, trained = [], []
    monkeypatch.setattr(raw_nn, "check_gradient", lambda *given: checked.append(given))
    train = lambda params, *_, **__: trained.append(params) or np.ones(1)
    monkeypatch.setattr(raw_nn, "train", train)
    for hidden in (1, 20, 21, 3000):
        raw_nn.main(["--hidden", str(hidden)])
        X, Y, params = checked[-1]
        assert X.shape == (len(Y), 4)
        assert params.W1.shape == (4, min(hidden, 20))  # more would take too long
        for ours, theirs in zip(params, trained[-1]) if hidden <= 20 else ():
            assert_array_equal(ours, theirs)


def test_help_names_each_flag_and_its_default(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    with pytest.raises(SystemExit, match="^0$"):
        raw_nn.main(["--help"])
    text = " ".join(capsys.readouterr().out.split())
    flags = set(re.findall(r" (--[\w-]+) [A-Z]", text))
    assert flags == {c.split()[0] for c in CHANGES[1:]}, (
        "put each flag into CHANGES, its limits into REFUSED"
    )
    assert raw_nn.__doc__.splitlines()[0] in text
    train = inspect.signature(raw_nn.train).parameters
    for name, default in DEFAULTS.items():
        assert name not in train or train[name].default == default
        pattern = rf"--{name.replace('_', '-')} \w+ .*?\(default: (\S+)\)"
        assert re.search(pattern, text)[1] == str(default)
    module = {"__name__": "raw_nn"}  # as with python -OO: no docstrings
    exec(compile(SOURCE, "raw_nn.py", "exec", optimize=2), module)  # noqa: S102
    module["main"](["--steps", "1"])


# arguments: what the message has to name, a number or a word
REFUSED = {"--steps 0": 1, "--hidden 0": 1, "--batch-size 0": 1, "--no-such 1": "such"}
REFUSED |= {"--batch-size 121": 120, "--seed -1": 0, "--seed 4294967296": 2**32 - 1}
REFUSED |= {"--steps 2.5": "steps", "--hidden 1e3": "hidden", "--seed 1.5": "seed"}
REFUSED |= {f"--learning-rate {x}": "rate" for x in (0, -0.1, "nan", "inf", "fast")}
REFUSED |= {f"--plot {x}": ".png" for x in ("a.md", "loss", "nowhere/loss.png")}
FAILS = {  # after the start, and without the usage
    "--learning-rate 1e308 --steps 1": "rate",
    "--learning-rate 1e200 --steps 1": "rate",  # finite parameters, but not the logits
    "--learning-rate 4 --batch-size 1": "rate",  # a finite loss, of many digits
    "--learning-rate 4 --batch-size 1 --seed 2": "rate",  # one that has fallen again
    "--steps 1 --plot taken.png": "taken.png",  # a picture that cannot be written
}


@pytest.mark.filterwarnings("error")
def test_what_it_cannot_do_ends_with_one_line_and_the_old_picture(capsys, folder):
    Path("taken.png").mkdir()
    Path(DEFAULTS["plot"]).write_text("old")
    for arguments, named in (REFUSED | FAILS).items():
        with np.errstate(all="warn"), pytest.raises(SystemExit, match="^2$"):
            raw_nn.main(arguments.split())
        stdout, stderr = capsys.readouterr()
        usage, _, line = stderr.partition("raw_nn.py: error: ")
        assert usage.startswith("usage: ") == (arguments in REFUSED)
        assert (arguments, line.find("\n")) == (arguments, len(line) - 1)
        assert not re.search(r"\bnan\b|\binf\b", stdout)
        if isinstance(named, int):
            numbers = re.findall(r"\d[\d *-]*(?<! )", line)
            assert named in map(eval, numbers), line
            assert f"{arguments.split()[0]} {named}" in CHANGES  # which is not refused
        else:
            assert named in line
    assert {path.name for path in folder.iterdir()} == {"taken.png", DEFAULTS["plot"]}
    assert Path(DEFAULTS["plot"]).read_text() == "old"


def test_a_mistake_in_an_edit_keeps_its_traceback(folder):
    with pytest.raises(ValueError) as caught:
        edited_script(("return Params(dL_dW1,", "return Params(dL_dW1 @ X,")).main([])
    assert "backward" in [entry.name for entry in caught.traceback]
    assert list(folder.iterdir()) == []


def test_the_picture_shows_each_loss_and_their_running_mean(drawn):
    for steps in (1, 2, 20, 21, 1000, 30_000):
        losses = np.random.default_rng(0).uniform(0.5, 1, steps)
        losses[steps // 2] = 1e6 * (steps > 1000) + 1  # sums would forget what follows
        raw_nn.plot_loss(losses, "loss.png", 5, "A title")
        (x, y), (middles, means), chance = (k.get_data() for k in drawn[-1].lines)
        assert_array_equal((x, y), (np.arange(1, steps + 1), losses))
        window = steps - len(means) + 1
        assert window == min(-(-steps // 20), 1000)
        for i in range(0, len(means), 7):
            assert_allclose(middles[i], x[i : i + window].mean())
            assert_allclose(means[i], y[i : i + window].mean(), rtol=1e-12)
        assert_array_equal(chance[1], np.log([5, 5]))
        names = [text.get_text() for text in drawn[-1].get_legend().get_texts()]
        for name, part in zip(names, ("batch", str(window), f"{np.log(5):.4f}")):
            assert part in name
        assert steps == 1 or drawn[-1].get_xlim() == (1, steps)
        low, high = drawn[-1].get_ylim()
        assert low == 0 < np.log(5) < high
        # with few steps, where a line alone would be hard to see
        assert (drawn[-1].lines[0].get_marker() == ".") == (steps <= 20)
    assert drawn[-1].get_title() == "A title"
    assert (drawn[-1].get_xlabel(), "loss" in drawn[-1].get_ylabel()) == ("step", True)
    with pytest.raises(TypeError):  # ln 3 would be wrong for any other number
        raw_nn.plot_loss(losses, "loss.png")


def test_a_process_prints_and_draws_the_same_and_the_committed_picture(capsysbinary):
    Path("apart").mkdir()
    # a display that is not there, a backend that wants one, and no settings
    hidden = ("DISPLAY", "WAYLAND_DISPLAY", "MATPLOTLIBRC", "PYTHONUNBUFFERED")
    kept = {name: value for name, value in os.environ.items() if name not in hidden}
    given = {"cwd": "apart", "env": kept | {"MPLBACKEND": "TkAgg"}}
    call = [sys.executable, "-W", "error", ROOT / "raw_nn.py"]
    process = subprocess.run(call, capture_output=True, check=False, **given)
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
    advice = "make the picture anew: run python raw_nn.py in the project's folder"
    assert (difference > 0.1).mean() < allowed, advice
