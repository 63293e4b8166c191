"""README.md is up to date, and right where no program writes it. Words are free."""

import builtins
import contextlib
import functools
import keyword
import math
import re

import facts
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
made_anew = functools.cache(make_page.remake)  # of the page, and what is to be mended


def test_the_page_is_up_to_date():
    old, new = PAGE.splitlines(), made_anew(PAGE)[0].splitlines()
    changed = [f"line {i}: {b}" for i, (a, b) in enumerate(zip(old, new), 1) if a != b]
    say = "run tests/programs/make_page.py, and read the diff of README.md"
    assert not changed and len(old) == len(new), "\n".join([say, *changed[:9]])


def test_the_page_has_the_facts_and_they_hold():
    lacking = made_anew(PAGE)[1]
    assert not lacking, "\n".join(["rewrite README.md, or facts.txt:", *lacking])


def test_each_part_can_be_pasted_after_the_first_flower_alone():
    for title, text in PARTS.items():
        code = pastes(text)
        if code and not code[0].startswith("import"):
            printed = Prompt(raw_nn, FLOWER).paste("\n".join(code))
            shown = r"(?s)^```python\n[^`]*?^```\n\n```text\n(.*?)^```"
            assert all(block in printed for block in findall(shown, text)), title


def test_numbers_count_up_and_stand_beside_their_lines():
    assert list(NUMBERED) == list(range(1, len(NUMBERED) + 1))
    tags = list(map(int, findall(r"\\tag\{(\d+)\}", PAGE)))
    assert tags == sorted(set(tags)), "each number in one display, counting up"
    for number, line in NUMBERED.items():
        code = re.escape(code_of(line).removeprefix("return "))
        in_words = rf"(?m)^[^|\n]*\w \({number}\)"  # where the formula is a sentence
        shown = [title for title, found in FORMULAS.items() if number in dict(found)]
        shown = shown or [
            t for t, text in PARTS.items() if re.search(in_words, FENCE.sub("", text))
        ]
        assert shown, f"no formula of the page has the number ({number})"
        lines = [t for t in shown if re.search(rf"[ `]{code}(  #|`)", PARTS[t])]
        assert lines, f"part {shown[0]!r} lacks the line of ({number}): {code_of(line)}"


def test_a_number_of_a_formula_stands_beside_a_name_of_its_line():
    pattern = r"`([^`\n]+)` \((\d+)\)"  # such as `Y - P` (13)
    for code, number in findall(rf"(?<!\$){pattern}", PROSE):
        line = findall(r"\w+", NUMBERED[int(number)].split("#")[0])
        assert {*findall(r"[A-Za-z]\w*", code)} & {*line}, f"{code} ({number})"


def by_hand():
    """Return the names of the example that is computed by hand, before its step."""
    code = "\n".join([FLOWER, *pastes(part(PAGE, "By hand"))])
    names = Prompt(raw_nn, re.split(r"\n.*sgd_step", code)[0]).locals
    return {name: names[name] for name in ("X", "Y", *raw_nn.Params._fields)}


@pytest.mark.parametrize("title", FORMULAS)
def test_all_sides_of_the_formulas_agree_and_numbered_ones_with_their_lines(title):
    known, computed = formulas.meanings(squared="Squared error" in PARTS[title])
    known |= by_hand() if "By hand" in title else {}
    for number, formula in FORMULAS[title]:
        formulas.check(formula, known, computed.get(number))


def value(text):
    """Return what an expression such as 2·(−0.5,0.5)+log 3 amounts to, as an array."""
    text = text.replace("−", "-").replace("·", "*")
    text = re.sub(r"\(([^()]*,[^()]*)\)", r"np.array([\1])", text)
    return np.squeeze(eval(re.sub(r"log ([\d.]+)", r"np.log(\1)", text), {"np": np}))


def test_the_first_flower_and_the_tables_of_its_network_are_right():
    lines = findall(r"^- .+?: (.+) = \*\*(.+)\*\*$", PROSE)
    names = Prompt(raw_nn, FLOWER).locals
    for steps, result in lines:
        assert_allclose(value(steps), value(result), rtol=5e-5, err_msg=steps)
    assert_allclose([value(right) for _, right in lines], [*names["h1"], *names["h2"]])
    inputs = findall(r'x\d\(\("(.*?)"\)\)', PAGE)  # of the picture
    assert_allclose([value(text) for text in inputs], names["x"])
    rows = findall(r"^\|(?:from [^|]*|bias)\|(.*)\|$", PAGE)
    arrays = [*names["W1"], names["b1"], *names["W2"], names["b2"]]
    for row, array in zip(rows, arrays, strict=True):
        assert_allclose(value(f"({row.replace('|', ',')})"), array)


def test_what_is_computed_by_hand_is_right():
    text, names = part(PAGE, "By hand"), vars(raw_nn) | by_hand()
    pairs = findall(r"(\d+(?:[·+ ]+\d+)+) = (\d+)", PROSE)  # as 12 + 24 = 36
    pairs += findall(r"(\d+) = (\d+(?:[·+]\d+)+)\|", PROSE)
    rows = findall(r"^\|\((\d+)\).*?\|(.*)\|(.*)\|$", text)
    for number, steps, result in rows:
        name, result = run_line(int(number), names), f"[{result.replace('<br>', '')}]"
        assert_allclose(value(result), np.squeeze(names[name]), rtol=5e-4, atol=1e-12)
        steps = re.sub(r".*(?=row 0:|unit 1:)|(row|unit) \d:|<br>", "", steps)
        if not re.search("[a-zA-Z]", steps.replace("log", "")):
            pairs.append((f"[({steps.replace(';', '),(')})]", result))
    (mask,) = findall(r"the mask (.*?)\|", text)
    pairs.append((f"[{mask}]", str((names["h1"] > 0).astype(int).tolist())))
    for steps, result in pairs:
        assert_allclose(value(steps), value(result), rtol=5e-5, err_msg=steps)


def test_the_table_of_arrays_shows_what_python_gives():
    names = Prompt(raw_nn, "import numpy as np\n" + pastes(PAGE)[1]).locals
    for call, shown in findall(r"^\|`(.*?)`\|`(.*?)`\|", PAGE):
        given = eval(call, names)
        given = given.tolist() if isinstance(given, (np.ndarray, np.generic)) else given
        assert str(given).replace(", ", ",") == shown, call


def test_shapes_in_comments_tables_and_pictures_are_those_of_the_arrays():
    X, Y, params = random_problem(8, 4, 20, 3)
    known = vars(raw_nn) | params._asdict() | {"X": X, "Y": Y}
    for number in (7, 8, 9, 10, 2, 3, 4, 5, 6, *range(13, 20)):
        run_line(number, known)
        known["h"] = known.get("h2")
    pattern = r"^ +(\w+)(?:, \w+)?(?: = .*|: np\.ndarray)  # (\(\D.*?\))"
    lines = findall(pattern, SOURCE.split("class Params")[1])
    found = [(name, shape) for name, shape in lines if name in known]
    found += findall(r'"∂L/∂(\w+).*?<br/>(\(.*?\))"', PAGE)
    for cell, names in findall(r"\|(\([a-z][^|]*\))\|(`\w+`(?:, `\w+`)*)\|$", PAGE):
        names, shapes = findall(r"\w+", names), findall(r"\(.*?\)", cell)
        found += zip(names, shapes * (len(names) if len(shapes) == 1 else 1))
    # of a layer: the factors of a gradient, and the gradient
    known |= {"A": known["a1"], "G": known["h2"], "W": known["W2"], "b": known["b2"]}
    rows = findall(r"^\|\w+ \$`(\w)`\$\|(.*)\|(\(.*\).*)\|$", part(PAGE, "layers"))
    for name, product, text in rows:
        factors = findall(r"\b[A-Z](?:\^\\top)?", re.sub(".*sum.*", "", product))
        text = text.replace("R", "hidden").replace("C", "out")
        found += zip([*factors, name], findall(r"\(.*?\)", text), strict=True)
    sizes = {8: "n", 4: "in", 20: "hidden", 3: "out", 1: "1"}
    for name, text in found:
        array = known[name[0]].T if "top" in name else known[name]
        wanted = ", ".join(sizes[size] for size in array.shape)
        assert text == (f"({wanted})" if array.ndim > 1 else f"({wanted},)"), name


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


_, *EXERCISES = re.split(
    r"^\*\*(\d+)\.\*\*", part(PAGE, "Exercises"), flags=re.MULTILINE
)
ANSWERS = zip(EXERCISES[::2], [blocks("diff", text) for text in EXERCISES[1::2]])
ANSWERS = [(exercise, diff) for exercise, diffs in ANSWERS for diff in diffs]


@pytest.mark.parametrize(("exercise", "diff"), ANSWERS)
def test_an_answer_has_the_gradient_of_its_own_loss(exercise, diff):
    script, (X, Y, _) = readme.edited(diff), random_problem(8, 4, 6, 3)
    params = script.init_params(np.random.default_rng(0), 4, 6, 3)
    params = params._make(np.array(theta, float) + 0.1 for theta in params)
    gradient = script.backward(X, Y, script.forward(X, params), params)
    for ours, slopes in zip(gradient, problems.loss_gradient(X, Y, params, script)):
        assert_allclose(ours, slopes, rtol=1e-9, atol=1e-12)
    assert "WRONG" not in script.check_gradient(X, Y, params)


def test_a_decimal_or_percentage_in_a_sentence_is_computed():
    page, relations = PAGE, {f for found in FORMULAS.values() for _, f in found}
    for fact in facts.facts(PAGE)[0]:
        with contextlib.suppress(ValueError):  # that another test reports
            for start, end, _ in facts.place(PAGE, fact):
                page = page[:start] + "~" * (end - start) + page[end:]
    page, figure = re.sub("|".join(facts.NOT_COMPUTED), "", page), re.compile(FIGURE)
    wrong = []
    # code, links, and what other tests compute: by hand
    done = r"(?m)`[^`]+`|\]\(.*?\)|^- .* = \*\*.*|^\|(?:from|bias|\(\d+\)) ?.*"
    for title, text in parts(page).items():
        labels = " ".join(findall(r'"([^"\n]*)"', " ".join(blocks("mermaid", text))))
        shown = [b for kind, b in FENCE.findall(PARTS[title]) if kind != "mermaid"]
        text, by_hand = FENCE.sub("", text), r"^\|(?:from|bias|\(\d+\)).*"
        shown += findall(by_hand, text)  # computed by other tests
        for formula in {*findall(r"\$`([^`]+)`\$", text)} - relations:
            text = text.replace(f"$`{formula}`$", formula)
        left = {*figure.findall(re.sub(done, "", text) + labels)}
        left -= {*figure.findall(" ".join(shown))}
        wrong += [f"part {title!r}: {left}"] if left else []
    assert wrong == [], "mend these figures, or put them into facts.txt"


def test_results_were_measured_with_these_settings_and_come_out_again():
    why = "run tests/programs/measure.py, then make_page.py"
    (was, *_), now = facts.RESULTS.read_text().split("\n"), measure.SETTINGS
    old = {setting.split("=")[1] for setting in {*was.split()} - {*now.split()}}
    lines = [k for k in PAGE.splitlines() if old & {*findall(r"[\d.]+", k)}]
    first = f"{why}; before that, look for {old}, no defaults any more, in"
    assert was == now, "\n".join([first, *lines])
    for name, seeds in measure.SEEDS.items():
        few = seeds[: 1 if name == "spiral" else 3]
        again = [int(measure.measure(name, seed)) for seed in few]
        assert (name, again) == (name, facts.results()[name][: len(few)].tolist()), why


def test_flags_links_and_files_exist():
    flags = set(findall(r"(?<![-\w])--[a-z][\w-]+", PAGE.replace("-->", "")))
    assert flags <= {f"--{name.replace('_', '-')}" for name in [*DEFAULTS, "help"]}
    made = findall(r'"(\w+\.[a-z]+)"', "".join(blocks("python", PAGE)))
    made = {*made, *readme.files(PAGE), *findall(r"--plot (\w+\.\w+)", PAGE)}
    ignored = {*(ROOT / ".gitignore").read_text().split()}
    assert made <= ignored, "put what the page makes into .gitignore"
    paths = findall(r"\]\((?!#|http)(.*?)(?:#L\d+-L\d+)?\)", PAGE)
    paths += findall(r"(?<![/\w])(?:tests/)?\w+\.(?:py|png|txt|md|csv|npz)\b", PROSE)
    assert [path for path in {*paths} - ignored if not (ROOT / path).exists()] == []
    headings = findall(r"^#+ (.*)$", PAGE)
    slugs = [re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in headings]
    assert set(findall(r"\]\(#([^)]+)\)", PAGE)) <= set(slugs)
    listed = findall(r"\[\d+ [^]]*\]\(#(.*?)\)", PAGE)  # in the head
    assert listed == [slug for slug in slugs if slug[0].isdigit()]
    assert not re.search(r"\[(?:[Pp]art )?(\d+)\b[^]]*\]\(#(?!\1-)\d.*?\)", PAGE)


ELSEWHERE = "df pd to_numpy read_csv a2 h3 W3 b3 MLPClassifier dscores n y cp1252 replace"  # names of no block


def test_names_in_sentences_exist_in_the_script_or_in_a_block():
    words = lambda *texts: set(findall(r"[A-Za-z_]\w*", " ".join(texts)))
    always = words(SOURCE, FLOWER, *blocks("bash", PAGE), *dir(np), *dir(builtins))
    always |= words(*keyword.kwlist, (ROOT / ".gitignore").read_text(), ELSEWHERE)
    unknown = []
    for title, text in PARTS.items():
        known = always | words(*[block for _, block in FENCE.findall(text)])
        for span in findall(
            r"`([^`]+)`", re.sub(rf"(?m)^\|.*|{INLINE}", "", FENCE.sub("", text))
        ):
            name = re.sub(r".* = |(?<=[\w)\]])\.\w+|\w+=(?!=)", "", span)
            unknown += [f"part {title!r}: `{span}`"] if words(name) - known else []
    assert unknown == [], "nothing has these names: mend them, or see ELSEWHERE"
    wanted = {"softmax": findall(r"return (.*)", readme.function("softmax"))[0]}
    wanted["forward"] = ", ".join(raw_nn.Activations._fields)
    for names, called in findall(r"^(\w+,.*) = raw_nn\.(\w+)\(", PAGE):
        assert wanted.get(called, names) == names, f"in raw_nn.py: {wanted[called]}"


def test_the_commands_use_what_they_install():
    install = "python3 -m venv .venv && .venv/bin/pip install -r requirements.txt"
    wanted = [
        f"{install} && {COMMAND}",
        f"{install} pytest && .venv/bin/python -m pytest",
    ]
    assert findall(r"^python3 .*", "".join(blocks("bash", PAGE))) == wanted
    windows = blocks("powershell", PAGE)[0].replace("py -m venv", "python3 -m venv")
    windows = windows.replace("; ", " && ").replace("\\Scripts\\", "/bin/")
    assert windows.splitlines() == wanted


def test_mathematics_is_in_the_forms_that_github_keeps():
    assert not re.search(r"\\(operatorname|newcommand)|\$\$", PAGE)
    assert not re.search(r"[$\\]", re.sub(rf"{INLINE}|`[^`]+`", "", PROSE))
