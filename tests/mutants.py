"""Edit raw_nn.py wrongly, one place at a time, and see which edits no test notices.

python tests/mutants.py [--list] [LINE ...]

An edit changes an operator, a comparison, a number, a default, an axis, a .T, a raise
and the like, anywhere but in plot_loss and in texts. For each edit the tests run on a
copy, test_readme.py not among them; an edit that they all pass has survived. With line
numbers, only the edits at these lines are tried; --list shows edits and tries none.
"""

import ast
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from conftest import ROOT

SOURCE = (ROOT / "raw_nn.py").read_text()
QUICK_FIRST = ("numbers", "data", "gradients", "training", "command")
TESTS = [f"tests/test_{name}.py" for name in QUICK_FIRST]

OPERATORS = {
    ast.Add: ["-"],
    ast.Sub: ["+"],
    ast.Mult: ["/"],
    ast.Div: ["*"],
    ast.FloorDiv: ["*", "/"],
    ast.Pow: ["*"],
}
COMPARISONS = {
    ast.Lt: ["<=", ">="],
    ast.LtE: ["<", ">"],
    ast.Gt: [">=", "<="],
    ast.GtE: [">", "<"],
    ast.Eq: ["!="],
    ast.NotEq: ["=="],
}
NAMES = {
    "all": ["any"],
    "argmax": ["argmin"],
    "exp": ["expm1"],
    "log": ["log1p", "log2"],
    "max": ["min", "mean"],
    "maximum": ["minimum"],
    "mean": ["sum"],
    "sqrt": ["square"],
    "sum": ["mean", "max"],
    "zeros": ["ones"],
}


def wrap(node, sign):
    return ast.unparse(node) if sign else f"({ast.unparse(node)})"


def edits_of(node):
    """Yield (node to replace, new text) for every wrong edit at this node."""
    text = ast.unparse
    if isinstance(node, (ast.BinOp, ast.AugAssign)) and type(node.op) in OPERATORS:
        left, right = (
            (node.left, node.right)
            if isinstance(node, ast.BinOp)
            else (node.target, node.value)
        )
        sign = "=" if isinstance(node, ast.AugAssign) else ""
        for operator in OPERATORS[type(node.op)]:
            yield node, f"{wrap(left, sign)} {operator}{sign} ({text(right)})"
    elif isinstance(node, ast.BinOp):  # the matrix product
        yield node, f"({text(node.right)}) @ ({text(node.left)})"
    elif isinstance(node, ast.UnaryOp):  # -x and not x
        yield node, f"({text(node.operand)})"
    elif isinstance(node, ast.Compare):
        for i, operator in enumerate(node.ops):
            for other in COMPARISONS[type(operator)]:
                parts = [text(node.left)]
                for k, (op, right) in enumerate(zip(node.ops, node.comparators)):
                    symbol = text(ast.Compare(ast.Name("a"), [op], [ast.Name("b")]))
                    parts += [other if k == i else symbol[2:-2], text(right)]
                yield node, "(" + " ".join(parts) + ")"
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
            yield node, repr(node.value * 1.01 if node.value % 1 else -node.value)
    elif isinstance(node, ast.Constant) and node.value == "ab":
        yield node, "'wb'"
    elif isinstance(node, ast.Constant) and node.value == "ignore":
        yield node, "'warn'"
    elif isinstance(node, ast.Attribute) and node.attr == "T":
        yield node, text(node.value)
    elif isinstance(node, ast.Attribute) and node.attr in NAMES:
        for name in NAMES[node.attr]:
            yield node, f"{text(node.value)}.{name}"
    elif isinstance(node, ast.Name) and node.id in NAMES:
        for name in NAMES[node.id]:
            yield node, name
    elif isinstance(node, (ast.If, ast.IfExp)):
        yield node.test, f"not ({text(node.test)})"
        yield node.test, "True"
        yield node.test, "False"
    elif isinstance(node, ast.Raise):
        yield node, "pass"
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        if text(node.value.func) != "print":
            yield node, "pass"
    elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
        if isinstance(node.value, ast.Call) and node.value.args:
            yield node.value, text(node.value.args[0])  # the call is left out
    elif isinstance(node, ast.Yield):
        yield node, f"yield {text(node.value)}[::-1]"
    elif isinstance(node, ast.ExceptHandler) and isinstance(node.type, ast.Tuple):
        for i in range(len(node.type.elts)):
            rest = [text(e) for k, e in enumerate(node.type.elts) if k != i]
            yield node.type, "(" + ", ".join(rest) + ")"
    if isinstance(node, ast.Call):
        for keyword in node.keywords:
            if keyword.arg not in (None, "help", "description", "flush"):
                rest = [text(a) for a in node.args]
                rest += [text(k) for k in node.keywords if k is not keyword]
                yield node, f"{text(node.func)}({', '.join(rest)})"
    if isinstance(node, ast.FunctionDef):
        for decorator in node.decorator_list:
            yield decorator, "(lambda function: function)"


def offset(line, column):
    """Where (line, column) of SOURCE is, counted from its start."""
    return sum(map(len, SOURCE.splitlines(keepends=True)[: line - 1])) + column


def mutants():
    """Return [(description, source)] for every edit, without repeats."""
    tree = ast.parse(SOURCE)
    skipped = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name == "plot_loss":
            skipped.update(range(node.lineno, node.end_lineno + 1))
    found = {}
    for node in ast.walk(tree):
        if getattr(node, "lineno", None) in skipped or isinstance(node, ast.JoinedStr):
            continue
        for target, new in edits_of(node):
            start = offset(target.lineno, target.col_offset)
            end = offset(target.end_lineno, target.end_col_offset)
            source = SOURCE[:start] + new + SOURCE[end:]
            try:
                changed = ast.dump(ast.parse(source)) != ast.dump(tree)
            except SyntaxError:
                continue
            if changed and source not in found:
                old = " ".join(SOURCE[start:end].split())
                found[source] = f"line {target.lineno}: {old}  ->  {new}"
    in_order = sorted(found.items(), key=lambda item: int(item[1].split()[1][:-1]))
    return [(description, source) for source, description in in_order]


def survives(source):
    with TemporaryDirectory() as folder:
        copy = Path(folder) / "copy"
        ignore = shutil.ignore_patterns(".*", "__pycache__")
        shutil.copytree(ROOT, copy, ignore=ignore)
        (copy / "raw_nn.py").write_text(source)
        options = ["-x", "-q", "-p", "no:cacheprovider", f"--basetemp={folder}/tmp"]
        call = [sys.executable, "-m", "pytest", *options, *TESTS]
        try:
            run = subprocess.run(
                call,
                cwd=copy,
                env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},  # two run at a time
                capture_output=True,
                timeout=240,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return False
        return run.returncode == 0


def main():
    lines = {word for word in sys.argv[1:] if word.isdigit()}
    chosen = [
        (description, source)
        for description, source in mutants()
        if not lines or description.split()[1][:-1] in lines
    ]
    descriptions, sources = zip(*chosen)
    if "--list" in sys.argv:
        print("\n".join(descriptions))
        return
    if not survives(SOURCE):
        sys.exit("the tests fail without any edit")
    with ThreadPoolExecutor(2) as pool:
        survivors = []
        for description, alive in zip(descriptions, pool.map(survives, sources)):
            if alive:
                survivors.append(description)
            print("SURVIVED" if alive else "caught  ", description, flush=True)
    caught = len(sources) - len(survivors)
    print(f"\n{caught} of {len(sources)} edits caught ({caught / len(sources):.1%})")


if __name__ == "__main__":
    main()
