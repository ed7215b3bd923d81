"""Mutants: every place of a module where one small change makes another program, found in its syntax tree.

A change is one of: a comparison or an arithmetic or boolean operator replaced by its neighbour, a `not` dropped, the branches of a
conditional expression exchanged, a whole number one larger, True for False. Left alone, because no test of behaviour is meant to
see them: annotations, docstrings, texts, `raise` statements, decorators but for the guards of rules, the examples of rules (which
are inputs of tests), and assertions and the strictness of `zip` (which speak only where the compiler is wrong already).
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass

COMPARE: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.In: ast.NotIn,
    ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is}
ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult, ast.Mod: ast.Add,
    ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd}
SKIPPED_FIELDS = {"annotation", "returns", "type_params"}
EXAMPLES = "examples"


@dataclass(frozen=True)
class Site:
    """`path` leads from the module to the node; `scope` is the function or assignment around it; `function` the line where the
    innermost function begins, 0 outside of any."""

    file: str
    line: int
    scope: str
    what: str
    path: tuple[tuple[str, int], ...]
    function: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line} {self.scope}: {self.what}"


def sites(file: str, source: str, wanted: Callable[[str], bool] = lambda scope: True) -> list[Site]:
    """The mutants of a module whose scope is wanted."""
    found = []
    tree = ast.parse(source)
    inputs = _names_of_examples(tree)
    for node, path, scope, function in _walk(tree, (), "", 0):
        what = _change(copy.deepcopy(node)) if scope not in inputs and wanted(scope) else ""
        if what:
            found.append(Site(file, getattr(node, "lineno", 0), scope or "module", what, path, function))
    return found


def _names_of_examples(tree: ast.AST) -> set[str]:
    """What stands in examples of rules and nowhere else."""
    examples = {id(name) for node in ast.walk(tree) if isinstance(node, ast.keyword) and node.arg == EXAMPLES
                for name in ast.walk(node) if isinstance(name, ast.Name)}
    names = [n for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)]
    return {n.id for n in names if id(n) in examples} - {n.id for n in names if id(n) not in examples}


def mutated(source: str, site: Site) -> str:
    """The module with one change."""
    tree = ast.parse(source)
    node: ast.AST = tree
    for name, index in site.path:
        value = getattr(node, name)
        node = value[index] if index >= 0 else value
    _change(node)
    return ast.unparse(ast.fix_missing_locations(tree)) + "\n"


Place = tuple[ast.AST, tuple[tuple[str, int], ...], str, int]


def _walk(node: ast.AST, path: tuple[tuple[str, int], ...], scope: str, function: int) -> Iterator[Place]:
    yield node, path, scope, function
    for name, value in ast.iter_fields(node):
        if name in SKIPPED_FIELDS:
            continue
        for index, child in enumerate(value) if isinstance(value, list) else [(-1, value)]:
            if not isinstance(child, ast.AST) or _skipped(child):
                continue
            if name == "decorator_list":
                for at, guard in _guards(child):
                    yield from _walk(guard, (*path, (name, index), *at), scope, _function(guard, function))
                continue
            yield from _walk(child, (*path, (name, index)), _scope(child, scope), _function(child, function))


def _skipped(node: ast.AST) -> bool:
    if isinstance(node, ast.keyword):
        return node.arg in (EXAMPLES, "strict")
    return isinstance(node, (ast.Raise, ast.Assert, ast.JoinedStr, ast.ImportFrom, ast.Import))


def _guards(decorator: ast.AST) -> Iterator[tuple[tuple[tuple[str, int], ...], ast.AST]]:
    """The `where` of a rule, and the way to it."""
    for index, given in enumerate(decorator.keywords if isinstance(decorator, ast.Call) else ()):
        if given.arg == "where":
            yield (("keywords", index), ("value", -1)), given.value


def _function(node: ast.AST, around: int) -> int:
    """The line where the code object of a function begins: at its first decorator."""
    if isinstance(node, ast.FunctionDef):
        return min([node.lineno, *(d.lineno for d in node.decorator_list)])
    return node.lineno if isinstance(node, ast.Lambda) else around


def _scope(node: ast.AST, around: str) -> str:
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return f"{around}.{node.name}".strip(".")
    if isinstance(node, (ast.Assign, ast.AnnAssign)) and not around:
        target = node.targets[0] if isinstance(node, ast.Assign) else node.target
        return target.id if isinstance(target, ast.Name) else around
    if isinstance(node, ast.keyword) and node.arg == "vjp":
        return f"{around}.vjp"
    return around


def _change(node: ast.AST) -> str:
    """Changes a node in place; what was done, or nothing."""
    if isinstance(node, ast.Compare) and type(node.ops[0]) in COMPARE:
        old, new = type(node.ops[0]), COMPARE[type(node.ops[0])]
        node.ops[0] = new()
        return f"{old.__name__} -> {new.__name__}"
    if isinstance(node, ast.BinOp) and type(node.op) in ARITHMETIC:
        old_op, new_op = type(node.op), ARITHMETIC[type(node.op)]
        node.op = new_op()
        return f"{old_op.__name__} -> {new_op.__name__}"
    if isinstance(node, ast.BoolOp):
        old_bool = type(node.op)
        node.op = ast.Or() if old_bool is ast.And else ast.And()
        return f"{old_bool.__name__} -> {type(node.op).__name__}"
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.Not, ast.USub)):
        name = type(node.op).__name__
        node.op = ast.UAdd() if name == "USub" else node.op
        if name == "Not":
            node.operand = ast.UnaryOp(ast.Not(), node.operand)
        return f"{name} dropped"
    if isinstance(node, ast.IfExp):
        node.body, node.orelse = node.orelse, node.body
        return "branches exchanged"
    if isinstance(node, ast.Constant) and isinstance(node.value, bool):
        node.value = not node.value
        return f"{not node.value} -> {node.value}"
    if isinstance(node, ast.Constant) and type(node.value) is int:
        node.value += 1
        return f"{node.value - 1} -> {node.value}"
    return ""
