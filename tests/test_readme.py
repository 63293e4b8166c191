"""README.md says what raw_nn.py does: equations, quotes, output, numbers, names."""

import doctest
import inspect
import re
import subprocess
import sys

import numpy as np
import pytest
import tables
from conftest import ROOT

import raw_nn

README = (ROOT / "README.md").read_text()
SOURCE = (ROOT / "raw_nn.py").read_text()
NUMBERED = {
    int(number): line
    for line in SOURCE.splitlines()
    for number in re.findall(r"# \((\d+)\)$", line)
}


def blocks(language):
    """Return the fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


def section(number):
    """Return the text of a section, up to the next one."""
    return re.search(
        rf"^## {number}\. .*?(?=^## |\Z)", README, re.MULTILINE | re.DOTALL
    )[0]


def rows(text):
    """Return the cells of every table row in text, rulers and headings included."""
    lines = (line for line in text.splitlines() if line.startswith("|"))
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def test_every_numbered_equation_has_its_line():
    tags = [int(tag) for tag in re.findall(r"\\tag\{(\d+)\}", README)]
    lines = [int(n) for n in re.findall(r"# \((\d+)\)$", SOURCE, re.MULTILINE)]
    assert tags == list(range(1, 22))
    assert lines == tags
    assert len(re.findall(r"# \(\d+\)", SOURCE)) == len(lines)  # none but at line ends


def test_quoted_code_stands_in_the_script():
    assert len(blocks("python")) >= 10
    for block in blocks("python"):
        assert f"\n{block}" in SOURCE


@pytest.mark.parametrize("number", NUMBERED)
def test_every_numbered_line_is_quoted_after_its_equation(number):
    after = README.split(f"\\tag{{{number}}}")[1].split("\n## ")[0]
    assert f"\n{NUMBERED[number]}\n" in after


def test_the_summary_has_every_line_and_its_function():
    table = rows(section(4))[2:]
    assert [cells[0] for cells in table] == [f"({number})" for number in NUMBERED]
    for (_, _, cell), line in zip(table, NUMBERED.values()):
        code, function = re.fullmatch(r"`(.*)` in `(\w+)`", cell).groups()
        assert line.split("  #")[0].strip() == code
        assert line in inspect.getsource(getattr(raw_nn, function))


def test_the_printed_text_is_what_the_command_prints(tmp_path):
    command = [sys.executable, ROOT / "raw_nn.py"]
    output = subprocess.check_output(command, cwd=tmp_path, text=True)
    assert blocks("text") == [output]


@pytest.mark.parametrize("number", range(len(blocks("pycon"))))
def test_sessions_run_as_shown(number):
    options = np.get_printoptions()
    parser = doctest.DocTestParser()
    test = parser.get_doctest(blocks("pycon")[number], {}, "README", "README.md", 0)
    assert test.examples
    results = doctest.DocTestRunner().run(test)
    np.set_printoptions(**options)
    assert results.failed == 0


def test_the_worked_example_has_the_numbers_of_the_functions():
    X, Y = np.array([[1.0, 2.0]]), np.array([[0.0, 1.0]])
    params = raw_nn.Params(
        np.array([[1.0, -1.0, -1.0], [0.5, 0.25, 1.0]]),
        np.zeros(3),
        np.array([[0.5, -0.5], [1.0, -1.0], [0.0, 1.0]]),
        np.zeros(2),
    )
    h1, a1, h2, log_P, P = activations = raw_nn.forward(X, params)
    gradient = raw_nn.backward(X, Y, activations, params)
    dL_da1 = (P - Y) @ params.W2.T
    before = raw_nn.nll_loss(log_P, Y)
    results = [("(5)", h1), ("(6)", a1), ("(7)", h2), ("(2), (9)", P), ("(12)", before)]
    results += [("(13)", P - Y), ("(14)", gradient.W2), ("(15)", gradient.b2)]
    results += [("(16)", dL_da1), ("(17)", gradient.b1)]  # of one sample: (17) is (19)
    results += [("(18)", gradient.W1), ("(19)", gradient.b1)]
    raw_nn.train(params, X, Y, np.random.default_rng(0), 1, 0.1, 1)
    results += [("(21)", theta) for theta in params]
    table = [cells for cells in rows(section(5)) if cells[0].startswith("(")]
    assert [cells[0].split(" $")[0] for cells in table] == [tag for tag, _ in results]
    for (_, _, cell), (_, result) in zip(table, results):
        printed = re.findall(r"-?\d+(?:\.\d+)?", cell.replace("{-}", "-"))
        assert [float(x) for x in printed] == np.round(np.ravel(result), 4).tolist()
    after = raw_nn.nll_loss(raw_nn.forward(X, params).log_P, Y)
    assert f"the loss from {before:.4f} to {after:.4f}." in section(5)


def test_the_symbols_are_names_of_the_script():
    table = rows(section(2))[2:]
    assert len(table) >= 10
    for cells in table:
        for name in re.findall(r"`([^`]+)`", cells[3]):
            assert name in SOURCE


def test_what_is_named_exists():
    flags = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", README))
    ours = raw_nn.command_parser().format_help()
    assert flags
    assert all(flag in ours for flag in flags)
    for path in re.findall(r"(?:tests/)?\w+\.(?:py|png|txt)\b", README):
        assert (ROOT / path).exists(), path
    tests = "".join(path.read_text() for path in (ROOT / "tests").glob("test_*.py"))
    for name in re.findall(r"`(test_\w+)`", README):
        assert f"def {name}(" in tests
    for anchor in re.findall(r"\]\(#([^)]+)\)", README):
        headings = re.findall(r"^#+ (.*)$", README, re.MULTILINE)
        slugs = [re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in headings]
        assert anchor in slugs


def test_the_commands_use_what_they_install():
    install = "python3 -m venv .venv && .venv/bin/pip install -r requirements.txt"
    first, second = blocks("bash")[:2]
    assert first == f"{install} && .venv/bin/python raw_nn.py\n"
    assert second == f"{install} pytest && .venv/bin/python -m pytest\n"


def test_mathematics_is_in_the_forms_that_github_keeps():
    assert not re.search(r"\\(operatorname|newcommand)|\$\$", README)
    prose = re.sub(r"```.*?```|\$`[^`]+`\$|`[^`]+`", "", README, flags=re.DOTALL)
    assert "$" not in prose
    assert "\\" not in prose


def test_requirements_have_lower_bounds_only():
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    names = [re.fullmatch(r"([\w-]+)>=\d+(?:\.\d+)*", line)[1] for line in lines]
    assert names == ["numpy", "scikit-learn", "matplotlib"]


def test_the_experiments_are_those_of_the_program():
    table = rows(section(7))[2:]
    assert len(table) == len(tables.EXPERIMENTS)
    for cells, (trial, why) in zip(table, tables.EXPERIMENTS):
        assert cells[0] == tables.name_of(trial)
        assert cells[3].startswith(why)


@pytest.mark.parametrize("number", range(len(tables.EXPERIMENTS)))
def test_the_experiments_come_out_as_the_readme_says(number):
    trial, _ = tables.EXPERIMENTS[number]
    cells = rows(section(7))[2 + number]
    mean, error = (float(part) / 100 for part in cells[1].split(" ± "))
    n_runs = 30 if error > 0.003 else 10  # more where they differ more
    runs = np.array([tables.run(trial, seed) for seed in range(2000, 2000 + n_runs)])
    runs = runs[~np.isnan(runs[:, 0])]  # other seeds than those of the table
    deviation = error * np.sqrt(1000 / len(runs))  # of a mean of fewer runs
    assert abs(np.mean(runs[:, 0]) - mean) <= 3 * deviation + 0.00005
    deviation = np.std(runs[:, 2], ddof=1) / np.sqrt(len(runs))
    assert abs(np.mean(runs[:, 2]) - float(cells[2])) <= 4 * deviation + 0.0005


def test_the_mean_accuracy_is_one_number_throughout():
    mean = rows(section(6))[2][1].split()[0]
    assert f"the mean is {mean} %" in section(1)
    assert rows(section(7))[2][1].split()[0] == mean
