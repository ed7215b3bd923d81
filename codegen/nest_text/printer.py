"""Nests as text; the package's docstring shows one."""

from __future__ import annotations

from ...ir.kernel import INDEX, LET
from ...ir.scalar import Aff
from ...ir.text.scalars import aff_text, expr_text, guard_text, index_text
from ...ir.text.tokens import name_text, quote
from ..nest import FOR, VECTOR, Acc, Accum, Clip, Errand, Fold, Let, Loop, Nest, Prefetch, Stmt, Store, Transpose

_INDENT = "  "


def print_nest(nest: Nest) -> str:
    """The text of a nest; `parse_nest` reads it back."""
    lines = [f"nest {name_text(nest.name)}" + (f" {quote(nest.label)}" if nest.label else "")]
    if nest.arrays:
        lines.append("  arrays " + ", ".join(f"{name_text(n)}: {t}" for n, t in nest.arrays.items()))
    if nest.scratch:
        lines.append("  scratch " + ", ".join(f"{name_text(n)}: {dtype}[{size}]" for n, (dtype, size) in nest.scratch.items()))
    lines.extend(f"  in_place {name_text(a)} = {name_text(b)}" for a, b in nest.in_place.items())
    if nest.steps:
        lines.append("  steps " + ", ".join(nest.steps))
    lines.extend(f"  note {quote(n)}" for n in nest.notes)
    if nest.along:
        lines.append("  along")
    if nest.still:
        lines.append("  still " + ", ".join(map(name_text, nest.still)))
    if nest.by_row:
        lines.append("  by_row " + ", ".join(f"{name_text(a)}: {size}" for a, size in nest.by_row.items()))
    printer = _Printer(nest)
    for name, panel in nest.panels.items():
        printer.lines.append(f"  panel {name_text(name)}: {panel.dtype}[{panel.elements}] of {name_text(panel.array)}")
        printer.body(panel.body, 2)
    printer.lines.append("  body")
    printer.body(nest.body, 2)
    return "\n".join([*lines, *printer.lines]) + "\n"


class _Printer:
    def __init__(self, nest: Nest) -> None:
        self.nest = nest
        self.lines: list[str] = []
        self.accs: dict[str, Acc] = {}  # by name, those that have been printed

    def body(self, body: tuple[Stmt, ...], depth: int) -> None:
        for stmt in body:
            if isinstance(stmt, Loop):
                self.loop(stmt, depth)
            else:
                self.lines.append(_INDENT * depth + self.statement(stmt))

    def loop(self, loop: Loop, depth: int) -> None:
        if loop.mode == FOR:
            how = ("parallel " if loop.parallel else "") + ("backwards " if loop.backwards else "")
            text = f"{how}for {name_text(loop.var)} in 0..{loop.extent}"
            text += self.steps(loop)
            text += self.clip(loop.var, loop.clip)
            text += f" where {guard_text(loop.where)}" if loop.where else ""
            body = loop.body
        else:
            parts = []
            while True:
                mark = f":vec{loop.extent}" if loop.mode == VECTOR else f"<{loop.extent}"
                parts.append(f"{name_text(loop.var)}{mark}{self.steps(loop)}{self.clip(loop.var, loop.clip)}")
                body = loop.body
                if len(body) != 1 or not isinstance(body[0], Loop) or body[0].mode == FOR:
                    break
                loop = body[0]
            text = "each " + ", ".join(parts)
        self.lines.append(_INDENT * depth + text)
        self.body(body, depth + 1)

    def steps(self, loop: Loop) -> str:
        return (f" step {loop.step}" if loop.step != 1 else "") + (f" back {name_text(loop.back)}" if loop.back else "") \
            + (f" takes {name_text(loop.takes)} up to {loop.most}" if loop.takes else "") \
            + (f" middle {name_text(loop.middle)}" if loop.middle else "")

    def clip(self, var: str, clip: Clip | None) -> str:
        return f" if {aff_text(clip.base + Aff.of(var))} < {clip.extent}" if clip else ""

    def statement(self, stmt: Stmt) -> str:
        match stmt:
            case Acc():
                self.accs[stmt.name] = stmt
                dims = ", ".join(f"{name_text(d.var)}{':vec' if d.vector else '<'}{d.extent}" for d in stmt.dims)
                folded = f" folded {', '.join(map(name_text, stmt.folded))}" if stmt.folded else ""
                return f"acc {name_text(stmt.name)}[{dims}]: {stmt.dtype} = {stmt.op}{folded}"
            case Accum():
                acc = self.accs[stmt.name]
                return f"{name_text(stmt.name)} {acc.op}= {expr_text(stmt.expr, acc.dtype)}"
            case Fold():
                return f"fold {name_text(stmt.name)} = {name_text(stmt.source)} over {', '.join(map(name_text, stmt.over))}"
            case Let():
                return f"{INDEX if stmt.index else LET} {name_text(stmt.name)} = {expr_text(stmt.expr)}"
            case Store():
                sign = "+=" if stmt.accumulate else "="
                return f"{name_text(stmt.array)}{index_text((stmt.index,))} {sign} {expr_text(stmt.expr, self.nest.dtype_of(stmt.array))}"
            case Transpose():
                columns = f"{name_text(stmt.columns)}<{stmt.width}{self.clip(stmt.columns, stmt.column_clip)}"
                lanes = f"{name_text(stmt.lanes)}:vec{stmt.count}{self.clip(stmt.lanes, stmt.lane_clip)}"
                return f"{name_text(stmt.array)}{index_text((stmt.index,))} = transpose {name_text(stmt.value)} over {columns}, {lanes}"
            case Prefetch():
                return f"prefetch {name_text(stmt.array)}{index_text((stmt.index,))}" + (f", {stmt.level}" if stmt.level > 1 else "")
            case Errand():
                return f"errand {stmt.every}, {stmt.lines}"
            case Loop():
                raise AssertionError("loops are printed by loop()")
