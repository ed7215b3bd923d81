"""Kernels as text.

    kernel k3 "dense/relu" from "model.py:12"
      axes i:B, j:512, k:784
      read x: f32[B, 784], w: f32[784, 512], b: f32[512]
      write y: f32[B, 512]
      reduce acc[i, j] = add over k of x[i, k] * w[k, j]
      store y[i, j] = max(acc + b[j], 0.0)
      in_place y = x
      still w
      panels m: 32
      by_row x

The axes of a store are those its index and its expression use, in the order of the kernel's; where they are others (or in
another order) they are written out: `store y[i] for i, j = ...`.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from ..kernel import ACCUMULATE, INDEX, LET, REDUCE, STORE, Eq, Kernel, expr_refs, expr_variables
from ..scalar import REDUCERS, Aff, Expr
from ..types import DimLike, DType, TensorType, i64
from .scalars import Scope, expr_text, index_text, parse_expr, parse_index
from .tokens import Cursor, name_text, quote

_KINDS = (LET, REDUCE, STORE, INDEX, ACCUMULATE)


def print_kernel(kernel: Kernel, indent: str = "") -> str:
    """The text of a kernel; `parse_kernel` reads it back."""
    header = f"kernel {name_text(kernel.name)}"
    header += f" {quote(kernel.label)}" if kernel.label else ""
    header += f" from {quote(kernel.source)}" if kernel.source else ""
    lines = [header]
    if kernel.axes:
        lines.append("  axes " + ", ".join(f"{name_text(n)}:{extent}" for n, extent in kernel.axes.items()))
    writes, reads = set(kernel.writes), set(kernel.reads)
    for word, names in (("read", [n for n in kernel.arrays if n in reads and n not in writes]),
                        ("write", [n for n in kernel.arrays if n in writes]),
                        ("unused", [n for n in kernel.arrays if n not in reads and n not in writes])):
        if names:
            lines.append(f"  {word} " + ", ".join(f"{name_text(n)}: {kernel.arrays[n]}" for n in names))
    for number, equation in enumerate(kernel.equations):
        lines.append("  " + equation_text(kernel, equation, kernel.equations[:number]))
    lines.extend(f"  in_place {name_text(a)} = {name_text(b)}" for a, b in kernel.in_place.items())
    if kernel.still:
        lines.append("  still " + ", ".join(map(name_text, kernel.still)))
    if kernel.panels:
        lines.append("  panels " + ", ".join(f"{name_text(a)}: {columns}" for a, columns in kernel.panels.items()))
    if kernel.by_row:
        lines.append("  by_row " + ", ".join(map(name_text, kernel.by_row)))
    return "".join(f"{indent}{line}\n" for line in lines)


def equation_text(kernel: Kernel, equation: Eq, earlier: Iterable[Eq]) -> str:
    """One line; `earlier` are the equations before it, which tell the axes of a store."""
    name = name_text(equation.name)
    over = ", ".join(map(name_text, equation.over))
    if equation.kind in (LET, INDEX, REDUCE):
        head = f"{equation.kind} {name}[{', '.join(map(name_text, equation.free))}] ="
        return f"{head} {equation.op} over {over} of {expr_text(equation.expr)}" if equation.kind == REDUCE \
            else f"{head} {expr_text(equation.expr, i64 if equation.kind == INDEX else None)}"
    head = f"{equation.kind} {name}{index_text(equation.index)}"
    if equation.free != implied_axes(kernel.axes, equation.index, equation.expr, equation.over, earlier):
        head += f" for {', '.join(map(name_text, equation.free))}".rstrip()
    if equation.over:
        head += f" over {over}"
    expected = kernel.arrays[equation.name].dtype if equation.name in kernel.arrays else None
    return f"{head} {'+=' if equation.kind == ACCUMULATE else '='} {expr_text(equation.expr, expected)}"


def implied_axes(axes: Iterable[str], index: tuple[Aff, ...], expr: Expr, over: tuple[str, ...],
                 earlier: Iterable[Eq]) -> tuple[str, ...]:
    """The axes of a store that leaves them unsaid: those its index and expression use, in the kernel's order."""
    used = set(expr_variables(expr)).union(*(aff.variables for aff in index))
    names = used | expr_refs(expr)
    for equation in earlier:
        if equation.name in names and equation.kind in (LET, REDUCE, INDEX):
            used |= set(equation.free)
    return tuple(name for name in axes if name in used and name not in over)


def parse_kernel(text: str, file: str = "<text>", first_line: int = 1) -> Kernel:
    """The kernel of a text. Raises ParseError."""
    cursor = Cursor(text, file, first_line)
    cursor.skip_lines()
    kernel = parse_kernel_at(cursor)
    if cursor.token.kind != "end":
        raise cursor.error(f"an equation ({', '.join(_KINDS)}) or the end of the text")
    return kernel


def parse_kernel_at(cursor: Cursor) -> Kernel:
    """The kernel that begins at the cursor, which stands behind it afterwards. Raises ParseError."""
    cursor.expect("kernel")
    name = cursor.name("the kernel's name")
    label = cursor.string("a label") if cursor.token.kind == "string" else ""
    source = cursor.string("a file and line") if cursor.accept("from") else ""
    cursor.end_line()
    axes: dict[str, DimLike] = {}
    arrays: dict[str, TensorType] = {}
    in_place: dict[str, str] = {}
    if cursor.accept("axes"):
        while not axes or cursor.accept(","):
            token = cursor.token
            axis = cursor.name("an axis")
            if axis in axes:
                raise cursor.error("another axis", token)
            cursor.expect(":")
            axes[axis] = cursor.dim()
        cursor.end_line()
    while cursor.token.text in ("read", "write", "unused") and cursor.token.kind == "name":
        cursor.next()
        first = True
        while first or cursor.accept(","):
            first = False
            token = cursor.token
            array = cursor.name("an array")
            if array in arrays:
                raise cursor.error("another array", token)
            cursor.expect(":")
            arrays[array] = cursor.type()
        cursor.end_line()
    scope = Scope(arrays, set(axes))
    equations: list[Eq] = []
    while cursor.token.kind == "name" and cursor.token.text in _KINDS:
        equation = _parse_equation(cursor, axes, scope, equations)
        equations.append(equation)
        if equation.kind in (LET, REDUCE, INDEX):
            scope.results[equation.name] = equation.expr.dtype
        if equation.kind == INDEX:
            scope.variables.add(equation.name)
    while cursor.accept("in_place"):
        written = cursor.name("the array that is written")
        cursor.expect("=")
        in_place[written] = cursor.name("the array whose storage it shares")
        cursor.end_line()
    still = cursor.line("still", lambda: cursor.name("an array that the kernel reads"))
    panel = partial(cursor.pair, "an array that lies in panels", lambda: cursor.integer("the columns of a panel"))
    panels = dict(cursor.line("panels", panel))
    by_row = cursor.line("by_row", lambda: cursor.name("an array that is read through a table of its rows"))
    return Kernel(name, axes, arrays, tuple(equations), label, source, in_place, tuple(still), panels, tuple(by_row))


def _parse_equation(cursor: Cursor, axes: dict[str, DimLike], scope: Scope, earlier: list[Eq]) -> Eq:
    kind = cursor.next().text
    token = cursor.token
    name = cursor.name("the name of a value or an array")
    over: tuple[str, ...] = ()
    if kind in (LET, INDEX, REDUCE):
        if name in scope.results or name in axes:
            raise cursor.error("a name that is not taken", token)
        cursor.expect("[")
        free = _axis_list(cursor, axes) if not cursor.peek("]") else ()
        cursor.expect("]")
        cursor.expect("=")
        op = ""
        if kind == REDUCE:
            op_token = cursor.token
            op = cursor.name("a reducer")
            if op not in REDUCERS:
                raise cursor.error(f"one of {', '.join(REDUCERS)}", op_token)
            cursor.expect("over")
            over = _axis_list(cursor, axes)
            cursor.expect("of")
        expr = parse_expr(cursor, scope, i64 if kind == INDEX else None)
        cursor.end_line()
        return Eq(kind, name, expr, free, over, op)
    if name not in scope.arrays:
        raise cursor.error("an array that the kernel writes", token)
    index = parse_index(cursor, scope)
    stated = _axis_list(cursor, axes, empty=True) if cursor.accept("for") else None
    over = _axis_list(cursor, axes) if cursor.accept("over") else ()
    cursor.expect("+=" if kind == ACCUMULATE else "=")
    expected: DType = scope.arrays[name].dtype
    expr = parse_expr(cursor, scope, expected)
    cursor.end_line()
    free = implied_axes(axes, index, expr, over, earlier) if stated is None else stated
    return Eq(kind, name, expr, free, over, "add" if kind == ACCUMULATE else "", index)


def _axis_list(cursor: Cursor, axes: dict[str, DimLike], empty: bool = False) -> tuple[str, ...]:
    names: list[str] = []
    while (not names and not (empty and cursor.token.kind != "name")) or cursor.accept(","):
        token = cursor.token
        if empty and token.text == "over":
            break
        name = cursor.name("an axis")
        if name not in axes:
            raise cursor.error("an axis of the kernel", token)
        names.append(name)
    return tuple(names)
