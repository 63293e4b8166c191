"""README.md says what raw_nn.py does: quotes, printed text, pasted blocks, figures, names.

Its formulas are in test_formulas.py.
"""

import ast
import contextlib
import inspect
import io
import json
import re

import measure_tables
import numpy as np
import pytest
from conftest import ROOT
from page import PARTS, README, SOURCE, Console, blocks, is_quote, rows
from problems import edited_script
from sklearn.datasets import load_iris

import raw_nn

MEASURED = json.loads((ROOT / "tests" / "measured.json").read_text(encoding="utf-8"))
NUMBERED = dict(re.findall(r"^ *(.*?)  # .*?\((\d+)\)$", SOURCE, re.MULTILINE))
LINES = {int(number): line for line, number in NUMBERED.items()}


# ---- Quotes and the table of all formulas ----


def test_the_numbers_of_the_lines_count_up_and_only_end_a_line():
    assert list(LINES) == list(range(1, len(LINES) + 1))
    assert len(re.findall(r"\(\d+\)$", SOURCE, re.MULTILINE)) == len(LINES)


@pytest.mark.parametrize("number", LINES)
def test_a_numbered_line_is_quoted_after_its_formula(number):
    after = README.split(f"\\tag{{{number}}}")[1].split("\n## ")[0]
    quotes = [block for block in blocks("python", after) if is_quote(block)]
    assert any(LINES[number] in block for block in quotes)


def test_the_table_has_each_line_and_its_function():
    cells = [row[2] for row in rows(PARTS["12"])]
    for cell, line in zip(cells, LINES.values(), strict=True):
        code, function = re.fullmatch(r"`(.*)` in `(\w+)`", cell).groups()
        assert code == line
        assert line in inspect.getsource(getattr(raw_nn, function))


UNNUMBERED = """
kept = theta[i]
theta[i] = kept + epsilon
L_up = nll_loss(forward(X, params).log_P, Y)
theta[i] = kept - epsilon
L_down = nll_loss(forward(X, params).log_P, Y)
theta[i] = kept
return gradient
return P, log_P
W1, b1, W2, b2 = params
return Activations(h1, a1, h2, P, log_P)
h1, a1, P = activations.h1, activations.a1, activations.P
W2 = params.W2
return Params(dL_dW1, dL_db1, dL_dW2, dL_db2)
activations = forward(X, params)
gradient = backward(X, Y, activations, params)
return mean_loss
""".strip().splitlines()  # what takes apart, puts together, nudges and calls


def test_each_line_of_the_network_that_computes_has_a_number():
    found = []
    network = "relu softmax forward nll_loss numeric_gradient backward xavier_uniform"
    for name in [*network.split(), "sgd_step", "predict", "accuracy"]:
        lines = inspect.getsource(getattr(raw_nn, name)).splitlines()
        for node in ast.walk(ast.parse("\n".join(lines))):
            if isinstance(node, (ast.Assign, ast.AugAssign, ast.Return, ast.Expr)):
                found.append(lines[node.lineno - 1].strip())
    found = [line for line in found if '"""' not in line]
    unnumbered = [line for line in found if not re.search(r"\(\d+\)$", line)]
    copies = [line for line in unnumbered if " = Params(*(np." in line]
    assert len(copies) == 2  # of the parameters and their gradient, to be filled
    assert sorted(set(unnumbered) - set(copies)) == sorted(UNNUMBERED)


def test_the_check_of_every_run_is_as_part_8_says():
    assert "The script takes $`10^{-6}`$." in PARTS["8"]
    assert (
        inspect.signature(raw_nn.numeric_gradient).parameters["epsilon"].default == 1e-6
    )
    assert "on eight training flowers and a network of ten hidden units" in PARTS["8"]
    assert "check_gradient(X[:8], Y[:8], small)" in SOURCE
    assert "small = init_params(np.random.default_rng(seed), n_in, 10, n_out)" in SOURCE


def test_the_symbols_of_the_script_and_of_the_page_are_the_same():
    table = [name for row in rows(PARTS["2"]) for name in re.findall(r"`(\w+)", row[3])]
    used = set()
    for function in ("softmax", "forward", "nll_loss", "numeric_gradient", "backward"):
        used |= names_in(getattr(raw_nn, function))
    used |= names_in(raw_nn.xavier_uniform) | names_in(raw_nn.sgd_step)
    explained = {"h", "i", "kept", "L_up", "L_down", "rng"}  # where they are used
    bundles = {"params", "activations", "gradient"}  # of arrays that are in the table
    gradients = {name for name in used if re.fullmatch(r"dL_d[Wbha][12]", name)}
    assert used - explained - bundles - gradients == set(table) - {"nll_loss", "dL_dW1"}


def names_in(function):
    """Return the names of the variables of a function."""
    code = function.__code__
    inner = [const for const in code.co_consts if inspect.iscode(const)]
    inner = {name for code in inner for name in code.co_varnames}
    return {name for name in {*code.co_varnames, *inner} if not name.startswith(".")}


# ---- Shapes ----

SIZES = {"n": 8, "in": 4, "hidden": 20, "out": 3, "1": 1}


def shapes(text):
    """Return the shapes that a text names, such as (n, out), as tuples of sizes."""
    found = re.findall(r"\(((?:n|in|hidden|out|\d+),(?: ?\w+,?)*)\)", text)
    names = [re.findall(r"\w+", shape) for shape in found]
    return [tuple(int(SIZES.get(name, name)) for name in shape) for shape in names]


def arrays():
    """Return the arrays of a step on Iris by their names in the script."""
    X, Y, *_ = raw_nn.load_iris_split()
    X, Y = X[:8], Y[:8]
    params = raw_nn.init_params(np.random.default_rng(1), 4, 20, 3)
    found = {"X": X, "Y": Y} | params._asdict()
    found |= (activations := raw_nn.forward(X, params))._asdict()
    gradient = raw_nn.backward(X, Y, activations, params)
    found |= {f"dL_d{name}": slope for name, slope in gradient._asdict().items()}
    found |= {"dL_dh2": found["P"], "dL_da1": found["a1"], "dL_dh1": found["h1"]}
    h2 = found["h2"]  # softmax keeps its shape, but for the sum along a row
    return found | {"s": h2, "e": h2, "total": h2.sum(axis=-1, keepdims=True)}


def test_the_table_of_symbols_has_the_shapes_of_the_arrays():
    known = {name: array.shape for name, array in arrays().items()}
    checked = set()
    for _, _, cell, names in rows(PARTS["2"]):
        wanted = [known.get(name) for name in re.findall(r"`(\w+)`", names)]
        if "(" not in cell:
            continue
        each = shapes(cell)
        if "=" in cell:  # the shape in words, then in numbers
            assert each[::2] == each[1::2]
            each = each[::2]
        assert each in (wanted, wanted[:1]), cell  # or one shape for all in the row
        assert set(wanted) == set(each)
        checked |= set(re.findall(r"`(\w+)`", names))
    assert {"X", "Y", "W1", "b2", "h1", "a1", "h2", "s", "total", "P"} <= checked


def test_the_comments_of_the_script_have_the_shapes_of_the_arrays():
    known = {name: array.shape for name, array in arrays().items()}
    lines = re.findall(
        r"^ *(.*?)(?: = .*|: np.*)?  # (\(.*\w,?\)) ?",
        SOURCE.split("class Params")[1],
        re.MULTILINE,
    )
    checked = 0
    for line, comment in lines:
        for name in line.split(", "):
            if name in known and shapes(comment):
                assert shapes(comment)[0] == known[name], line
                checked += 1
    assert checked == 22


def test_products_of_shapes_are_right():
    pattern = r"\((\w+), (\w+)\) times (?:a shape )?\((\w+), (\w+)\) is (?:a shape )?\((\w+), (\w+)\)"
    products = re.findall(pattern, " ".join(README.split()))
    for a, inner, first, b, c, d in products:
        assert (inner, a, b) == (first, c, d)
    assert [p[-2:] for p in products] == [("n", "j"), ("in", "out"), ("n", "in")]
    words = (
        "its inputs $`A`$ have the shape (n, in), its outputs $`H`$ the shape (n, out)."
    )
    assert words in " ".join(README.split())


def test_the_comments_in_pasted_blocks_have_the_shapes_of_the_arrays():
    checked = 0
    for part in PASTED:
        for block, _ in pasteable(part):
            lines = block.splitlines()
            for i, line in enumerate(lines):
                found = re.match(r"([\w, ]+?) = .*  # (\(.*)", line)
                if not found:
                    continue
                names, comment = found.groups()
                console = Console()
                console.paste("\n".join(lines[: i + 1]))
                for name, shape in zip(names.split(", "), shapes(comment)):
                    assert console.locals[name].shape == shape, line
                    checked += 1
    assert checked == 6


# ---- Printed text and pasted blocks ----


def run_command(module, *arguments):
    with contextlib.redirect_stdout(io.StringIO()) as out:
        module.main(list(arguments))
    return out.getvalue()


def test_the_first_output_is_that_of_the_command(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert blocks("text", PARTS["1"])[0] == run_command(raw_nn)


def test_the_output_without_the_mask_is_that_of_the_edited_command(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    output = run_command(
        edited_script(("dL_dh1 = dL_da1 * (h1 > 0.0)", "dL_dh1 = dL_da1"))
    )
    shown = blocks("text", PARTS["8"])[0].split("...\n")
    assert output.startswith(shown[0].split("\n", 1)[0][:0] + "Iris")
    for piece in shown:
        assert piece in output


def pasteable(part):
    """Return the blocks to paste in a part, each with the text block below it."""
    pattern = r"^```python\n(.*?)^```$(?:\n\n^```text\n(.*?)^```$)?"
    found = re.findall(pattern, PARTS[part], re.DOTALL | re.MULTILINE)
    return [(block, text) for block, text in found if not is_quote(block)]


PASTED = [part for part in PARTS if pasteable(part)]


@pytest.mark.parametrize("part", PASTED)
def test_what_is_pasted_prints_what_is_shown(part):
    console = Console()
    for block, text in pasteable(part):
        assert console.paste(block) == text


def test_each_part_with_blocks_to_paste_is_known():
    assert PASTED == ["2", "3", "7", "8", "11", "13"]


# ---- The numbers of the examples ----

MINUS = str.maketrans("−·", "-*")


def value(text):
    """Return what an expression such as 2 · (−0.5, 0.5) + 3 amounts to, as an array."""
    text = re.sub(r"\(([^()]*,[^()]*)\)", r"np.array([\1])", text.translate(MINUS))
    return eval(text, {"np": np})


def numbers(text):
    """Return all numbers of a text."""
    return [float(x) for x in re.findall(r"-?\d+\.?\d*", text.translate(MINUS))]


def split_outside(text):
    """Return the parts of a text between its commas that are not in parentheses."""
    return re.split(r", (?![^()]*\))", text)


def test_the_first_flower_is_worked_out_right():
    lines = re.findall(r"^- (.+?): (.+) = \*\*(.+)\*\*$", PARTS["2"], re.MULTILINE)
    results = [value(right) for _, _, right in lines]
    for (_, left, _), result in zip(lines, results, strict=True):
        assert value(left) == pytest.approx(result)
    console = Console()
    console.paste(pasteable("2")[0][0])
    h1, _, h2, P = (console.locals[name] for name in ("h1", "a1", "h2", "P"))
    assert results == pytest.approx([*h1, *h2])
    shares = re.search(r"^- setosa \*\*.*$", PARTS["2"], re.MULTILINE)[0]
    assert numbers(shares) == np.round(P, 3).tolist()
    edges = re.findall(r"(\w+)(?:\(\(.*?\)\))? -->\|(.*?)\| (\w+)", PARTS["2"])
    weights = {(a, b): value(w) for a, w, b in edges}
    W1, _, W2, _ = console.locals["params"]
    units, classes = ("u1", "u2"), ("o1", "o2", "o3")
    assert [[weights[f"x{d}", u] for u in units] for d in (1, 2, 3, 4)] == W1.tolist()
    assert [[weights[u, c] for c in classes] for u in units] == W2.tolist()
    nodes = re.findall(r'x\d\(\("(.*?)"\)\)', PARTS["2"])
    assert [value(node) for node in nodes] == console.locals["x"].tolist()


def example():
    """Return what the script has for the example by hand, by the numbers of formulas."""
    console = Console()
    console.paste(blocks("python", PARTS["7"])[0].split("mean_loss = ")[0])
    X, Y, params, activations, gradient = (
        console.locals[name] for name in ("X", "Y", "params", "activations", "gradient")
    )
    h1, a1, h2, P, log_P = activations
    dL_da1 = (P - Y) @ params.W2.T
    found = [h1, a1, h2, P, raw_nn.nll_loss(log_P, Y)]
    found += [P - Y, gradient.W2, gradient.b2, dL_da1, dL_da1 * (h1 > 0)]
    found += [gradient.W1, gradient.b1]
    raw_nn.sgd_step(params, X, Y, 0.1)
    return dict(zip([*range(7, 12), *range(13, 20)], found)), params


def test_the_example_by_hand_has_the_numbers_of_the_script():
    found, params = example()
    table = [(int(row[0][1:].split(")")[0]), row) for row in rows(PARTS["7"])]
    assert [number for number, _ in table] == [*found, 23, 23, 23, 23]
    wanted = [*found.values(), *params]
    for (_, (_, _, cell)), result in zip(table, wanted, strict=True):
        assert numbers(cell) == pytest.approx(np.round(np.ravel(result), 4).tolist())


def test_the_example_by_hand_can_be_followed():
    followed = 0
    for _, by_hand, result in rows(PARTS["7"]):
        pieces = [re.sub(r"^.*?: ", "", piece) for piece in by_hand.split(";")]
        if re.search(r"[a-zA-Z]", "".join(pieces)):
            continue  # said in words
        parts = [value(part) for piece in pieces for part in split_outside(piece)]
        assert np.ravel(parts).tolist() == pytest.approx(numbers(result))
        followed += 1
    assert followed == 9


def test_the_picture_of_the_example_has_its_numbers():
    found, _ = example()
    picture = blocks("mermaid", PARTS["7"])[0]
    console = Console()
    console.paste(blocks("python", PARTS["7"])[0].split("activations = ")[0])
    edges = re.findall(r"(\w\d)(?:\[.*?\])? -->\|(.*?)\| (\w\d)", picture)
    W1, _, W2, _ = console.locals["params"]
    wanted = {(f"x{d + 1}", f"u{k + 1}"): W1[d, k] for d in (0, 1) for k in (0, 1)}
    wanted |= {(f"u{k + 1}", f"o{j + 1}"): W2[k, j] for k in (0, 1) for j in (0, 1)}
    assert {(a, b): value(w) for a, w, b in edges} == wanted
    boxes = dict(re.findall(r'(\w\d)\["(.*?)"\]', picture))
    columns = {"x": [console.locals["X"]], "u": [found[i] for i in (7, 8, 17)]}
    columns["o"] = [found[10], found[13]]
    for box, text in boxes.items():
        shown = [numbers(line.split(": ")[-1]) for line in text.split("<br/>")]
        arrays = [array[:, int(box[1]) - 1].tolist() for array in columns[box[0]]]
        assert shown[-len(arrays) :] == arrays, box


def test_the_way_back_is_drawn_as_it_is_computed():
    picture = blocks("mermaid", PARTS["6"])[0]
    assert re.findall(r"^  (\w+).*? -->\|\"(.*?)\"\| (\w+)", picture, re.MULTILINE) == [
        ("h2", "times W2 transposed", "a1"),
        ("a1", "mask of ReLU", "h1"),
        ("h2", "a1 transposed, times", "W2"),
        ("h2", "column sums", "b2"),
        ("h1", "X transposed, times", "W1"),
        ("h1", "column sums", "b1"),
    ]
    known = arrays()
    boxes = re.findall(r'(\w+)\["∂L/∂(\w+)(?: = P − Y)?<br/>(.*?)"\]', picture)
    assert len(boxes) == 7
    for box, name, shape in boxes:
        assert box == name
        assert shapes(shape) == [known[name].shape]


def test_the_chain_rule_example_adds_up():
    labels = ["∂u/∂w = 3", "∂v/∂w = 2w = 4", "∂L/∂u = v = 4", "∂L/∂v = u = 6"]
    assert re.findall(r'\|"(.*?)"\|', PARTS["4"]) == labels
    edges = re.findall(r'\|"∂(\w)/∂(\w) = (?:.*= )?(\d+)"\|', PARTS["4"])
    slopes = {(a, b): int(x) for a, b, x in edges}
    assert slopes == {("u", "w"): 3, ("v", "w"): 4, ("L", "u"): 4, ("L", "v"): 6}
    sums = re.findall(r"(\d+) · (\d+) = (\d+)", PARTS["4"])
    assert [tuple(map(int, found)) for found in sums] == [(3, 4, 12), (4, 6, 24)]


def test_p_minus_y_is_shown_right():
    text = " ".join(PARTS["5"].split("For example")[1].split())
    left, right = re.search(r"gradient is (.*? − .*?) = (\(.*?\))", text).groups()
    assert value(left) == pytest.approx(value(right))


# ---- The exercises ----


def answer(number):
    """Return the script as a module, with the lines of an answer changed."""
    diff = blocks("diff", PARTS["15"].split(f"**{number}.**")[1])[0]
    edits = []
    for before, after in re.findall(
        r"((?:^[ -].*\n)+)((?:^\+.*\n)+)", diff, re.MULTILINE
    ):
        kept = [line for line in before.splitlines() if line.startswith(" ")]
        old = "".join(f"\n{line[1:]}" for line in before.splitlines())
        edits.append(
            (old, "".join(f"\n{line[1:]}" for line in [*kept, *after.splitlines()]))
        )
    return edited_script(*edits)


OBJECTIVES = {  # what each answer descends: the loss, from log_P, Y and all parameters
    1: lambda log_P, Y, params: -(Y * log_P).sum(),
    2: lambda log_P, Y, params: -(Y * log_P).sum() / len(Y),
    3: lambda log_P, Y, params: (
        -(Y * log_P).sum() + 0.01 / 2 * sum((theta**2).sum() for theta in params)
    ),
    4: lambda log_P, Y, params: 0.5 * ((np.exp(log_P) - Y) ** 2).sum(),
    5: lambda log_P, Y, params: -(Y * log_P).sum(),
}


@pytest.mark.parametrize("number", OBJECTIVES)
def test_an_answer_descends_the_gradient_of_its_loss(number):
    module = answer(number)
    X, Y, _, _, _ = module.load_iris_split()
    X, Y = X[:8], Y[:8]
    params = module.init_params(np.random.default_rng(0), 4, 6, 3)
    for theta in params:
        theta += 0.1  # biases that are not 0
    before = [theta.copy() for theta in params]
    module.sgd_step(params, X, Y, 0.01)
    assert len(params) == (6 if number == 5 else 4)
    for i, theta in enumerate(before):
        for index in np.ndindex(theta.shape):
            nudged = [np.array(array, complex) for array in before]
            nudged[i][index] += 1e-30j
            log_P = module.forward(X, module.Params(*nudged)).log_P
            loss = OBJECTIVES[number](log_P, Y, nudged)
            step = 0.01 * loss.imag / 1e-30
            assert theta[index] - params[i][index] == pytest.approx(step, abs=1e-12)


@pytest.mark.parametrize("number", OBJECTIVES)
def test_an_answer_runs_and_its_check_says_ok(number, tmp_path):
    output = run_command(answer(number), "--plot", str(tmp_path / "a.png"))
    assert "WRONG" not in output
    if number == 2:
        faster = ["--learning-rate", "0.024", "--plot", str(tmp_path / "b.png")]
        output = run_command(answer(number), *faster)
        ours = run_command(raw_nn, "--plot", str(tmp_path / "b.png"))
        assert output.split("step")[5:] == ours.split("step")[5:]


def test_the_second_hidden_layer_has_the_shapes_of_its_comments():
    module = answer(5)
    params = module.init_params(np.random.default_rng(0), 4, 20, 3)
    known = params._asdict() | module.forward(np.ones((8, 4)), params)._asdict()
    fields = re.findall(r"^\+ +(\w+): np.ndarray  # (.*)$", PARTS["15"], re.MULTILINE)
    assert [name for name, _ in fields] == ["W3", "b3", "h3", "a3"]
    for name, comment in fields:
        assert shapes(comment) == [known[name].shape]


# ---- The figures in the sentences ----


def run_of(trial, seed=1):
    """Return what the page says of one run of an experiment."""
    row = MEASURED["rows"][measure_tables.key(trial)]
    right, loss = row["right"][seed], row["loss"][seed]
    return f"This run: {right} of 30 right, training loss {loss:.3f}."


def corrected(trial):
    """Return the error of a paired difference, corrected for splits that overlap."""
    measured = MEASURED["rows"]
    ours, theirs = (
        measure_tables.column(which, "right", measured) for which in ("", trial)
    )
    error = 100 / 30 * (theirs - ours).std(ddof=1) * np.sqrt(1 / 1000 + 30 / 120)
    return f"{error:.1f}"


def phrases():
    """Return each phrase with a figure in it, made from what was measured."""
    claims = MEASURED["claims"]
    default, few, rate = (claims[k] for k in ("default_run", "few_units", "high_rate"))
    eps, _unit, kink = (
        claims[k] for k in ("epsilons_over_seeds", "one_hidden_unit", "kink")
    )
    angle, lda = (claims[k] for k in ("angle_in_training_without_mask", "lda_lead"))
    xavier = {k: re.findall(r"\d\.\d+", v) for k, v in claims["xavier"].items()}
    two = {k: [f"{float(x):.2f}" for x in v] for k, v in xavier.items()}
    spiral = {k: re.findall(r"\d+\.\d", v) for k, v in claims["on_the_spiral"].items()}
    whole = {k: [f"{float(x):.0f}" for x in v] for k, v in spiral.items()}
    linear, longer = claims["one_linear_unit"], claims["one_unit_longer"]
    spiral_angle = [
        degrees
        for name, degrees in claims["angle_on_the_spiral_without_mask"].items()
        if name.startswith("degrees, ")
    ]
    cost = measure_tables.compared(measure_tables.MASK, MEASURED["rows"])[1].lstrip("−")
    of_wine = {
        k: re.findall(r"mean (\S+?),", str(v)) for k, v in claims["wine"].items()
    }
    one = {
        k: re.sub(r"^(?=\d)", "+", v).replace("-", "−")
        for k, v in claims["standardizing_some"].items()
    }
    found, params = example()
    X, Y = (np.array(x) for x in ([[1.0, 2.0], [2.0, -1.0]], [[1.0, 0.0], [0.0, 1.0]]))
    after = raw_nn.nll_loss(raw_nn.forward(X, params).log_P, Y)
    before, first = found[11], found[11] - 0.1 * 5.375
    flower = load_iris().data[0]
    mean = load_iris().data.mean(axis=0).round(1)
    last = blocks("text", PARTS["1"])[0]
    training = float(re.search(r"training set: mean loss ([\d.]+)", last)[1])
    return [
        f"to about {training:.2f}](loss_curve.png)",
        f"a setosa of {flower[0]}, {flower[1]}, {flower[2]} and {flower[3]} cm",
        f"flowers, rounded: {mean[0]}, {mean[1]}, {mean[2]} and {mean[3]} cm",
        "Units 1 and 2 have the biases 0.1 and 0.05:",
        "Their biases are 0, 0.5 and 0:",
        "150 flowers, fifty each of the species setosa, versicolor and virginica",
        f"are {2 * 163} passes for our 163 parameters",
        "eight training flowers and a network of ten hidden units:",
        "change the line to `dL_dh1 = dL_da1`",
        "`theta = theta - …` would make a new array",
        "(`axis=0` adds up down a column, over the samples.)",
        f"gradients of {120 // 8} batches of 8",
        f"Each batch costs 1/{120 // 8} of the whole",
        f"at {120 // 8} times the work",
        "Only `b2`.",
        f"by the sum {np.exp([1, 0.5, -1]).sum():.3f}:",
        "- setosa **0.574**, versicolor **0.348**, virginica **0.078**",
        "the one-sided nudge of part 3 said −0.851",
        "(1.2345678 − 1.2345677 keeps one digit)",
        (
            "(0.2, 0.3, 0.5) and the second class is true, the gradient is (0.2, 0.3, 0.5) "
            "− (0, 1, 0) = (0.2, −0.7, 0.5)"
        ),
        "from 0.5 to 0.501",
        "the **slope** is −0.851. So we go against the slope, by 0.1 times the slope",
        "has fallen from 0.5550 to 0.4860",
        "subtracts 0.1 times the gradient",
        f"has fallen from {before:.4f} to {after:.4f}",
        (
            f"so 0.1 times that should take the loss from {before:.4f} to {first:.4f}. "
            f"It came to {after:.4f}:"
        ),
        (
            f"{default['as many, %']:.0f} % of them have "
            f"{default['right of seed 1']:.0f} of 30 right, as it has"
        ),
        (
            f"`>` in the mask leaves {kink['W1 of 0, >: right, %']:.0f} % right, "
            f"and `>=` gives {kink['W1 of 0, >=: right, %']:.0f} %"
        ),
        (
            f"was {eps['8 flowers, 10 units, 1e-06: worst']:.1e}. With a nudge of 0.0001, "
            "all 120 flowers and 20 units, "
            f"{eps['120 flowers, 20 units, 0.0001: WRONG, %']:.0f} % of the seeds"
        ),
        (
            f"points {angle['degrees, step 0']:.0f}° away from the right one at the start and "
            f"{angle['degrees, step 1,000']:.0f}° after 1,000 steps (as arrows with 163 "
        ),
        f"it was {spiral_angle[0]:.0f}° to {max(spiral_angle):.0f}°",
        f"over 1,000 splits it costs {cost} points",
        (
            f"print {float(spiral['without'][-1]):.0f} % (over 20 seeds the mean is "
            f"{whole['without'][0]} % without it, and {whole['with the mask'][0]} % with it)"
        ),
        f"{whole['linear, C = 1'][0]} % for scikit-learn's `LogisticRegression`",
        f"{claims['new_array']['training right, %']} % of the training flowers",
        (
            f"multiplied by {two['layer 1 forward'][0]} in the first layer and by "
            f"{two['layer 2 forward'][0]} in the second, that of the gradient by "
            f"{two['layer 2 back'][0]} on its"
        ),
        (
            f"these were {two['layer 1 forward'][1]}, {two['layer 2 forward'][1]} and "
            f"{two['layer 2 back'][1]}; and ReLU multiplied the mean square by "
            f"{two['ReLU forward'][1]}"
        ),
        "a learning rate of 0.003 for the sum is one of 8 · 0.003 = 0.024 for the mean",
        (
            f"steps from the same weights were {claims['batch_of_16']['start']} times as long at the start and "
            f"{claims['batch_of_16']['end']} times at the end"
        ),
        f"by {claims['epoch_sum']['difference']:.0e} of its size",
        (
            "With a learning rate of 0.0001 it runs, and "
            f"{of_wine['centred, rate 0.0001'][0]} % are right, on average over 100 splits. "
            "With the features as they are, and the usual rate, it is "
            f"{of_wine['as it is, rate 0.003'][0]} %; standardized, "
            f"{of_wine['standardized, rate 0.003'][0]} %"
        ),
        f"When it is forgotten, {claims['without_mean']['right, mean %']:.0f} % of Iris come out right",
        run_of("--learning-rate 0.03"),
        run_of("--learning-rate 0.3"),
        f"In {rate['runs with at most 70 % right, %']:.0f} % of the runs at most 70 %",
        (
            f"are shut for {rate['bad runs: versicolor shut, %']:.0f} % of the versicolor and "
            f"{rate['bad runs: virginica shut, %']:.0f} % of the virginica flowers"
        ),
        (
            f"in the other runs it is {rate['others: versicolor shut, %']:.0f} and "
            f"{rate['others: virginica shut, %']:.0f} %"
        ),
        f"After 4,000 more steps, {rate['the same in bad runs, %']:.0f} % of these flowers",
        run_of("--hidden 1", 6),
        f"without ReLU, a single unit gets {linear['linear, 1,000 steps']} %",
        (
            f"after 20,000, it is {longer['test accuracy']} % ({longer['seeds']} seeds). In "
            f"{longer['at most one species, % of runs']:.0f} % of these"
        ),
        f"{longer['at most one species, test accuracy, %']:.0f} % are right; in the others",
        f"three, and {longer['two or three species, test accuracy, %']:.0f} % are right",
        run_of("--hidden 2", 3),
        f"{few['--hidden 2, 28 or more right, %']:.0f} % of the runs have 28 or more",
        f"{100 - few['--hidden 2, 25 or more right, %']:.0f} % have fewer than 25",
        run_of("--batch-size 1"),
        run_of("--batch-size 120"),
        run_of("--steps 5000"),
        run_of(measure_tables.ZERO),
        run_of(measure_tables.STANDARDIZED),
        (
            f"Worse by {one['all'][1:5]} points on these flowers (corrected error "
            f"{corrected(measure_tables.STANDARDIZED)})"
        ),
        f"the error of the difference is {corrected('--steps 5000')} points",
        f"(corrected error {corrected('LogisticRegression')})",
        (
            f"the difference is {one['only sepal length']} (sepal length), "
            f"{one['only sepal width']} (sepal width), {one['only petal length']} (petal "
            f"length) and {one['only petal width']} (petal width)"
        ),
        f"the largest spread of the four, {claims['features']['petal length'][4:8]} cm",
        "has to be 8 times as large, 0.024,",
        f"one flower more or less is {100 / 30:.1f} points",
        f"would be off by about {claims['other_flowers']['points']:.1f} points",
        (
            f"is ahead by {lda['points']:.2f} points, which is about "
            f"{lda['flowers of 150']:.0f} flowers of 150"
        ),
        f"is ± {lda['corrected error']:.1f} points",
    ]


def prose():
    """Return the sentences of the page, on one line, without blocks and tables."""
    text = re.sub(r"^```.*?^```$", "", README, flags=re.DOTALL | re.MULTILINE)
    worked_out = r"^(\|.*|- .* = \*\*.*)$"  # tables, and the lines of the first flower
    return " ".join(re.sub(worked_out, "", text, flags=re.MULTILINE).split())


@pytest.mark.parametrize("phrase", phrases())
def test_a_figure_is_what_was_measured(phrase):
    assert phrase in prose()


def test_the_table_of_epsilons_is_what_was_measured():
    header, row = re.findall(r"^\| (?:ε|error) \| (.*) \|$", PARTS["8"], re.MULTILINE)
    measured = MEASURED["claims"]["epsilons"]
    for epsilon, error in zip(header.split(" | "), row.split(" | "), strict=True):
        assert float(error) == measured[f"{float(epsilon):g}"]


def test_the_last_line_of_the_tests_is_that_of_the_whole_suite(request):
    shown = re.search(r"(\d+) passed in", PARTS["1"])[1]
    if not request.config.invocation_params.args:  # as the page says, without a choice
        assert int(shown) == request.session.testscollected


def test_no_figure_in_a_sentence_is_unaccounted_for():
    text = prose()
    for phrase in phrases():
        text = text.replace(phrase, "")
    text = re.sub(r"\$`.*?`\$|`[^`]*`", "", text)
    left = re.findall(r"(?<![\w.])\d+\.\d+|\d+(?= ?[%°])|\de-\d+", text)
    assert left == ["3.10", "1e-06", "90"]  # Python, its way to write, a right angle


# ---- Names, links, commands ----


def test_the_tables_are_made_from_the_measured_rows():
    measured = MEASURED["rows"]
    assert measure_tables.results_table(measured) in PARTS["16"]
    assert measure_tables.experiments_table(measured) in PARTS["14"]


CHAOTIC = "--learning-rate 0.3"  # rounding decides such a run after some steps
OTHERS = "LogisticRegression", "LinearDiscriminantAnalysis"  # change with scikit-learn


@pytest.mark.parametrize("trial", set(measure_tables.TRIALS) - {CHAOTIC}, ids=str)
def test_two_seeds_give_what_was_measured(trial):
    row = MEASURED["rows"][measure_tables.key(trial)]
    for seed in (1, 2):
        right, loss = measure_tables.run(trial, seed)
        assert right == row["right"][seed]
        if trial not in OTHERS:
            assert loss == pytest.approx(row["loss"][seed], rel=2e-6)


def test_the_commands_use_what_they_install():
    install = "python3 -m venv .venv && .venv/bin/pip install -r requirements.txt"
    assert blocks("bash")[:2] == [
        f"{install} && .venv/bin/python raw_nn.py\n",
        f"{install} pytest && .venv/bin/python -m pytest\n",
    ]


def test_flags_files_and_links_exist(capsys):
    with pytest.raises(SystemExit):
        raw_nn.main(["--help"])
    flags = set(re.findall(r"--[a-z-]+", README.replace("---", ""))) - {"--"}
    assert flags <= set(re.findall(r"--[a-z-]+", capsys.readouterr().out))
    for path in re.findall(r"\]\((?!#|http)(.*?)\)", README):
        assert (ROOT / path).exists(), path
    for path in re.findall(r"(?:tests/)?\w+\.(?:py|png|txt|md)\b", README):
        assert (ROOT / path).exists() or path == "trial.png", path
    headings = re.findall(r"^#+ (.*)$", README, re.MULTILINE)
    slugs = [re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in headings]
    anchors = re.findall(r"\]\(#([^)]+)\)", README)
    assert set(anchors) <= set(slugs)
    assert {slug for slug in slugs if slug[0].isdigit()} <= set(anchors)


def test_mathematics_is_in_the_forms_that_github_keeps():
    assert not re.search(r"\\(operatorname|newcommand)|\$\$", README)
    prose = re.sub(r"```.*?```|\$`[^`]+`\$|`[^`]+`", "", README, flags=re.DOTALL)
    assert "$" not in prose
    assert "\\" not in prose


def test_requirements_have_lower_bounds_only():
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    names = [re.fullmatch(r"([\w-]+)>=\d+(?:\.\d+)*", line)[1] for line in lines]
    assert names == ["numpy", "scikit-learn", "matplotlib"]
