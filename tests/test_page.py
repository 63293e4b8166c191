"""README.md: up to date, and right where no program writes it. Words are free."""

import builtins
import itertools
import keyword
import re

import formulas
import make_page
import measure
import numpy as np
import networks
import pytest
from make_page import FENCE, NUMBERED, Console
from numpy.testing import assert_allclose
from networks import ROOT, SOURCE, complex_step, random_problem, shapes

import raw_nn

PAGE = make_page.README.read_text(encoding="utf-8")
PARTS = make_page.parts(PAGE)
PROSE = FENCE.sub("", PAGE)
TABLES = re.compile(r"^\|.*$", re.MULTILINE)


def blocks(language, text=PAGE):
    """Return the fenced blocks of a language."""
    return [block for found, block in FENCE.findall(text) if found == language]


def pasted(part, last=None):
    """Return the names that a prompt knows after the blocks of part 2 and of a part."""
    code = [b for b in blocks("python", PARTS[part]) if not make_page.quote(b)]
    code = "\n".join(code).split(last or "\0")[0]
    return Console(raw_nn, make_page.first_block(PAGE), code).locals


def test_the_page_is_up_to_date():
    assert make_page.remake(PAGE) == PAGE, "run python tests/make_page.py"


def test_numbers_count_up_and_each_line_is_quoted_in_the_part_of_its_formula():
    assert list(NUMBERED) == list(range(1, len(NUMBERED) + 1))
    assert re.findall(r"\\tag\{(\d+)\}", PAGE) == list(map(str, NUMBERED))
    for number, line in NUMBERED.items():
        (part,) = (text for text in PARTS.values() if f"\\tag{{{number}}}" in text)
        after = part.split(f"\\tag{{{number}}}")[1]
        assert any(line in block for block in blocks("python", after)), number


# ---- Formulas ----


@pytest.mark.parametrize("part", PARTS)
def test_all_sides_of_the_displayed_formulas_agree(part):
    known = formulas.meanings(squared=part == 15)
    if part in (2, 9):  # which work with numbers
        names = pasted(part, "before = ")
        known |= {re.sub(r"(?<=[Wb])\d", r"_\g<0>", k): v for k, v in names.items()}
    inline = re.findall(r"\$`([^`=]{6,}=[^`]+)`\$", FENCE.sub("", PARTS[part]))
    known_by_name = [
        f for f in inline if not re.search(r"\\(displ|lamb|log[( ]\(?[a0])|e\^", f)
    ]
    displayed = map(formulas.formulas, blocks("math", PARTS[part]))
    for formula in itertools.chain(known_by_name, *displayed):
        formulas.check(formula, known)


MINUS = str.maketrans("−·", "-*")


def value(text):
    """Return what an expression such as 2·(−0.5, 0.5) + 3 amounts to, as an array."""
    text = re.sub(r"\(([^()]*,[^()]*)\)", r"np.array([\1])", text.translate(MINUS))
    return np.array(eval(text, {"np": np}))


def test_what_is_worked_out_by_hand_is_right():
    lines = re.findall(r"^- (.+?): (.+) = \*\*(.+)\*\*$", PROSE, re.MULTILINE)
    names = pasted(2)
    wanted = [*names["h1"], *names["h2"]]
    assert_allclose([value(right) for _, _, right in lines], wanted)
    pairs = [(left, right) for _, left, right in lines]
    steps = re.findall(r"^\|\(\d+\).*?\|(.*)\|(.*)\|$", PAGE, re.MULTILINE)
    for by_hand, result in steps:
        by_hand = re.sub(r".*(?=row 1:|unit 1:)|(row|unit) \d:|<br>", "", by_hand)
        if not re.search("[a-zA-Z]", by_hand):
            rows = [f"({row})" for row in by_hand.split(";")]
            numbers = re.sub("<br>", "", result)
            pairs.append((f"[{', '.join(rows)}]", f"[{numbers}]"))
    assert len(pairs) > 8
    for left, right in pairs:
        assert_allclose(np.squeeze(value(left)), np.squeeze(value(right)), err_msg=left)


def test_the_first_picture_has_the_weights_of_the_first_flower():
    picture, names = blocks("mermaid", PARTS[2])[0], pasted(2)
    edges = re.findall(r"(\w+)(?:\(\(.*?\)\))?-->\|(.*?)\|(\w+)", picture)
    weights = {(a, b): value(w) for a, w, b in edges}
    for W, left, right in ((names["W1"], "x", "u"), (names["W2"], "u", "o")):
        for (i, j), weight in np.ndenumerate(W):
            assert weights[f"{left}{i + 1}", f"{right}{j + 1}"] == weight
    inputs = [value(text) for text in re.findall(r'x\d\(\("(.*?)"\)\)', picture)]
    assert_allclose(inputs, names["x"])


def test_the_picture_of_the_chain_rule_has_the_slopes_of_its_functions():
    labels = re.findall(r'\|"∂(\w)/∂(\w)=(.*?)"\|', blocks("mermaid", PARTS[6])[0])
    given = dict(re.findall(r"\$`(\w)=(.*?)`\$", PARTS[6]))
    w = float(given["w"])
    u, v = 3 * w, w**2
    assert (given["u"], given["v"], given["L"]) == ("3w", "w^2", "u v")
    slopes = {("u", "w"): 3, ("v", "w"): 2 * w, ("L", "u"): v, ("L", "v"): u}
    assert {(a, b): float(text.split("=")[-1]) for a, b, text in labels} == slopes
    nudges = re.findall(r"\+([\d.]+)", blocks("math", PARTS[6])[0])
    assert_allclose([float(nudge) for nudge in nudges], 0.001 * np.array([1, 3, 3 * v]))


# ---- Shapes ----


def test_shapes_are_those_of_the_arrays():
    known = networks.arrays_of_a_step()
    rows = [line.strip("|").split("|") for line in TABLES.findall(PARTS[4])]
    for _, _, cell, names in rows[2:]:
        wanted = [known[name].shape for name in re.findall(r"`(\w+)`", names)]
        assert shapes(cell) in (wanted, wanted[:1]), names
        assert set(wanted) == set(shapes(cell))
    boxes = re.findall(r'\["∂L/∂(\w+).*?<br/>(.*?)"\]', blocks("mermaid", PARTS[8])[0])
    assert len(boxes) == 7
    for name, cell in boxes:
        assert shapes(cell) == [known[name].shape]
    edges = r'(\w+)(?:\[.*?\])?-->\|"(.*?)"\|(\w+)'
    for left, label, right in re.findall(edges, blocks("mermaid", PARTS[8])[0]):
        (line,) = (line for line in NUMBERED.values() if f"dL_d{right} =" in line)
        label = label.replace("ᵀ", ".T").replace("·", "@")
        assert f"dL_d{left}" in line and ("@" not in label or label in line)
    shape = r"(?:a shape )?(\(\w+, ?\w+\))"
    products = re.findall(rf"{shape}\s+times\s+{shape}\s+is\s+{shape}", PAGE)
    assert len(products) == 3
    for product in products:
        (a, b, c) = (shapes(text, R=5, C=6)[0] for text in product)
        assert np.shape(np.ones(a) @ np.ones(b)) == c
    points = pasted(10)
    for name, comment in re.findall(r"^(\w+) = .*# (\(.*\))", PARTS[10], re.MULTILINE):
        assert shapes(comment) == [points[name].shape]


# ---- Exercises ----


@pytest.mark.parametrize("diff", blocks("diff", PARTS[15]))
def test_an_answer_has_the_gradient_of_its_own_loss(diff):
    script = make_page.edited(diff)
    X, Y, _ = random_problem(8, 4, 6, 3)
    params = script.init_params(np.random.default_rng(0), 4, 6, 3)
    params = script.Params(*(theta + 0.1 for theta in params))  # biases that are not 0
    gradient = script.backward(X, Y, script.forward(X, params), params)
    penalty = getattr(script, "penalty", lambda params: 0)
    for name, theta in params._asdict().items():

        def loss(theta, name=name):
            moved = params._replace(**{name: theta})
            return script.nll_loss(script.forward(X, moved).log_P, Y) + penalty(moved)

        wanted = complex_step(loss, theta)
        assert_allclose(getattr(gradient, name), wanted, rtol=1e-9, atol=1e-12)
    assert "WRONG" not in script.check_gradient(X, Y, params)


# ---- Figures ----


def decimals(text):
    return set(re.findall(r"(?<![\w.])\d+\.\d+", text))


@pytest.mark.parametrize("part", PARTS)
def test_a_decimal_number_in_a_sentence_occurs_in_a_block_table_or_formula(part):
    text = re.sub(r"Python \d\.\d+", "", PARTS[part])
    sentences = TABLES.sub("", FENCE.sub("", text))
    shown = decimals(" ".join(b for _, b in FENCE.findall(text)))
    shown |= decimals(" ".join(TABLES.findall(text)))
    shown |= decimals(" ".join(re.findall(r"`[^`]+`", sentences)))
    sentences = re.sub(r"`[^`]+`|\]\(.*?\)", "", sentences)
    sentences = re.sub(r"^- .* = \*\*.*", "", sentences, flags=re.MULTILINE)
    assert decimals(sentences) <= shown


@pytest.mark.parametrize("name", measure.ROWS)
def test_ten_seeds_get_as_many_flowers_wrong_as_was_measured(name):
    counts = measure.measured()[name]
    assert len(counts) == len(measure.SEEDS)
    assert [measure.wrong_flowers(name, seed) for seed in range(10)] == counts[:10]


# ---- Names, links, forms ----


def test_flags_links_and_files_exist(capsys):
    with pytest.raises(SystemExit):
        raw_nn.main(["--help"])
    flags = set(re.findall(r"(?<![-\w])--[a-z][\w-]+", re.sub(r"-->", "", PAGE)))
    assert flags <= set(re.findall(r"--[\w-]+", capsys.readouterr().out))
    paths = re.findall(r"\]\((?!#|http)(.*?)\)", PAGE)
    made = re.findall(r'"(\w+\.\w+)"', "".join(blocks("python"))) + ["trial.png"]
    ignored = (ROOT / ".gitignore").read_text().split()
    assert set(made) <= set(ignored)
    paths += re.findall(r"(?:tests/)?\b\w+\.(?:py|png|txt|md|csv|npz)\b", PROSE)
    for path in set(paths) - set(made):
        assert (ROOT / path).exists() or path == "mine.py", path
    headings = re.findall(r"^#+ (.*)$", PAGE, re.MULTILINE)
    slugs = [re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in headings]
    anchors = re.findall(r"\]\(#([^)]+)\)", PAGE)
    assert set(anchors) <= set(slugs)
    assert {slug for slug in slugs if slug[0].isdigit()} <= set(anchors)


def test_names_in_sentences_exist_in_the_script_or_in_a_block():
    code = SOURCE + "".join(block for _, block in FENCE.findall(PAGE))
    known = set(re.findall(r"\w+", code)) | set(dir(builtins)) | set(keyword.kwlist)
    sentences = re.sub(r"\$`.*?`\$", "", TABLES.sub("", PROSE))
    for text in re.findall(r"`([^`]+)`", sentences):
        right = re.sub(r"^\w+ = ", "", text)
        assert set(re.findall(r"(?<![.\w])[A-Za-z_]\w*", right)) <= known, text


def test_the_commands_use_what_they_install():
    install = "python3 -m venv .venv && .venv/bin/pip install -r requirements.txt"
    assert blocks("bash")[:2] == [
        f"{install} && .venv/bin/python raw_nn.py\n",
        f"{install} pytest && .venv/bin/python -m pytest\n",
    ]
    windows = blocks("powershell")[0].replace("py -m venv", "python3 -m venv")
    windows = windows.replace("; ", " && ").replace("\\Scripts\\", "/bin/")
    assert windows == "".join(blocks("bash")[:2])


def test_mathematics_is_in_the_forms_that_github_keeps():
    assert not re.search(r"\\(operatorname|newcommand)|\$\$", PAGE)
    left = re.sub(r"\$`[^`]+`\$|`[^`]+`", "", PROSE)
    assert "$" not in left
    assert "\\" not in left
