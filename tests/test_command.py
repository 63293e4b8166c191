"""The command `python raw_nn.py`, run as its user runs it: in a process of its own."""

import os
import re
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from conftest import ROOT
from matplotlib.image import imread

import raw_nn

STEP = re.compile(r"^step +(\d+): mean loss (\d+\.\d{4})$", re.MULTILINE)
RESULT = re.compile(
    r"^(training|test) set: mean loss (\d+\.\d{4}), accuracy (\d+\.\d) % \((\d+)/(\d+)\)$",
    re.MULTILINE,
)

GOOD = {  # name: arguments
    "default": [],
    "again": [],
    "hidden": ["--hidden", "1"],
    "batch-size": ["--batch-size", "120"],
    "learning-rate": ["--learning-rate", "0.03"],
    "steps": ["--steps", "12"],
    "seed": ["--seed", "4294967295"],
    "plot": ["--plot", "other.PNG", "--steps", "1"],
}
COUNT = "must be a positive whole number, not"
RATE = "learning rate must be finite and > 0, not"
SEED = "seed must be a whole number from 0 to 2**32 - 1, not"
DIVERGED = "loss or parameters are no longer finite at step {}: lower the learning rate"
BAD = [  # arguments, what the line says
    (["--steps", "0"], f"steps {COUNT} 0"),
    (["--steps", "-5"], f"steps {COUNT} -5"),
    (["--steps", "2.5"], "argument --steps: invalid int value: '2.5'"),
    (["--steps", "many"], "argument --steps: invalid int value: 'many'"),
    (["--batch-size", "0"], f"batch size {COUNT} 0"),
    (["--batch-size", "-1"], f"batch size {COUNT} -1"),
    (["--batch-size", "0.5"], "argument --batch-size: invalid int value: '0.5'"),
    (["--batch-size", "x"], "argument --batch-size: invalid int value: 'x'"),
    (["--batch-size", "121"], "batch size 121 exceeds the 120 samples"),
    (["--hidden", "0"], f"number of hidden units {COUNT} 0"),
    (["--hidden", "-20"], f"number of hidden units {COUNT} -20"),
    (["--hidden", "1e3"], "argument --hidden: invalid int value: '1e3'"),
    (["--hidden", "two"], "argument --hidden: invalid int value: 'two'"),
    (["--learning-rate", "0"], f"{RATE} 0.0"),
    (["--learning-rate", "-0.1"], f"{RATE} -0.1"),
    (["--learning-rate", "nan"], f"{RATE} nan"),
    (["--learning-rate", "inf"], f"{RATE} inf"),
    (["--learning-rate", "1e300"], DIVERGED.format(2)),
    (["--learning-rate", "1e300", "--steps", "1"], DIVERGED.format(1)),
    (["--learning-rate", "1e160", "--steps", "1"], DIVERGED.format(1)),
    (["--seed", "-1"], f"{SEED} -1"),
    (["--seed", "4294967296"], f"{SEED} 4294967296"),
    (["--plot", "loss.xyz"], "the picture must be a .png file, not 'loss.xyz'"),
    (["--plot", "nowhere/loss.png"], "No such file or directory"),
    (["--plot", "folder.png"], "folder.png, which is not a file"),
    (["--no-such-flag"], "unrecognized arguments: --no-such-flag"),
]
BAD_TOO = [  # checked within this process, to save time
    (["--steps", "10000000000000"], "Unable to allocate"),
    (
        ["--learning-rate", "fast"],
        "argument --learning-rate: invalid float value: 'fast'",
    ),
    (["--seed", "1.5"], "argument --seed: invalid int value: '1.5'"),
    (["--plot", "loss"], "the picture must be a .png file, not 'loss'"),
    (["stray"], "unrecognized arguments: stray"),
]


def command(*arguments):
    return [sys.executable, "-W", "error", str(ROOT / "raw_nn.py"), *arguments]


def environment():
    """A display that is not there, a backend that wants one, and no settings."""
    hidden = ("DISPLAY", "WAYLAND_DISPLAY", "MATPLOTLIBRC", "PYTHONUNBUFFERED")
    kept = {name: value for name, value in os.environ.items() if name not in hidden}
    return {**kept, "MPLBACKEND": "TkAgg"}


def run(folder, arguments):
    return subprocess.run(
        command(*arguments),
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module", autouse=True)
def runs(tmp_path_factory):
    """Start all runs of GOOD and BAD, two at a time: {case: (future, folder)}."""
    with ThreadPoolExecutor(2) as pool:
        started = {}
        for name, arguments in GOOD.items():
            folder = tmp_path_factory.mktemp("good")
            started[name] = pool.submit(run, folder, arguments), folder
        for number, (arguments, _) in enumerate(BAD):
            folder = tmp_path_factory.mktemp("bad")
            (folder / "loss_curve.png").write_text("old")
            (folder / "folder.png").mkdir()
            started[number] = pool.submit(run, folder, arguments), folder
        yield started
        pool.shutdown(cancel_futures=True)  # where a test has failed before


def finished(runs, case):
    """Wait for a run; return its process and its folder."""
    future, folder = runs[case]
    return future.result(), folder


def names_in(folder):
    return {path.name for path in folder.iterdir()}


def test_help_names_every_flag_with_its_default():
    text = " ".join(subprocess.check_output(command("--help"), text=True).split())
    for flag, default in {
        "hidden": "20",
        "batch-size": "8",
        "learning-rate": "0.003",
        "steps": "1000",
        "seed": "0",
        "plot": "loss_curve.png",
    }.items():
        assert re.search(rf"--{flag} [A-Z_]+ [^()]*\(default: {default}\)", text)


def test_an_interrupted_run_has_shown_progress_and_keeps_the_old_picture(tmp_path):
    picture = tmp_path / "loss_curve.png"
    picture.write_text("old")
    # where the tests are a background job, a child would be born deaf to the signal
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    with subprocess.Popen(
        command("--steps", "100000"),
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        signal.signal(signal.SIGINT, handler)
        plan = os.read(process.stdout.fileno(), 10_000).decode()
        assert "100000 steps" in plan
        assert "step " not in plan  # it was shown before training had come to a tenth
        lines = iter(process.stdout.readline, "")
        assert next(lines).startswith("step  10000: ")
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=60)
    assert "step 100000: " not in stdout
    assert process.returncode == 130
    assert stderr == "raw_nn.py: interrupted, nothing drawn\n"
    assert picture.read_text() == "old"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_found_out_before_training(tmp_path):
    tmp_path.chmod(0o500)
    process = subprocess.run(
        command(), cwd=tmp_path, capture_output=True, text=True, check=False
    )
    tmp_path.chmod(0o700)
    assert process.returncode == 2
    assert process.stderr.count("\n") == 1
    assert "Permission denied" in process.stderr
    assert process.stdout == ""


def test_check_plot_path_changes_nothing(tmp_path):
    new, old = tmp_path / "new.png", tmp_path / "old.png"
    old.write_text("old")
    to_new, to_old = tmp_path / "to_new.png", tmp_path / "to_old.png"
    to_new.symlink_to(new)
    to_old.symlink_to(old)
    for path in (new, old, to_new, to_old):
        raw_nn.check_plot_path(path)
    assert not new.exists()
    assert old.read_text() == "old"
    assert to_new.is_symlink()
    assert to_old.is_symlink()


def interior(path):
    """The gray values within the frame and below the legend, where no text is."""
    gray = imread(path)[..., :3].mean(axis=2)
    assert gray.shape == (600, 1080)
    return gray[160:530, 85:1050]


def test_the_picture_has_a_size_for_the_readme():
    assert (ROOT / "loss_curve.png").stat().st_size < 150_000


@pytest.mark.parametrize("steps", [2, 19, 20, 21, 100_000])
def test_any_number_of_losses_can_be_drawn(tmp_path, steps):
    path = tmp_path / "loss.png"
    raw_nn.plot_loss(np.linspace(1, 0, steps), str(path))
    assert interior(path).min() < 0.5 < interior(path).max()


@pytest.mark.parametrize(("arguments", "message"), BAD_TOO)
def test_more_bad_input_gets_one_line(arguments, message, capsys):
    with pytest.raises(SystemExit) as exit_info:
        raw_nn.main(arguments)
    assert exit_info.value.code == 2
    stderr = capsys.readouterr().err
    assert stderr.startswith("raw_nn.py: error: ")
    assert message in stderr
    assert stderr.count("\n") == 1


def test_main_takes_arguments_and_returns(tmp_path, capsys):
    assert raw_nn.main(["--steps", "5", "--plot", str(tmp_path / "a.png")]) is None
    assert STEP.findall(capsys.readouterr().out)[-1][0] == "5"
    assert (tmp_path / "a.png").exists()


@pytest.mark.parametrize("name", GOOD)
def test_good_runs_are_clean(runs, name):
    process, folder = finished(runs, name)
    assert process.returncode == 0
    assert process.stderr == ""
    picture = "other.PNG" if name == "plot" else "loss_curve.png"
    assert names_in(folder) == {picture}
    assert process.stdout.endswith(f"loss curve: {picture}\n")
    assert len(RESULT.findall(process.stdout)) == 2


def test_two_runs_are_alike_byte_for_byte(runs):
    (first, folder), (second, other) = (
        finished(runs, name) for name in ("default", "again")
    )
    assert first.stdout == second.stdout
    pictures = [path / "loss_curve.png" for path in (folder, other)]
    assert pictures[0].read_bytes() == pictures[1].read_bytes()


def test_the_plan_comes_first(runs):
    output = finished(runs, "default")[0].stdout
    plan = output.split("step  100")[0]
    for words in (
        "120 training samples, 30 test samples",
        "4 inputs -> 20 hidden units -> 3 classes",
        "1000 steps, batch size 8, learning rate 0.003, seed 0",
        "ln 3 = 1.0986 nats",
    ):
        assert words in plan
    settings = {
        "hidden": "-> 1 hidden units ->",
        "batch-size": "batch size 120,",
        "learning-rate": "learning rate 0.03,",
        "steps": "12 steps,",
        "seed": "seed 4294967295",
    }
    for name, words in settings.items():
        assert words in finished(runs, name)[0].stdout
        assert words not in output


@pytest.mark.parametrize("name", GOOD)
def test_what_is_printed_is_what_train_returns(runs, name):
    arguments = dict(zip(GOOD[name][::2], GOOD[name][1::2]))
    seed = int(arguments.get("--seed", 0))
    X_train, Y_train, X_test, Y_test = raw_nn.load_iris_split(seed)
    rng = np.random.default_rng(seed)
    params = raw_nn.init_params(rng, 4, int(arguments.get("--hidden", 20)), 3)
    steps = int(arguments.get("--steps", 1000))
    losses = raw_nn.train(
        params,
        X_train,
        Y_train,
        rng,
        int(arguments.get("--batch-size", 8)),
        float(arguments.get("--learning-rate", 0.003)),
        steps,
    )
    output = finished(runs, name)[0].stdout
    printed = STEP.findall(output)
    assert len(printed) == min(10, steps)
    assert int(printed[-1][0]) == steps
    start = 0
    for step, loss in printed:
        assert loss == f"{losses[start : int(step)].mean():.4f}"
        start = int(step)
    for (part, loss, percent, right, count), (X, Y) in zip(
        RESULT.findall(output), ((X_train, Y_train), (X_test, Y_test))
    ):
        log_P = raw_nn.forward(X, params).log_P
        hits = (log_P.argmax(axis=1) == Y.argmax(axis=1)).sum()
        assert (int(right), int(count)) == (hits, len(X)), part
        assert percent == f"{100 * hits / len(X):.1f}"
        assert loss == f"{-log_P[Y == 1].mean():.4f}"


def test_the_committed_picture_is_the_one_that_is_drawn(runs):
    committed = interior(ROOT / "loss_curve.png")
    drawn = interior(finished(runs, "default")[1] / "loss_curve.png")
    another = interior(finished(runs, "seed")[1] / "loss_curve.png")
    assert np.mean(np.abs(drawn - committed) > 0.1) < 0.001
    assert np.mean(np.abs(another - committed) > 0.1) > 0.05


@pytest.mark.parametrize("case", range(len(BAD)), ids=lambda i: " ".join(BAD[i][0]))
def test_bad_input_gets_one_line(runs, case):
    process, folder = finished(runs, case)
    message = BAD[case][1]
    assert process.returncode == 2
    assert process.stderr.count("\n") == 1
    assert process.stderr.startswith("raw_nn.py: error: ")
    assert message in process.stderr
    assert (folder / "loss_curve.png").read_text() == "old"
    assert names_in(folder) == {"folder.png", "loss_curve.png"}
    if "no longer finite" not in message:  # all else is found before training
        assert process.stdout == ""
