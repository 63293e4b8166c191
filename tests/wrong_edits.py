"""Edit raw_nn.py wrongly, one place at a time, and see which edits no test notices.

python tests/wrong_edits.py [LINE ...]

An edit changes an operator, a number, a .T, a condition and the like, but no text. The
tests run on a copy; if all pass, it has survived. LINE: only edits that start there.
"""

import ast
import os
import queue
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parent.parent
SOURCE = (ROOT / "raw_nn.py").read_text()
FIRST = {  # the tests that are the likeliest to notice an edit from this text on
    '"""': "network",
    "# ---- Training": "training",
    "# ====": "command",
}


def table(text):  # of pieces between commas: {first word: the others}
    return {first: rest for first, *rest in map(str.split, text.split(","))}


OPERATORS = table("Add -, Sub +, Mult /, Div * //, Pow *")
COMPARISONS = table("Lt LtE GtE, LtE Lt Gt, Gt GtE LtE, Eq NotEq, NotEq Eq")
NAMES = table(
    "all any, any all, argmax argmin, ceil floor, exp expm1, log log1p log2, min max,"
    "max min mean, maximum minimum, mean sum, sqrt square, sum mean max, zeros ones"
)


def edits_of(node):
    """Yield (node to replace, new text) for every wrong edit at this node."""
    text = ast.unparse
    if isinstance(node, ast.AugAssign):
        for operator in OPERATORS[type(node.op).__name__]:
            yield node, f"{text(node.target)} {operator}= {text(node.value)}"
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult):
        yield node, f"({text(node.right)}) @ ({text(node.left)})"
    elif isinstance(node, ast.BinOp):
        for operator in OPERATORS.get(type(node.op).__name__, []):
            yield node, f"(({text(node.left)}) {operator} ({text(node.right)}))"
    elif isinstance(node, ast.UnaryOp):  # -x and not x
        yield node, f"({text(node.operand)})"
    elif isinstance(node, ast.Compare):
        for i, operator in enumerate(node.ops):
            for other in COMPARISONS.get(type(operator).__name__, []):
                ops = [*node.ops[:i], getattr(ast, other)(), *node.ops[i + 1 :]]
                yield node, f"({text(ast.Compare(node.left, ops, node.comparators))})"
    elif isinstance(node, ast.BoolOp):
        word = " or " if isinstance(node.op, ast.And) else " and "
        yield node, "(" + word.join(f"({text(value)})" for value in node.values) + ")"
        for value in node.values:
            yield node, f"({text(value)})"
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield node, str(not node.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
        yield node, repr(node.value + 1)
        yield node, repr(node.value - 1)
        if node.value not in (0, 1):
            yield node, repr(node.value * 1.1 if node.value % 1 else -node.value)
    elif isinstance(node, ast.Attribute) and node.attr == "T":
        yield node, text(node.value)
    elif isinstance(node, ast.Attribute) and node.attr in NAMES:
        for name in NAMES[node.attr]:
            yield node, f"{text(node.value)}.{name}"
    elif isinstance(node, ast.Name) and node.id in NAMES:
        for name in NAMES[node.id]:
            yield node, name
    elif isinstance(node, (ast.If, ast.IfExp, ast.While)):
        for test in (f"not ({text(node.test)})", "True", "False"):
            yield node.test, test
    elif isinstance(node, (ast.Raise, ast.Expr)):
        yield node, "pass"
    elif isinstance(node, ast.Assign):
        if isinstance(node.value, ast.Call) and node.value.args:
            yield node.value, text(node.value.args[0])  # the call is left out
    elif isinstance(node, ast.FunctionDef):
        for decorator in node.decorator_list:
            yield decorator, "(lambda function: function)"
    if isinstance(node, ast.Call):
        for keyword in node.keywords:
            rest = [text(a) for a in node.args]
            rest += [text(k) for k in node.keywords if k is not keyword]
            yield node, f"{text(node.func)}({', '.join(rest)})"


def wrong_edits():
    """Return [(line, description, source)] for every edit, without repeats."""
    tree, skipped, found = ast.parse(SOURCE), set(), {}
    starts = [0]  # of the lines, in SOURCE, which is ASCII
    for line in SOURCE.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            skipped.update(ast.walk(node))
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            skipped.update((node, node.value))  # a docstring
    for node in ast.walk(tree):
        for target, new in () if node in skipped else edits_of(node):
            start = starts[target.lineno - 1] + target.col_offset
            end = starts[target.end_lineno - 1] + target.end_col_offset
            source = SOURCE[:start] + new + SOURCE[end:]
            try:
                changed = ast.dump(ast.parse(source)) != ast.dump(tree)
            except SyntaxError:
                continue
            if changed and source not in found:
                old = " ".join(SOURCE[start:end].split())
                found[source] = target.lineno, f"line {target.lineno}: {old}  ->  {new}"
    return sorted((line, text, source) for source, (line, text) in found.items())


def survives(edit, folders):
    """Run the tests on a copy of the project with this edit; tell whether all pass."""
    line, _, source = edit
    for text, name in FIRST.items():
        if line > SOURCE[: SOURCE.index(text)].count("\n"):
            first = name
    names = [first, *sorted({*FIRST.values()} - {first}), "page"]
    tests = [f"tests/test_{name}.py" for name in names]
    folder = folders.get()
    (folder / "raw_nn.py").write_text(source)
    call = [sys.executable, "-m", "pytest", *tests, f"--basetemp={folder}/tmp"]
    done = subprocess.run(call, cwd=folder, capture_output=True, check=False)
    folders.put(folder)
    return done.returncode == 0


def main():
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # in the tests: the arrays are small
    os.environ["PYTEST_ADDOPTS"] = "-x -q -p no:cacheprovider"
    lines = {int(word) for word in sys.argv[1:] if word.isdigit()}
    edits = [edit for edit in wrong_edits() if not lines or edit[0] in lines]
    folders, survivors = queue.Queue(), 0
    with TemporaryDirectory() as scratch, ThreadPoolExecutor(2) as pool:
        for i in range(2):
            hidden = shutil.ignore_patterns(".venv", ".git", "__pycache__")
            folders.put(shutil.copytree(ROOT, Path(scratch, str(i)), ignore=hidden))
        if not survives((1, "no edit", SOURCE), folders):
            sys.exit("the tests fail without any edit")
        results = pool.map(partial(survives, folders=folders), edits)
        for edit, survived in zip(edits, results):
            survivors += survived
            print("SURVIVED" if survived else "caught  ", edit[1], flush=True)
    print(f"\n{len(edits) - survivors} of {len(edits)} edits caught")
    sys.exit(survivors > 0)


if __name__ == "__main__":
    main()
