"""README.md is up to date, and right where no program writes it. Words are free."""

import builtins
import functools
import keyword
import math
import re
from itertools import zip_longest

import formulas
import make_page
import measure
import numpy as np
import problems
import pytest
import readme
from numpy.testing import assert_allclose
from problems import DEFAULTS, NUMBERED, ROOT, SOURCE, random_problem, run_line
from readme import COMMAND, FENCE, PAGE, Prompt, blocks, code_of, part, parts, pastes

import raw_nn

PARTS, FLOWER = parts(PAGE), pastes(PAGE)[0]
PROSE = FENCE.sub("", PAGE)  # and tables
findall = functools.partial(re.findall, flags=re.MULTILINE)
INLINE = r"\$`[^`]+`\$"
FIGURE = r"(?<![\w.])\d[\d,]*\.\d+|\d[\d.,]*(?= ?%)"  # a decimal, a percentage
FORMULAS = {title: formulas.formulas(text) for title, text in PARTS.items()}


def test_the_page_is_up_to_date_and_has_the_facts_which_hold():
    remade, lacking = make_page.remake(PAGE)
    pairs = enumerate(zip_longest(PAGE.splitlines(), remade.splitlines()), start=1)
    changed = [f"line {i}: {new}" for i, (old, new) in pairs if old != new]
    say = "run tests/programs/make_page.py, and read the diff of README.md"
    assert not changed, "\n".join([say, *changed[:9], *lacking])
    assert not lacking, "\n".join(["rewrite README.md, or facts.txt:", *lacking])


def test_each_numbered_line_has_its_formula():
    assert list(NUMBERED) == list(range(1, len(NUMBERED) + 1)), "they are to count up"
    shown = {number for found in FORMULAS.values() for number, _ in found}
    lacking = NUMBERED.keys() - shown - {25}  # which is a sentence
    assert not lacking, f"no formula of the page has the numbers {lacking}"
    for name, n in findall(r"`(\w+)[^`\n]*` \((\d+)\)", PROSE):
        assert name in NUMBERED[int(n)], f"line ({n}) has no {name}: mend the number"
    ranges = {*findall(r"\((\d+)\) to \((\d+)\)", PAGE)}  # of forward, of backward
    assert ranges <= {("7", "10"), ("13", "19")}, f"mend the numbers: {ranges}"


def by_hand():
    """Return the names of the example that is computed by hand, before its step."""
    code = "\n".join([FLOWER, *pastes(part(PAGE, "By hand"))])
    names = Prompt(raw_nn, re.split(r"\n.*sgd_step", code)[0]).locals
    return {name: names[name] for name in ("X", "Y", *raw_nn.Params._fields)}


@pytest.mark.parametrize("title", [*filter(FORMULAS.get, FORMULAS)])
def test_all_sides_of_the_formulas_agree_and_numbered_ones_with_their_lines(title):
    known, computed = formulas.meanings()
    known |= by_hand() if "By hand" in title else {}
    for number, formula in FORMULAS[title]:
        formulas.check(formula, known, computed.get(number))
        if number:
            code = code_of(NUMBERED[number]).removeprefix("return ")
            beside = re.search(rf"[ `]{re.escape(code)}(  #|`)", PARTS[title])
            assert beside, f"part {title!r} lacks ({number}): {code}, run make_page.py"


def value(text):
    """Return what an expression such as 2·(−0.5,0.5)+log 3 amounts to, as an array."""
    text = text.replace("−", "-").replace("·", "*")
    text = re.sub(r"\(([^()]*,[^()]*)\)", r"np.array([\1])", text)
    return np.squeeze(eval(re.sub(r"log ([\d.]+)", r"np.log(\1)", text), {"np": np}))


def test_the_first_flower_and_the_tables_of_its_network_are_right():
    names = Prompt(raw_nn, FLOWER).locals
    results = findall(r"^- .* = \*\*(.+)\*\*$", PROSE)
    assert_allclose([*map(value, results)], [*names["h1"], *names["h2"]])
    inputs = findall(r'x\d\(\("(.*?)"\)\)', PAGE)  # of the picture
    assert_allclose([*map(value, inputs)], names["x"])
    rows = findall(r"^\|(?:from [^|]*|bias)\|(.*)\|$", PAGE)
    arrays = [*names["W1"], names["b1"], *names["W2"], names["b2"]]
    for row, array in zip(rows, arrays, strict=True):
        assert_allclose(value(f"({row.replace('|', ',')})"), array)


def test_what_is_computed_by_hand_is_right():
    pairs = findall(r"^- .+?: (.+) = \*\*(.+)\*\*$", PROSE)
    pairs += findall(r"(\d+(?:[·+− ]+\d+)+) = (\d+)", PROSE)  # as 12 + 24 = 36
    pairs += findall(r"(\d+) = (\d+(?:[·+]\d+)+)\|", PROSE)
    text, names = part(PAGE, "By hand"), vars(raw_nn) | by_hand()
    for number, steps, result in findall(r"^\|\((\d+)\).*?\|(.*)\|(.*)\|$", text):
        name, result = run_line(int(number), names), f"[{result.replace('<br>', '')}]"
        assert_allclose(value(result), np.squeeze(names[name]), rtol=5e-4, atol=1e-12)
        steps = re.sub(r".*(?=row 0:|unit 1:)|(row|unit) \d:|<br>", "", steps)
        if not re.search("[a-zA-Z]", steps.replace("log", "")):
            pairs.append((f"[({steps.replace(';', '),(')})]", result))
    (mask,) = findall(r"the mask (.*?)\|", text)
    pairs.append((f"[{mask}]", str((names["h1"] > 0).astype(int).tolist())))
    for steps, result in pairs:
        assert_allclose(value(steps), value(result), rtol=5e-5, err_msg=steps)


def test_shapes_in_comments_tables_and_pictures_are_those_of_the_arrays():
    known, computed = formulas.meanings()
    fields = findall(r"^    (\w+): np\.ndarray  # (\(.*?\))", SOURCE)
    found = [(known[name], shape) for name, shape in fields]
    for number, line in NUMBERED.items():
        found += [(computed[number], text) for text in findall(r"# (\(\D.*?\)) ", line)]
    pictures = findall(r'"∂L/(∂\w+).*?<br/>(\(.*?\))"', PAGE)
    found += [(known[name.replace("∂", "dL_d")], shape) for name, shape in pictures]
    for cell, names in findall(r"\|(\([a-z][^|]*\))\|(`\w+`(?:, `\w+`)*)\|$", PAGE):
        names, shapes = findall(r"\w+", names), findall(r"\(.*?\)", cell)
        shapes = shapes * len(names) if len(shapes) == 1 else shapes
        found += [(known[name], shape) for name, shape in zip(names, shapes)]
    sizes = {5: "n", 4: "in", 6: "hidden", 3: "out", 1: "1"}
    for array, text in found:
        wanted = ", ".join(sizes[size] for size in array.shape)
        assert text == (f"({wanted})" if ", " in wanted else f"({wanted},)")


def test_the_pictures_of_the_way_back_are_right():
    labels = findall(r'\|"(.*?)"\|', part(PAGE, "Softmax").replace("exp(", r"\exp("))
    known, _ = formulas.meanings()
    labels = [label.replace("−", "-").replace("slope ", "") for label in labels]
    slopes = [eval(formulas.python(label), {}, known) for label in labels]
    *upper, lower = slopes  # of two paths from a logit, for each class
    assert_allclose(np.ravel(math.prod(upper)), known["p"])
    assert_allclose(np.ravel(lower), -known["y"])
    edges = r'(\w+)(?:\["∂.*?\])?-->\|"(.*?)"\|(\w+)\["∂'
    for left, label, right in findall(edges, part(PAGE, "layers")):
        (line,) = (line for line in NUMBERED.values() if f"dL_d{right} =" in line)
        product = label.replace("ᵀ", ".T").replace("·", "@") if "·" in label else ""
        assert f"dL_d{left}" in line and product in line, f"{left} {label} {right}"


def test_the_answers_have_the_gradients_of_their_own_losses():
    X, Y, _ = random_problem(8, 4, 6, 3)
    for exercise in re.split(r"\n\*\*(?=\d+\.\*\*)", part(PAGE, "Exercises")):
        for script in map(readme.edited, blocks("diff", exercise)):
            params = script.init_params(np.random.default_rng(0), 4, 6, 3)
            derived = script.backward(X, Y, script.forward(X, params), params)
            wanted = problems.loss_gradient(X, Y, params, script)
            for name, slopes in wanted._asdict().items():
                assert_allclose(getattr(derived, name), slopes, rtol=1e-9, atol=1e-12)
            verdict = script.check_gradient(X, Y, params)
            assert "WRONG" not in verdict, f"exercise {exercise[:2]} {verdict}"


def test_a_decimal_or_percentage_in_a_sentence_is_computed():
    page, (places, lacking) = PAGE, make_page.facts(PAGE)
    if lacking:
        pytest.skip("the facts are to be mended first")
    for start, end, _ in places:
        page = page[:start] + "~" * (end - start) + page[end:]
    page = re.sub("|".join(make_page.NOT_COMPUTED) + "|.-axis .*|%%.*", "", page)
    pictures = re.compile(r"(?ms)^```mermaid(.*?)^```$")
    relations = {formula for found in FORMULAS.values() for _, formula in found}
    shown = r"(?s:^```.*?^```$)|`[^`]+`|\]\(.*?\)"
    shown += r"|^\|(?:from|bias|\(\d+\)).*|^- .* = \*\*.*"  # that other tests compute
    wrong = []
    for title, text in parts(pictures.sub(r"\1", page)).items():
        for formula in {*findall(r"\$`([^`]+)`\$", text)} - relations:
            text = text.replace(f"$`{formula}`$", formula)
        left = {*findall(FIGURE, re.sub(f"(?m){shown}", "", text))}
        computed = findall(shown, pictures.sub("", PARTS[title]))
        left -= {*findall(FIGURE, " ".join(computed))}
        wrong += [f"part {title!r}: {left}"] if left else []
    assert not wrong, "\n".join(["mend these, or put them into facts.txt:", *wrong])


def test_results_were_measured_with_these_settings_and_come_out_again():
    why = "run tests/programs/measure.py, then make_page.py"
    (was, *_), now = make_page.RESULTS.read_text().split("\n"), measure.SETTINGS
    old = {setting.split("=")[1] for setting in {*was.split()} - {*now.split()}}
    lines = [k for k in PAGE.splitlines() if old & {*findall(r"[\d.]+", k)}]
    first = f"{why}; before that, look for {old}, no defaults any more, in"
    assert was == now, "\n".join([first, *lines])
    for name, seeds in measure.SEEDS.items():
        again = [int(measure.measure(name, seed)) for seed in seeds[:3]]
        kept = make_page.results()[name][:3].tolist()
        assert (name, again) == (name, kept), why


def test_flags_links_and_files_exist():
    flags = set(findall(r"(?<![-\w])--[a-z][\w-]+", PAGE.replace("-->", "")))
    assert flags <= {f"--{name.replace('_', '-')}" for name in [*DEFAULTS, "help"]}
    made = findall(r'"(\w+\.[a-z]+)"', "".join(blocks("python", PAGE)))
    made = {*made, *findall(r"^(?:# |.* --plot )(\w+\.\w+)$", PAGE)}
    ignored = {*(ROOT / ".gitignore").read_text().split()}
    assert made <= ignored, "put what the page makes into .gitignore"
    paths = findall(r"\]\((?!#|http)(.*?)(?:#L\d+-L\d+)?\)", PAGE)
    paths += findall(r"(?<![/\w])(?:tests/)?\w+\.(?:py|png|txt|md|csv|npz)\b", PROSE)
    assert [path for path in {*paths} - ignored if not (ROOT / path).exists()] == []
    headings = findall(r"^#+ (.*)$", PAGE)
    slugs = [re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in headings]
    assert set(findall(r"\]\(#([^)]+)\)", PAGE)) <= set(slugs)
    listed = findall(r"\[\d+ [^]]*\]\(#(.*?)\)", PAGE)  # in the head
    assert listed == [slug for slug in slugs if slug[0].isdigit()], "in this order"
    assert not re.search(r"\[(?:[Pp]art )?(\d+)\b[^]]*\]\(#(?!\1-)\d.*?\)", PAGE)


ELSEWHERE = "df pd to_numpy read_csv a2 h3 W3 b3 MLPClassifier dscores cp1252 replace"


def test_names_in_sentences_exist_in_the_script_or_in_a_block():
    words = lambda *texts: set(findall(r"[A-Za-z_]\w*", " ".join(texts)))
    always = words(SOURCE, FLOWER, *blocks("bash", PAGE), *dir(np), *dir(builtins))
    always |= words(*keyword.kwlist, (ROOT / ".gitignore").read_text(), ELSEWHERE)
    unknown = []
    for title, text in PARTS.items():
        known = always | words(*[block for _, block in FENCE.findall(text)])
        sentences = re.sub(rf"(?m)^\|.*|{INLINE}", "", FENCE.sub("", text))
        for span in findall(r"`([^`]+)`", sentences):
            name = re.sub(r".* = |(?<=[\w)\]])\.\w+|\w+=(?!=)", "", span)
            unknown += [f"part {title!r}: `{span}`"] if words(name) - known else []
    assert not unknown, "\n".join(["mend these names, or see ELSEWHERE:", *unknown])


def test_the_commands_use_what_they_install():
    install = "python3 -m venv .venv && .venv/bin/pip install -r requirements.txt"
    wanted = f"{install} && {COMMAND}\n{install} pytest && .venv/bin/python -m pytest\n"
    assert "".join(findall("python3 .*\n", "".join(blocks("bash", PAGE)))) == wanted
    windows = blocks("powershell", PAGE)[0].replace("py -m", "python3 -m")
    assert windows.replace("; ", " && ").replace("\\Scripts\\", "/bin/") == wanted


def test_mathematics_is_in_the_forms_that_github_keeps():
    assert not re.search(r"\\(operatorname|newcommand)|\$\$", PAGE)
    assert not re.search(r"[$\\]", re.sub(rf"{INLINE}|`[^`]+`", "", PROSE))
