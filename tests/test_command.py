"""The command prints and draws what was computed, and refuses the rest in one line."""

import inspect
import math
import re
import subprocess
import sys
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import right_or_wrong
from matplotlib.figure import Figure
from matplotlib.image import imread
from numpy.testing import assert_allclose, assert_array_equal
from problems import DEFAULTS, ROOT, edited

import raw_nn

# no flag, and other values for each; each value changes what is printed or drawn
CHANGES = ["", "--hidden 1", "--batch-size 120", "--batch-size 1", "--steps 1"]
CHANGES += ["--seed 4294967295", "--seed 0", "--plot other.PNG", "--learning-rate 0.01"]


def test_the_command_gives_what_the_functions_give(capsys, folder, monkeypatch):
    save = mock.create_autospec(Figure.savefig, side_effect=Figure.savefig)
    monkeypatch.setattr(Figure, "savefig", save)
    seen = []
    own = lambda f: {k: given[k] for k in inspect.signature(f).parameters if k in given}
    for change in CHANGES:
        raw_nn.main(change.split())
        stdout, stderr = capsys.readouterr()
        option, _, value = change[2:].replace("-", "_").partition(" ")
        given = DEFAULTS | ({option: type(DEFAULTS[option])(value)} if change else {})
        X, X_test, Y, Y_test, _ = raw_nn.load_iris_split(**own(raw_nn.load_iris_split))
        rng = np.random.default_rng(given["seed"])
        params = raw_nn.init_params(rng, 4, given["hidden"], 3)
        losses = raw_nn.train(X, Y, params, rng, **own(raw_nn.train), show=True)
        title = "{hidden} hidden|size {batch_size}|rate {learning_rate}|seed {seed}"
        title = title.format(**given).split("|")
        owed = [*title, f"{given['steps']} steps", given["plot"].name, "b2 ok"]
        owed += [capsys.readouterr().out, f"ln 3 = {np.log(3):.4f}"]
        for kind, samples, labels in (("training", X, Y), ("test", X_test, Y_test)):
            log_P, n = raw_nn.forward(samples, params).log_P, len(samples)
            hits = (log_P.argmax(axis=1) == labels.argmax(axis=1)).sum()
            owed += [f"{kind} set: mean loss {-log_P[labels == 1].mean():.4f}, "]
            owed += [f"{n} {kind}", f"accuracy {100 * hits / n:.1f} % ({hits}/{n})"]
        axes = save.call_args[0][0].axes[0]
        lacks = [text for text in owed if text not in stdout]
        lacks += [t for t in (*title, owed[-1]) if t not in axes.get_title()]
        assert (change, stderr, lacks) == (change, "", [])
        line, mean, chance = axes.lines
        window = math.ceil(len(losses) / 20)
        assert_array_equal(line.get_ydata(), losses)
        assert mean.get_xdata()[[0, -1]].sum() == len(losses) + 1  # in the middle
        assert len(mean.get_xdata()) == len(losses) - window + 1
        assert_allclose(mean.get_ydata()[-1], losses[-window:].mean())
        assert_allclose(chance.get_ydata(), np.log(3))
        assert list(folder.iterdir()) == [folder / given["plot"]]
        assert imread(given["plot"], format="png").shape == (600, 1080, 4)  # in README
        given["plot"].unlink()
        results = re.findall(r"set: .*|curve: .*|step .*", stdout)
        assert results not in seen, f"{change} changes nothing that is computed"
        seen.append(results)


def test_the_network_that_is_checked_is_the_one_to_be_trained(capsys, monkeypatch):
    check, train = mock.Mock(return_value="was called"), mock.Mock(return_value=[1.0])
    monkeypatch.setattr(raw_nn, "check_gradient", check)
    monkeypatch.setattr(raw_nn, "train", train)
    for hidden in (1, 20, 21, 3000):
        raw_nn.main(["--hidden", str(hidden)])
        X, Y, first = check.call_args[0]
        W1, b1, W2, b2 = train.call_args[0][2]
        assert (X.shape, Y.shape) == ((8, 4), (8, 3))
        for ours, theta in zip(first, (W1[:, :20], b1[:20], W2[:20], b2)):
            assert_array_equal(ours, theta)
        said = re.search(r"was called(.*)", capsys.readouterr().out)[1]
        assert ("20" in said) == (hidden > 20)  # that these are not all


def test_help_names_each_flag_and_its_default(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    with pytest.raises(SystemExit, match="^0$"):
        raw_nn.main(["--help"])
    text = " ".join(capsys.readouterr().out.split())
    for option, default in DEFAULTS.items():
        flag = f"--{option.replace('_', '-')}"
        assert any(c.startswith(flag) for c in CHANGES), f"put {flag} into CHANGES"
        assert any(c.startswith(flag) for c in REFUSED), f"put {flag} into REFUSED"
        assert re.search(rf"{flag} \w+ .*?\(default: (\S+)\)", text)[1] == str(default)
    for option in inspect.signature(raw_nn.train).parameters.values():
        wanted = DEFAULTS.get(option.name, option.default)
        assert option.default == wanted, "train and the command have other defaults"


REFUSED = {  # arguments: a word that the message has to name
    **dict.fromkeys(["--steps 0", "--steps 2.5"], "steps"),
    **dict.fromkeys(["--hidden 0", "--hidden 1e3"], "hidden"),
    **dict.fromkeys(["--batch-size 0", "--batch-size 121"], "1 to 120"),
    **dict.fromkeys(["--seed -1", "--seed 4294967296", "--seed 1.5"], "seed"),
    **{f"--learning-rate {x}": "rate" for x in (0, -0.1, "nan", "inf", "fast")},
    **{f"--plot {x}": ".png" for x in ("a.md", "loss", "nowhere/loss.png")},
}
FAILS = ["1e308 --steps 1", "1e200 --steps 1"]  # finite parameters, but not the logits
FAILS += ["3 --steps 3", "1e300 --steps 1"]  # seen after the last step alone
FAILS += ["4 --batch-size 1"]  # a finite loss, of many digits
FAILS += ["4 --batch-size 1 --seed 2"]  # one that has fallen again
FAILS = {f"--learning-rate {arguments}": "rate" for arguments in FAILS}
FAILS |= {"--steps 1 --plot taken.png": "taken.png"}  # it cannot be written


@pytest.mark.filterwarnings("error")
def test_what_it_cannot_do_ends_with_one_line_and_the_old_picture(capsys, folder):
    Path("taken.png").mkdir()
    DEFAULTS["plot"].write_text("old")
    for arguments, named in (REFUSED | FAILS).items():
        with np.errstate(all="warn"), pytest.raises(SystemExit, match="^2$"):
            raw_nn.main(arguments.split())
        stdout, stderr = capsys.readouterr()
        usage, _, line = stderr.partition("raw_nn.py: error: ")
        assert usage.startswith("usage: ") == (arguments in REFUSED), arguments
        assert (arguments, line.find("\n")) == (arguments, len(line) - 1)
        assert named in line, f"{arguments}: the message is to name {named!r}"
        assert not re.search(r"\bnan\b|\binf\b", stdout)
    assert {*folder.iterdir()} == {folder / "taken.png", folder / DEFAULTS["plot"]}
    assert DEFAULTS["plot"].read_text() == "old"
    mistake = edited(("return Params(dL_dW1,", "return Params(dL_dW1 @ X,"))
    with pytest.raises(ValueError, match="operand|shape"):  # with its traceback
        mistake.main([])


def test_a_process_prints_and_draws_the_same_and_the_committed_pictures(capsysbinary):
    Path("apart").mkdir()
    call = [sys.executable, "-W", "error", ROOT / "raw_nn.py"]
    process = subprocess.run(call, capture_output=True, check=False, cwd="apart")
    assert (process.returncode, process.stderr) == (0, b"")
    raw_nn.main([])
    assert process.stdout.split() == capsysbinary.readouterr().out.split()
    assert Path("apart/loss_curve.png").read_bytes() == DEFAULTS["plot"].read_bytes()
    right_or_wrong.draw("right_or_wrong.png")
    for picture in ("loss_curve.png", right_or_wrong.PICTURE):
        old, new = imread(ROOT / picture), imread(Path(picture).name)
        squares = (old - new).reshape(len(old) // 12, 12, -1, 12, 4)  # of pixels
        different = np.abs(squares.mean(axis=(1, 3))).max(axis=-1) > 0.05
        advice = f"draw {picture} anew: raw_nn.py, tests/programs/right_or_wrong.py"
        assert different.mean() < 0.03, advice  # letters may differ
