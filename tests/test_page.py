"""README.md: up to date, and right where no program writes it. Words are free."""

import builtins
import itertools
import keyword
import re

import formulas
import make_page
import measure
import networks
import numpy as np
import pytest
from make_page import COMMAND, FENCE, NUMBERED, Console
from networks import DEFAULTS, ROOT, SOURCE, complex_step, random_problem, shapes
from numpy.testing import assert_allclose

import raw_nn

PAGE = make_page.README.read_text(encoding="utf-8")
PARTS = make_page.parts(PAGE)
PROSE = FENCE.sub("", PAGE)
TABLES = re.compile(r"^\|.*$", re.MULTILINE)


def part(words):
    """Return the text of the one part whose heading has these words."""
    found = [text for title, text in PARTS.items() if words in title]
    assert len(found) == 1, f"no part, or several, with {words!r} in the heading"
    return found[0]


def blocks(language, text=PAGE):
    return [block for found, block in FENCE.findall(text) if found == language]


def pasted(words, last="\0"):
    first = blocks("python", part("One flower"))[0]
    code = [b for b in blocks("python", part(words)) if not make_page.quote(b)]
    return Console(raw_nn, "\n".join([first, *code]).split(last)[0]).locals


def test_the_page_is_up_to_date():
    assert make_page.remake(PAGE) == PAGE, "run python tests/make_page.py"


def test_each_part_can_be_pasted_after_the_first_flower_alone():
    for title, text in PARTS.items():
        pastes = [b for b in blocks("python", text) if not make_page.quote(b)]
        if pastes and not pastes[0].startswith("import"):
            first = blocks("python", part("One flower"))[0]
            printed = Console(raw_nn, first).paste("\n".join(pastes))
            assert all(block in printed for block in blocks("text", text)), title


def test_numbers_count_up_and_each_line_is_quoted_in_the_part_of_its_formula():
    assert list(NUMBERED) == list(range(1, len(NUMBERED) + 1))
    assert re.findall(r"\\tag\{(\d+)\}", PAGE) == list(map(str, NUMBERED))
    for number, line in NUMBERED.items():
        (text,) = (text for text in PARTS.values() if f"\\tag{{{number}}}" in text)
        code = line.split("  # ")[0].strip()  # in a block or a table
        found = re.search(rf"[ `]{re.escape(code)}(  #|`)", text)
        assert found, f"the part of ({number}) lacks {code}: run make_page.py"


def test_a_number_of_a_formula_stands_beside_a_name_of_its_line():
    pattern = r"`([^`\n]+)` \((\d+)\)"  # such as `Y - P` (13)
    for code, number in re.findall(pattern, PROSE):
        names = set(re.findall(r"[A-Za-z]\w*", code))
        line = NUMBERED[int(number)].split("#")[0]
        assert names & set(re.findall(r"\w+", line)), f"{code} ({number})"
    bare = re.sub(rf"\$`.*?`\$|{pattern}|\(\d+\) to \(\d+\)", "", TABLES.sub("", PROSE))
    assert re.findall(r".*\((?!1\))\d{1,2}\).*", bare) == [], "write `name` (number)"


def formulas_of(text):
    """Return the formulas of a part: the displayed, and the inline that are relations."""
    inline = re.findall(r"\$`([^`]+)`\$", FENCE.sub("", text))
    skipped = r"\\(displ|lambda)|_\d=0|q=j|[AWb]=(X|._1)|h_1$|^(?!.*(=|approx))"
    inline = [f for f in inline if not re.search(skipped, f)]
    return inline + list(itertools.chain(*map(formulas.formulas, blocks("math", text))))


def test_all_sides_of_the_formulas_agree():
    for title, text in PARTS.items():
        known = formulas.meanings(squared="squared error" in text.lower())
        if re.search(r"^W1\b.* = np.array", text, re.MULTILINE):  # numbers of its own
            names = pasted(title, "before = ").items()
            known = known | {re.sub(r"(?<=[Wb])\d", r"_\g<0>", k): v for k, v in names}
        for formula in formulas_of(text):
            formulas.check(formula, known)


def value(text):
    """Return what an expression such as 2·(−0.5,0.5)+log 3 amounts to, as an array."""
    text = text.replace("−", "-").replace("·", "*")
    text = re.sub(r"\(([^()]*,[^()]*)\)", r"np.array([\1])", text)
    return np.array(eval(re.sub(r"log ([\d.]+)", r"np.log(\1)", text), {"np": np}))


def test_what_is_worked_out_by_hand_is_right():
    lines = re.findall(r"^- (.+?): (.+) = \*\*(.+)\*\*$", PROSE, re.MULTILINE)
    names = pasted("One flower")
    wanted = [*names["h1"], *names["h2"]]
    assert_allclose([value(right) for _, _, right in lines], wanted)
    pairs = [(left, right) for _, left, right in lines]
    steps = re.findall(r"^\|\(\d+\).*?\|(.*)\|(.*)\|$", part("By hand"), re.MULTILINE)
    for by_hand, result in steps:
        by_hand = re.sub(r".*(?=row 0:|unit 1:)|(row|unit) \d:|<br>", "", by_hand)
        if not re.search("[a-zA-Z]", by_hand.replace("log", "")):
            rows = [f"({row})" for row in by_hand.split(";")]
            pairs.append((f"[{', '.join(rows)}]", f"[{result.replace('<br>', '')}]"))
    assert len(pairs) > 9
    pairs += re.findall(r"(\d+(?:[·+ ]+\d+)+) = (\d+)", PROSE)  # as 12 + 24 = 36
    pairs += re.findall(r"(\d+) = (\d+(?:[·+]\d+)+)\|", PROSE)
    masks = re.search(r"the mask (.*?)\|", part("By hand"))[1]
    pairs += [(f"[{masks}]", f"np.array([{steps[1][1].replace('<br>', '')}]) > 0")]
    for left, right in pairs:
        left, right = np.squeeze(value(left)), np.squeeze(value(right))
        assert_allclose(left, right, rtol=5e-5)


def test_pictures_have_the_numbers_of_the_arrays():
    names = pasted("One flower")
    picture = blocks("mermaid", part("One flower"))[0]
    inputs = re.findall(r'x\d\(\("(.*?)"\)\)', picture)
    assert_allclose([value(text) for text in inputs], names["x"])
    assert len(set(re.findall(r"(\w\d).*-->(\w\d)", picture))) == 4 * 2 + 2 * 3
    assert inputs == re.findall(r"\n\|from (−?[\d.]+)\|", part("One flower"))
    line = re.search(r"line \[(.*)\]", blocks("mermaid", part("Forward"))[0])[1]
    assert eval(f"[{line}]") == raw_nn.relu(np.arange(-2, 3)).tolist()
    labels = re.findall(r'\|"(.*?)"\|', part("Softmax").replace("exp(", r"\exp("))
    known = formulas.meanings()
    sides = [formulas.Side(text.replace("−", "-"), known) for text in labels]
    *upper, lower = [side.value(j=1) for side in sides]  # paths of the logit h[1]
    assert_allclose([np.prod(upper), -lower], [known["p"][1], known["y"][1]])
    names, text = pasted("layers, backward"), part("layers, backward")
    path = r'\|"([−\d.]+)"\|\w\(\("h2.*?"\)\)-->\|"(.*?)"\|'
    paths = re.findall(path, blocks("mermaid", text)[0])
    wanted = np.column_stack([names["a1"][:, 1], names["G"][:, 0]])
    assert_allclose([list(map(value, path)) for path in paths], wanted, atol=5e-5)
    text = part("chain rule")
    labels = re.findall(r'\|"∂(?:u/∂w|v/∂w|f/∂u|f/∂v)=(.*?)"\|', text)
    w = float(re.search(r"\$`w=(.*?)`\$", text)[1])
    u, v = 3 * w, w**2  # as formulas.py has them
    assert [float(text.split("=")[-1]) for text in labels] == [3, 2 * w, v, u]
    nudges = re.findall(r"\+([\d.]+)", blocks("math", text)[0])
    assert_allclose([float(nudge) for nudge in nudges], 0.001 * np.array([1, 3, 3 * v]))


def test_shapes_are_those_of_the_arrays():
    known, layers = networks.arrays_of_a_step(), part("layers, backward")
    rows = [line.strip("|").split("|") for line in TABLES.findall(part("Forward"))]
    for _, _, cell, names in rows[2:]:
        wanted = [known[name].shape for name in re.findall(r"`(\w+)`", names)]
        assert shapes(cell) in (wanted, wanted[:1]), names
        assert set(wanted) == set(shapes(cell))
    picture = next(b for b in blocks("mermaid", layers) if "(n, out)" in b)
    boxes = re.findall(r'\["∂L/∂(\w+).*?<br/>(.*?)"\]', picture)
    assert len(boxes) == 7
    for name, cell in boxes:
        assert shapes(cell) == [known[name].shape]
    edges = r'(\w+)(?:\[.*?\])?-->\|"(.*?)"\|(\w+)'
    for left, label, right in re.findall(edges, picture):
        (line,) = (line for line in NUMBERED.values() if f"dL_d{right} =" in line)
        label = label.replace("ᵀ", ".T").replace("·", "@")
        assert f"dL_d{left}" in line and ("@" not in label or f"{label} " in line)
    layer = {"W": "W2", "b": "b2", "A": "a1"}  # its table of gradients
    rows = re.findall(r"^\|\w+ \$`(\w)`\$\|(.*?)\|(.*?)\|$", layers, re.MULTILINE)
    assert {name for name, *_ in rows} == set(layer)
    for name, gradient, cell in rows:
        assert shapes(cell, R=20, C=3)[-1] == known[layer[name]].shape
        if product := re.search(r"\$`(.*)`\$\|?$", gradient):
            whole = rf"{product[1]})["  # stands in the derivation, which is evaluated
            assert name == "b" or whole in layers, gradient


@pytest.mark.parametrize("diff", blocks("diff", part("Exercises")))
def test_an_answer_has_the_gradient_of_its_own_loss(diff):
    script = make_page.edited(diff)
    X, Y, _ = random_problem(8, 4, 6, 3)
    params = script.init_params(np.random.default_rng(0), 4, 6, 3)
    params = script.Params(*(np.array(theta, float) + 0.1 for theta in params))
    gradient = script.backward(X, Y, script.forward(X, params), params)
    penalty = getattr(script, "penalty", lambda params: 0)
    for name, theta in params._asdict().items():

        def loss(theta, name=name):
            moved = params._replace(**{name: theta})
            return script.nll_loss(script.forward(X, moved)[-1], Y) + penalty(moved)

        wanted = complex_step(loss, theta)
        assert_allclose(getattr(gradient, name), wanted, rtol=1e-9, atol=1e-12)
    assert "WRONG" not in script.check_gradient(X, Y, params)


def losses(flags="", script=raw_nn):
    """Return the losses that a run prints, in training and test, and the right flowers."""
    printed = make_page.run_command(script, f"{COMMAND} {flags}")
    right = re.search(r"test set.*\((\d+)/", printed)[1]
    return *re.findall(r"set: mean loss (\S+),", printed), right


def facts():
    """Return what the page has to say: phrases with what the script computes in them."""
    names = "batch_size", "learning_rate", "hidden", "steps"
    size, rate, hidden, steps = map(DEFAULTS.get, names)
    (far,) = re.findall(r"batch_size=300, steps=(\d+)", PAGE)
    X, X_test, Y, *_ = raw_nn.load_iris_split()
    (n, n_in), n_test, n_out = X.shape, len(X_test), Y.shape[1]
    n_params = lambda n_in, hidden, n_out: (n_in + 1 + n_out) * hidden + n_out
    own, per_epoch = n_params(n_in, hidden, n_out), -(-n // size)
    right = {"D": raw_nn} | {k: s for k, (s, _) in make_page.networks(PAGE).items()}
    tests = {letter: losses(script=script)[1] for letter, script in right.items()}
    spiral = list(map(int, measure.measured()["spiral"].split()))
    overfit = re.findall(r"training (\S+), test (\S+)\n", "".join(blocks("text")))
    (first, *_, last) = [tuple(map(float, pair)) for pair in overfit]
    lower = np.array([measure.digits(letter)[:, 1] for letter in "ABCE"])
    rose = measure.digits("overfits").sum(), len(measure.SEEDS["overfits"])
    wrong = {name: measure.digits(name).mean() for name in measure.ROWS}  # of 30
    near = abs(wrong["raw_nn"] - wrong.get("LogisticRegression", 30)) < 0.06
    same = losses("--batch-size 1 --steps 8000")[0] == losses()[0]
    went, words = ("falls", "rises"), {8: "Eight", 10: "Ten", 15: "Fifteen"}
    return f"""
the same {n} flowers
**D**, which looks {"worst" if max(tests, key=tests.get) == "D" else "no longer worst"} on the test flowers
examples after {int(far):,} steps, the wrong ones {min(spiral)} to {max(spiral)} %
That D looks worst is luck: with {len(measure.SEEDS["A"])} other choices of the test flowers, it does so in {100 * lower.all(axis=0).mean():.0f} %
{n} flowers, the **training samples**, teach the network; the other {n_test}
{n_in} numbers go in, {hidden} hidden units
a **batch** of {size} flowers
**step {steps // 10}**: the mean loss of a tenth of the steps, from 1 to {steps // 10}
in, hidden and out are {size}, {n_in}, {hidden} and {n_out}
such as ({hidden},) is a plain row of {hidden} numbers
={own}`$
takes {2 * n_params(n_in, 2, n_out)} for the {n_params(n_in, 2, n_out)} parameters of this network, {2 * own} for
and {2 * n_params(784, 30, 10):,} for a small network that reads digits (784 inputs, 30
{words.get(per_epoch, per_epoch)} batches of {size} add up
which is {size} times smaller here; so they need {size} times the rate, {size * rate} for {rate}
{hidden} units; biases `np.zeros`
the rate {rate} and the gradient of the sum; for each epoch one `rng.permutation({n})`, cut into {per_epoch} batches of {size}
{steps:,} steps in all: {steps // per_epoch} epochs and {steps % per_epoch} batches
training loss {went[last[0] > first[0]]}, but the test loss {went[last[1] > first[1]]}
With {rose[1]} other seeds and splits, the test loss rose from step 1,000 to 5,000 in {rose[0]} cases
{words.get(size, size) if same else "Not"} times as many
|`{losses()[0]} {losses()[2]}`|
A thousand times the learning rate? ```bash {COMMAND} --learning-rate {1000 * rate:g} --plot
raw_nn.py --batch-size 1 --steps {size * steps} --plot
those of the layer: {n_in} and {hidden}, then {hidden} and {n_out}
{'"too large"' if "loss too large" in SOURCE else "another message"}
Without it the test loss was {last[1]:.4f}, by one flower
straight borders do as {"well" if near else "nothing measured does: strike this"}
""".strip().splitlines()


def test_the_page_says_what_the_script_computes():
    lacking = [phrase for phrase in facts() if phrase not in " ".join(PAGE.split())]
    assert not lacking, f"say so in README.md, or change facts(): {lacking}"


def test_a_decimal_number_in_a_sentence_occurs_elsewhere_in_its_part_or_is_a_fact():
    decimals = lambda text: set(re.findall(r"(?<![\d.])\d+\.\d+", text))
    held = facts()
    for title, text in PARTS.items():
        text = re.sub(r"Python \d\.\d+", "", text)
        sentences = TABLES.sub("", FENCE.sub("", text))
        shown = [b for _, b in FENCE.findall(text)] + TABLES.findall(text) + held
        shown += re.findall(r"`[^`]+`", sentences)
        sentences = re.sub(r"`[^`]+`|\]\(.*?\)", "", sentences)
        sentences = re.sub(r"^- .* = \*\*.*", "", sentences, flags=re.MULTILINE)
        left = decimals(sentences) - decimals(" ".join(shown))
        assert not left, f"part {title!r}: correct these, or give facts() a phrase"


def test_results_were_measured_with_these_settings_and_come_out_again():
    why = "run python tests/measure.py results, then python tests/make_page.py"
    assert {*measure.measured()["settings"].split()} <= {*measure.SETTINGS.split()}, why
    assert measure.spiral("B") == measure.measured()["spiral"].split()[1], why
    for name, seeds in measure.SEEDS.items():
        kept = ["".join(map(str, row)) for row in measure.digits(name)]
        assert [measure.measure(name, seed) for seed in seeds[:3]] == kept[:3], why


def test_flags_links_and_files_exist(capsys):
    with pytest.raises(SystemExit):
        raw_nn.main(["--help"])
    flags = set(re.findall(r"(?<![-\w])--[a-z][\w-]+", re.sub(r"-->", "", PAGE)))
    assert flags <= set(re.findall(r"--[\w-]+", capsys.readouterr().out))
    paths = re.findall(r"\]\((?!#|http)(.*?)(?:#L\d+-L\d+)?\)", PAGE)
    made = re.findall(r'"(\w+\.\w+)"', "".join(blocks("python"))) + ["trial.png"]
    assert set(made) <= set((ROOT / ".gitignore").read_text().split())
    paths += re.findall(r"(?:tests/)?\b\w+\.(?:py|png|txt|md|csv|npz)\b", PROSE)
    assert [p for p in set(paths) - set(made) if not (ROOT / p).exists()] == []
    headings = re.findall(r"^#+ (.*)$", PAGE, re.MULTILINE)
    slugs = [re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in headings]
    assert set(re.findall(r"\]\(#([^)]+)\)", PAGE)) <= set(slugs)
    listed = re.findall(r"\[\d+ [^]]*\]\(#(.*?)\)", PAGE)  # in the head
    assert listed == [slug for slug in slugs if slug[0].isdigit()]
    for name, *ends in re.findall(r"\[`(\w+)`\]\(raw_nn.*?L(\d+)-L(\d+)\)", PAGE):
        lines = SOURCE.splitlines(keepends=True)[int(ends[0]) - 1 : int(ends[1])]
        assert "".join(lines) == make_page.function(name), "run make_page.py"
    wrong = re.finditer(r"\[(?:part )?(\d+)\b[^]]*\]\(#(?!\1-)\d.*?\)", PAGE)
    assert [link[0] for link in wrong] == []
    plain = re.sub(r"\[.*?\]\(.*?\)|^#.*", "", PROSE, flags=re.MULTILINE)
    assert not re.search(r"\bpart \d", plain), "a part is named by a link"


def test_names_in_sentences_exist_in_the_script_or_in_a_block():
    code = SOURCE + "".join(block for _, block in FENCE.findall(PAGE))
    known = {*re.findall(r"\w+", code), *dir(builtins), *keyword.kwlist, "df"}
    sentences = re.sub(r"\$`.*?`\$", "", TABLES.sub("", PROSE))
    owners = {"np": np, "raw_nn": raw_nn, "params": raw_nn.Params}
    owners[")"] = raw_nn.Activations
    dotted = r"`[^`\n]*(\bnp|\braw_nn|\bparams|\))\.(?!py|T\b)(\w+)"
    assert all(hasattr(owners[a], b) for a, b in re.findall(dotted, PROSE))
    for text in re.findall(r"`([^`]+)`", sentences):
        right = re.sub(r"^\w+ = ", "", text)
        assert set(re.findall(r"(?<![.\w])[A-Za-z_]\w*", right)) <= known, text


def test_the_commands_use_what_they_install():
    install = "python3 -m venv .venv && .venv/bin/pip install -r requirements.txt"
    run = f"{install} && .venv/bin/python raw_nn.py\n"
    tests = f"{install} pytest && .venv/bin/python -m pytest\n"
    lines = set("".join(blocks("bash")).splitlines(keepends=True))
    assert {run, tests} == {k for k in lines if not re.match(rf"{COMMAND}( --|$)", k)}
    windows = blocks("powershell")[0].replace("py -m venv", "python3 -m venv")
    assert windows.replace("; ", " && ").replace("\\Scripts\\", "/bin/") == run + tests


def test_mathematics_is_in_the_forms_that_github_keeps():
    assert not re.search(r"\\(operatorname|newcommand)|\$\$", PAGE)
    assert not re.search(r"[$\\]", re.sub(r"\$`[^`]+`\$|`[^`]+`", "", PROSE))
