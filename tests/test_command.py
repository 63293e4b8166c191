"""The command prints and draws what was computed, and refuses the rest in one line."""

import contextlib
import functools
import os
import re
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT
from matplotlib.figure import Figure
from matplotlib.image import imread
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image
from problems import edited_script

import raw_nn


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Each test works in an empty folder of its own."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def figures(monkeypatch):
    """The Figures that were saved; they are saved all the same."""
    saved, save = [], Figure.savefig

    def savefig(figure, *arguments, **settings):
        saved.append(figure)
        return save(figure, *arguments, **settings)

    monkeypatch.setattr(Figure, "savefig", savefig)
    return saved


@functools.cache
def computed(
    hidden=20, batch_size=8, learning_rate=0.003, steps=1000, seed=1, plot=None
):
    """Return losses, the title and the text that a run with these settings owes."""
    X, Y, X_test, Y_test, _ = raw_nn.load_iris_split(seed)
    rng = np.random.default_rng(seed)
    params = raw_nn.init_params(rng, 4, hidden, 3)
    losses = raw_nn.train(params, X, Y, rng, batch_size, learning_rate, steps)
    settings = f"batch size {batch_size}, learning rate {learning_rate}, seed {seed}"
    lines = [
        "Iris: 120 training samples, 30 test samples",
        f"network: 4 inputs -> {hidden} hidden units -> 3 classes",
        f"training: {steps} steps, {settings}",
        "chance: a mean loss of ln 3 = 1.0986 nats",
        "gradient check: W1 ok, b1 ok, W2 ok, b2 ok",
    ]
    tenths = sorted({-(-steps * tenth // 10) for tenth in range(1, 11)})
    for start, step in zip([0, *tenths], tenths):
        number = str(step).rjust(len(str(steps)))
        lines.append(f"step {number}: mean loss {losses[start:step].mean():.4f}")
    for part, samples, labels in (("training", X, Y), ("test", X_test, Y_test)):
        log_P, n = raw_nn.forward(samples, params).log_P, len(samples)
        hits = (log_P.argmax(axis=1) == labels.argmax(axis=1)).sum()
        score = f"accuracy {100 * hits / n:.1f} % ({hits}/{n})"
        lines.append(f"{part} set: mean loss {-log_P[labels == 1].mean():.4f}, {score}")
    lines.append(f"loss curve: {plot or 'loss_curve.png'}\n")
    return losses, f"{hidden} hidden units, {settings}: test {score}", "\n".join(lines)


CHANGES = {  # another value for each flag
    "--hidden": 7,
    "--batch-size": 120,
    "--learning-rate": 0.01,
    "--steps": 12,
    "--seed": 2**32 - 1,
    "--plot": "other.PNG",
}
HELP = {  # what it says of each flag
    "--hidden HIDDEN": "number of hidden units (default: 20)",
    "--batch-size BATCH_SIZE": "samples per step (default: 8)",
    "--learning-rate LEARNING_RATE": "step per unit of gradient (default: 0.003)",
    "--steps STEPS": "number of updates (default: 1000)",
    "--seed SEED": "of split, initial weights and batches (default: 1)",
    "--plot PLOT": "picture to write (default: loss_curve.png)",
}


def test_the_default_run_prints_and_draws_what_the_functions_give(
    capsys, figures, folder
):
    settings = np.geterr()
    assert raw_nn.main([]) is None
    assert np.geterr() == settings
    losses, title, text = computed()
    assert capsys.readouterr() == (text, "")
    assert [path.name for path in folder.iterdir()] == ["loss_curve.png"]
    (axes,) = figures[0].axes
    assert axes.get_title() == title
    assert_array_equal(axes.lines[0].get_ydata(), losses)


@pytest.mark.parametrize("flag", CHANGES)
def test_each_flag_changes_the_result(flag, capsys, figures, folder):
    raw_nn.main(["--steps", "100", flag, str(CHANGES[flag])])  # the last one counts
    name = flag[2:].replace("-", "_")
    losses, title, text = computed(**{"steps": 100, name: CHANGES[flag]})
    assert capsys.readouterr().out == text
    assert figures[0].axes[0].get_title() == title
    picture = "other.PNG" if flag == "--plot" else "loss_curve.png"
    assert [path.name for path in folder.iterdir()] == [picture]
    assert imread(picture, format="png").shape == (600, 1080, 4)  # px for the README
    same_losses = np.array_equal(losses, computed(steps=100)[0])
    assert same_losses == (flag == "--plot")


def test_help_names_each_flag_and_these_tests_know_it(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    with pytest.raises(SystemExit) as end:
        raw_nn.main(["--help"])
    assert end.value.code == 0
    text = capsys.readouterr().out
    assert set(re.findall(r"^  (--\S+)", text, re.MULTILINE)) == set(CHANGES)
    assert f"\n\n{raw_nn.__doc__.splitlines()[0]}\n\n" in text
    for flag, words in HELP.items():
        assert f" {flag} {words}" in " ".join(text.split())


REFUSED = [  # arguments, what the last line says
    ("--steps 0", "steps must be a whole number from 1 to 1000000000, not 0"),
    ("--steps -5", "not -5"),
    ("--steps 10000000000", "not 10000000000"),
    ("--steps 2.5", "argument --steps: invalid int value: '2.5'"),
    ("--steps many", "argument --steps: invalid int value: 'many'"),
    ("--batch-size 0", "batch size must be a whole number from 1 to 120, not 0"),
    ("--batch-size -1", "not -1"),
    ("--batch-size 121", "not 121"),
    ("--batch-size 0.5", "argument --batch-size: invalid int value: '0.5'"),
    ("--batch-size x", "argument --batch-size: invalid int value: 'x'"),
    ("--hidden 0", "hidden must be a whole number from 1 to 1000000000, not 0"),
    ("--hidden -20", "not -20"),
    ("--hidden 10000000000", "not 10000000000"),
    ("--hidden 1e3", "argument --hidden: invalid int value: '1e3'"),
    ("--hidden two", "argument --hidden: invalid int value: 'two'"),
    ("--learning-rate 0", "learning rate must be finite and > 0, not 0.0"),
    ("--learning-rate -0.1", "not -0.1"),
    ("--learning-rate nan", "not nan"),
    ("--learning-rate inf", "not inf"),
    ("--learning-rate fast", "argument --learning-rate: invalid float value: 'fast'"),
    ("--seed -1", "seed must be a whole number from 0 to 4294967295, not -1"),
    ("--seed 4294967296", "not 4294967296"),
    ("--seed 1.5", "argument --seed: invalid int value: '1.5'"),
    (
        "--plot loss.xyz",
        "picture must be a .png file that can be written, not loss.xyz",
    ),
    ("--plot loss", "not loss"),
    ("--plot nowhere/loss.png", "not nowhere/loss.png"),
    ("--plot folder.png", "not folder.png"),
    ("--no-such-flag", "unrecognized arguments: --no-such-flag"),
    ("stray", "unrecognized arguments: stray"),
]


def refusal(arguments, capsys):
    """Run what is to end with usage and one line; return stdout and that line."""
    Path("loss_curve.png").write_text("old")
    with pytest.raises(SystemExit) as end:
        raw_nn.main(arguments.split())
    assert end.value.code == 2
    stdout, stderr = capsys.readouterr()
    usage, _, rest = stderr.partition("raw_nn.py: error: ")
    assert usage.startswith("usage: raw_nn.py [-h] ")
    assert rest.index("\n") == len(rest) - 1
    assert Path("loss_curve.png").read_text() == "old"
    return stdout, rest[:-1]


@pytest.mark.parametrize(("arguments", "message"), REFUSED)
def test_what_it_cannot_use_is_refused_before_all_else(
    arguments, message, capsys, folder
):
    (folder / "folder.png").mkdir()
    stdout, line = refusal(arguments, capsys)
    assert line.endswith(message)
    assert stdout == ""
    assert {path.name for path in folder.iterdir()} == {"folder.png", "loss_curve.png"}


def test_where_it_may_not_write_is_found_out_before_all_else(
    capsys, folder, monkeypatch
):
    def access(path, mode):  # as the system answers all but root
        return mode == os.W_OK and bool(os.stat(path).st_mode & 0o200)

    monkeypatch.setattr(os, "access", access)
    Path("kept").mkdir()
    Path("kept/mine.png").touch()
    Path("kept").chmod(0o500)
    Path("old.png").touch(0o400)
    for path in ("kept/new.png", "old.png"):
        stdout, line = refusal(f"--plot {path}", capsys)
        assert stdout == ""
        assert line.endswith(f"not {path}")
    raw_nn.main(["--steps", "1", "--plot", "kept/mine.png"])


@pytest.mark.parametrize("arguments", ["1e308", "1e308 --steps 1"])
@pytest.mark.parametrize("mode", ["warn", "raise"])
def test_divergence_ends_with_one_line_and_the_old_picture(arguments, mode, capsys):
    with warnings.catch_warnings(), np.errstate(all=mode):
        warnings.simplefilter("error")
        settings = np.geterr()
        _, line = refusal(f"--learning-rate {arguments}", capsys)
        assert np.geterr() == settings
    assert line.startswith("loss or parameters not finite at step ")


@pytest.mark.parametrize("arguments", ["1e300", "1e300 --steps 1", "1e200 --steps 1"])
def test_no_nan_is_printed_and_no_warning_of_numpy(arguments, capsys):
    # in the last one the parameters are finite after the step, but not the logits
    with warnings.catch_warnings(), np.errstate(all="warn"):
        warnings.simplefilter("error")
        with contextlib.suppress(SystemExit):
            raw_nn.main(["--learning-rate", *arguments.split()])
    assert not re.search("nan|inf", capsys.readouterr().out)


@pytest.mark.parametrize(
    "error", [MemoryError("Unable to allocate 1 TiB"), OSError(28)]
)
def test_too_little_memory_or_room_gets_one_line(error, capsys, monkeypatch):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(Figure, "savefig", fail)
    _, line = refusal("--steps 1", capsys)
    assert line == str(error)


def test_a_mistake_in_an_edit_keeps_its_traceback(monkeypatch, folder):
    for old, new, error in (
        ("a1.T @ dL_dh2", "a1 @ dL_dh2", ValueError),
        ("a1.T @ dL_dh2", "a1.T(dL_dh2)", TypeError),
    ):
        with pytest.raises(error) as caught:
            edited_script((old, new)).main([])
        assert "backward" in [entry.name for entry in caught.traceback]
    assert list(folder.iterdir()) == []


def lines_of(figure):
    """Return x and y of the losses, of their running mean and of the chance line."""
    (axes,) = figure.axes
    return [line.get_data() for line in axes.lines]


@pytest.mark.parametrize("steps", [1, 2, 20, 21, 1000])
def test_the_picture_shows_each_loss_and_their_running_mean(steps, figures):
    losses = np.random.default_rng(0).uniform(0.5, 2, steps)
    raw_nn.plot_loss(losses, "loss.png")
    (x, y), (middles, means), _ = lines_of(figures[0])
    assert_array_equal(x, np.arange(1, steps + 1))
    assert_array_equal(y, losses)
    window = -(-steps // 20)
    starts = range(steps - window + 1)
    assert_allclose(middles, [sum(x[i : i + window]) / window for i in starts])
    assert_allclose(means, [sum(y[i : i + window]) / window for i in starts])
    axes = figures[0].axes[0]
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
    assert axes.get_xlabel() == "step"
    assert axes.get_ylabel() == "mean loss per sample (nats)"
    assert axes.get_ylim()[0] == 0
    assert axes.get_ylim()[1] > np.log(5)
    names = [text.get_text() for text in axes.get_legend().get_texts()]
    assert names == ["mini-batch", "running mean of 50", "chance: ln 5 = 1.6094"]
    assert_array_equal(lines_of(figures[0])[2][1], np.log([5, 5]))
    assert default.get_title() == "Training loss"
    assert default.get_legend().get_texts()[2].get_text() == "chance: ln 3 = 1.0986"


def test_many_steps_are_thinned_out_and_their_means_are_still_of_whole_windows(figures):
    losses = np.random.default_rng(0).uniform(0.5, 2, 100_001)
    losses[50_000] = 1e6  # a mean by differences of sums would be wrong after this
    raw_nn.plot_loss(losses, "loss.png")
    (x, y), (middles, means), _ = lines_of(figures[0])
    assert 9_000 < len(x) <= 10_000
    assert 8_500 < len(means) <= 10_000
    assert x[0] == 1
    assert_array_equal(np.diff(x), 11)
    assert_array_equal(y, losses[x - 1])
    assert_array_equal(np.diff(middles), 11)
    half = (5001 - 1) / 2
    assert middles[0] == 1 + half
    for middle, mean in list(zip(middles, means))[::100]:
        assert_allclose(mean, losses[int(middle - 1 - half) :][:5001].mean())


def command(*arguments):
    return [sys.executable, "-W", "error", str(ROOT / "raw_nn.py"), *arguments]


def environment():
    """A display that is not there, a backend that wants one, and no settings."""
    hidden = ("DISPLAY", "WAYLAND_DISPLAY", "MATPLOTLIBRC", "PYTHONUNBUFFERED")
    kept = {name: value for name, value in os.environ.items() if name not in hidden}
    return {**kept, "MPLBACKEND": "TkAgg"}


def test_runs_are_alike_byte_for_byte_and_draw_the_committed_picture(capsysbinary):
    Path("apart").mkdir()
    process = subprocess.run(
        command(), cwd="apart", env=environment(), capture_output=True, check=False
    )
    raw_nn.main([])
    assert (process.returncode, process.stderr) == (0, b"")
    assert process.stdout == capsysbinary.readouterr().out
    apart, here = Path("apart/loss_curve.png"), Path("loss_curve.png")
    assert apart.read_bytes() == here.read_bytes()
    committed = ROOT / "loss_curve.png"
    difference = np.abs(imread(apart) - imread(committed)).max(axis=2)
    versions = {Image.open(path).text["Software"] for path in (apart, committed)}
    allowed = 0.001 if len(versions) == 1 else 0.03  # where letters look otherwise
    assert (difference > 0.1).mean() < allowed


def test_an_interrupted_run_has_shown_progress_and_keeps_the_old_picture(folder):
    (folder / "loss_curve.png").write_text("old")
    # where the tests are a background job, a child would be born deaf to the signal
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    with subprocess.Popen(
        command("--steps", "100000"),
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        signal.signal(signal.SIGINT, handler)
        plan = os.read(process.stdout.fileno(), 10_000)
        assert plan.endswith(b"b2 ok\n")  # shown before training had come to a tenth
        assert process.stdout.readline().startswith(b"step  10000: ")
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=50)
    assert b"step 100000: " not in stdout
    assert process.returncode == 130
    assert stderr == b"raw_nn.py: interrupted, nothing drawn\n"
    assert (folder / "loss_curve.png").read_text() == "old"
