"""Nests as text, and back: print_nest(parse_nest(t)) == t.

    nest dense "dense/relu"
      arrays x: f32[B, 784], w: f32[784, 512], b: f32[512], y: f32[B, 512]
      steps tile(j, 32), vectorize(j.i, 16), ...
      note "vectors along j: 16 lanes, 2 side by side"
      body
        parallel for j.o in 0..512 step 32
          acc c[i.i<8, j.i.v:vec16]: f32 = add
          for k in 0..784
            each i.i<8 if i.i + i.o < B, j.i.v:vec16
              c add= x[784*i.i + 784*i.o + k] * w[j.i.v + j.o + 512*k]

      pack.x[32*k.p + ...] = transpose t.x over i.p<16 if ... , k.v:vec16

      still w
      panel pack.w: f32[401408] of w
        for j.q in 0..512 step 32

`each` lists unrolled and vector loops that stand directly inside one another. `if` is a loop's clip; `for k in 0..3 where 1 <= k + i < 9`
does the trips that the guard holds for.
"""

from __future__ import annotations

from kcompile.ir.struct import replace

from ..ir.kernel import INDEX, LET
from ..ir.scalar import Aff
from ..ir.text.scalars import Scope, aff_text, expr_text, guard_text, index_text, parse_aff, parse_expr, parse_guard, parse_index
from ..ir.text.tokens import Cursor, name_text, quote, unquote
from ..ir.types import DTYPES, Dim, DimLike, DType, TensorType
from .nest import FOR, UNROLL, VECTOR, Acc, AccDim, Accum, Clip, Errand, Fold, Let, Loop, Nest, Panel, Prefetch, Stmt, Store, Transpose

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
        self.accs: dict[str, DType] = {}

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
        return (f" step {loop.step}" if loop.step != 1 else "") + (f" back {name_text(loop.back)}" if loop.back else "")

    def clip(self, var: str, clip: Clip | None) -> str:
        return f" if {aff_text(clip.base + Aff.of(var))} < {clip.extent}" if clip else ""

    def statement(self, stmt: Stmt) -> str:
        match stmt:
            case Acc():
                self.accs[stmt.name] = stmt.dtype
                dims = ", ".join(f"{name_text(d.var)}{':vec' if d.vector else '<'}{d.extent}" for d in stmt.dims)
                folded = f" folded {', '.join(map(name_text, stmt.folded))}" if stmt.folded else ""
                return f"acc {name_text(stmt.name)}[{dims}]: {stmt.dtype} = {stmt.op}{folded}"
            case Accum():
                op = next(s.op for s in _accs(self.nest.body) if s.name == stmt.name)
                return f"{name_text(stmt.name)} {op}= {expr_text(stmt.expr, self.accs[stmt.name])}"
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


def _accs(body: tuple[Stmt, ...]) -> list[Acc]:
    out: list[Acc] = []
    for stmt in body:
        if isinstance(stmt, Loop):
            out += _accs(stmt.body)
        elif isinstance(stmt, Acc):
            out.append(stmt)
    return out


def parse_nest(text: str, file: str = "<text>", first_line: int = 1) -> Nest:
    """The nest of a text. Raises ParseError with file, line and column."""
    cursor = Cursor(text, file, first_line)
    cursor.skip_lines()
    nest = _Parser(cursor).nest()
    if cursor.token.kind != "end":
        raise cursor.error("a statement or the end of the text")
    return nest


def parse_nests(text: str, file: str = "<text>") -> list[Nest]:
    """The nests of a text that holds one after the other. Raises ParseError."""
    cursor = Cursor(text, file)
    cursor.skip_lines()
    nests: list[Nest] = []
    while not nests or cursor.token.kind != "end":
        nests.append(_Parser(cursor).nest())
    return nests


class _Parser:
    def __init__(self, cursor: Cursor) -> None:
        self.cursor = cursor
        self.accs: dict[str, Acc] = {}
        self.scope = Scope({})

    def nest(self) -> Nest:
        c = self.cursor
        c.expect("nest")
        name = c.name("the nest's name")
        label = c.string("a label") if c.token.kind == "string" else ""
        c.end_line()
        arrays = self.arrays("arrays")
        scratch = {n: (t.dtype, int(str(t.shape[0]))) for n, t in self.arrays("scratch").items()}
        self.scope = Scope({**arrays, **{n: TensorType((size,), dtype) for n, (dtype, size) in scratch.items()}})
        in_place: dict[str, str] = {}
        while c.accept("in_place"):
            written = c.name("an array")
            c.expect("=")
            in_place[written] = c.name("an array")
            c.end_line()
        steps = self.steps()
        notes = []
        while c.accept("note"):
            notes.append(c.string("a note in quotes"))
            c.end_line()
        along = c.accept("along")
        if along:
            c.end_line()
        still: list[str] = []
        if c.accept("still"):
            while not still or c.accept(","):
                still.append(c.name("an array"))
            c.end_line()
        panels = {}
        while c.accept("panel"):
            column = c.tokens[c.position - 1].column
            panel = c.name("a panel")
            c.expect(":")
            kind = c.type()
            self.scope.arrays = {**self.scope.arrays, panel: kind}
            c.expect("of")
            array = c.name("an array")
            c.end_line()
            panels[panel] = Panel(array, kind.dtype, int(str(kind.size)), self.body(column))
        c.expect("body")
        column = c.tokens[c.position - 1].column
        c.end_line()
        return Nest(name, arrays, self.body(column), scratch, in_place, label, steps, tuple(notes), tuple(still), panels, along)

    def arrays(self, word: str) -> dict[str, TensorType]:
        c = self.cursor
        out: dict[str, TensorType] = {}
        if c.accept(word):
            while not out or c.accept(","):
                name = c.name("an array")
                c.expect(":")
                out[name] = c.type()
            c.end_line()
        return out

    def steps(self) -> tuple[str, ...]:
        c = self.cursor
        out: list[str] = []
        if c.accept("steps"):
            while not out or c.accept(","):
                step = c.name("a step")
                c.expect("(")
                args: list[str] = []
                while not c.accept(")"):
                    if args:
                        c.expect(",")
                    args.append(str(c.integer()) if c.token.kind == "int" else c.name("a loop"))
                out.append(f"{step}({', '.join(args)})")
            c.end_line()
        return tuple(out)

    def body(self, column: int) -> tuple[Stmt, ...]:
        """The statements that are indented beyond `column`."""
        out: list[Stmt] = []
        own = self.cursor.token.column
        while self.cursor.token.kind != "end" and self.cursor.token.column > column:
            if self.cursor.token.column != own:
                raise self.cursor.error("a line indented like the one before")
            out.append(self.statement())
        return tuple(out)

    def statement(self) -> Stmt:
        c = self.cursor
        column = c.token.column
        if c.peek_after("["):
            return self.store()
        if self.sums(c.token.text):  # before the words: an accumulator may be called acc
            return self.accum()
        if c.peek("parallel") or c.peek("for"):
            return self.for_loop(column)
        if c.accept("each"):
            return self.each(column)
        if c.accept("acc"):
            return self.acc()
        if c.accept("errand"):
            every = c.integer("in one of how many trips")
            c.expect(",")
            lines = c.integer("how many lines")
            c.end_line()
            return Errand(every, lines)
        if c.accept("prefetch"):
            array = c.name("an array")
            index = parse_index(c, self.scope)
            level = c.integer("a level of the cache") if c.accept(",") else 1
            c.end_line()
            return Prefetch(array, index[0], level)
        if c.accept("fold"):
            name = c.name("a name")
            c.expect("=")
            source = c.name("an accumulator")
            c.expect("over")
            over = [c.name("a variable")]
            while c.accept(","):
                over.append(c.name("a variable"))
            c.end_line()
            self.scope.results[name] = self.accs[source].dtype
            return Fold(name, source, tuple(over))
        if c.peek(LET) or c.peek(INDEX):
            counts = c.next().text == INDEX
            name = c.name("a name")
            c.expect("=")
            expr = parse_expr(c, self.scope, None)
            c.end_line()
            self.scope.results[name] = expr.dtype
            if counts:
                self.scope.variables.add(name)
            return Let(name, expr, counts)
        raise c.error("a statement: parallel, for, each, acc, fold, prefetch, errand, let, index, a store, or the name of an accumulator")

    def sums(self, word: str) -> bool:
        """Whether a statement such as `acc add= ...` begins here."""
        following = [token.text for token in self.cursor.tokens[self.cursor.position + 1:self.cursor.position + 3]]
        name = unquote(word) if word.startswith('"') else word
        return name in self.accs and following == [self.accs[name].op, "="]

    def accum(self) -> Accum:
        c = self.cursor
        name = c.name("an accumulator")
        c.expect(self.accs[name].op)
        c.expect("=")
        expr = parse_expr(c, self.scope, self.accs[name].dtype)
        c.end_line()
        return Accum(name, expr)

    def for_loop(self, column: int) -> Loop:
        c = self.cursor
        parallel = c.accept("parallel")
        backwards = parallel and c.accept("backwards")
        c.expect("for")
        var = c.name("a loop variable")
        c.expect("in")
        if c.integer() != 0:
            raise c.error("0")
        c.expect("..")
        extent = c.dim()
        step, back = self.step(extent)
        clip = self.clip(var)
        self.scope.variables.add(var)
        where = parse_guard(c, self.scope) if c.accept("where") else None
        c.end_line()
        return Loop(var, extent, self.body(column), step, FOR, parallel, clip, back, where, backwards)

    def each(self, column: int) -> Loop:
        c = self.cursor
        heads: list[Loop] = []
        while not heads or c.accept(","):
            var, count, vector = self.dimension()
            step, back = self.step(count)
            heads.append(Loop(var, count, (), step, VECTOR if vector else UNROLL, clip=self.clip(var), back=back))
            self.scope.variables.add(var)
        c.end_line()
        body = self.body(column)
        for head in reversed(heads):
            body = (replace(head, body=body),)
        assert isinstance(body[0], Loop)
        return body[0]

    def step(self, extent: DimLike) -> tuple[int, str]:
        """The step of a loop, and the variable that steps back, or ''."""
        c = self.cursor
        step = c.integer() if c.accept("step") else 1
        if not c.accept("back"):
            return step, ""
        if isinstance(extent, Dim) or extent < step:
            raise c.error(f"an extent of at least {step}, known before the loop runs, for one that steps back")
        back = c.name("the variable that steps back")
        self.scope.variables.add(back)
        return step, back

    def dimension(self) -> tuple[str, int, bool]:
        c = self.cursor
        var = c.name("a variable")
        if c.accept(":"):
            token = c.kind("name", "vec and a number of lanes")
            if not token.text.startswith("vec") or not token.text[3:].isdigit():
                raise c.error("vec and a number of lanes", token)
            return var, int(token.text[3:]), True
        c.expect("<")
        return var, c.integer(), False

    def clip(self, var: str) -> Clip | None:
        c = self.cursor
        if not c.accept("if"):
            return None
        self.scope.variables.add(var)
        index = parse_aff(c, self.scope)
        c.expect("<")
        return Clip(index + Aff.of({var: -1}), c.dim())

    def acc(self) -> Acc:
        c = self.cursor
        name = c.name("an accumulator")
        c.expect("[")
        dims: list[AccDim] = []
        while not c.accept("]"):
            if dims:
                c.expect(",")
            dims.append(AccDim(*self.dimension()))
        c.expect(":")
        dtype = DTYPES[c.kind("name", "an element type").text]
        c.expect("=")
        op = c.name("add, mul, max or min")
        folded: list[str] = []
        if c.accept("folded"):
            folded.append(c.name("a variable"))
            while c.accept(","):
                folded.append(c.name("a variable"))
        c.end_line()
        acc = Acc(name, op, dtype, tuple(dims), tuple(folded))
        self.accs[name] = acc
        self.scope.results[name] = dtype
        return acc

    def store(self) -> Store | Transpose:
        c = self.cursor
        token = c.token
        array = c.name("an array")
        if array not in self.scope.arrays:
            raise c.error("an array", token)
        index = parse_index(c, self.scope)
        accumulate = c.accept("+=")
        if not accumulate:
            c.expect("=")
        if c.peek("transpose") and not c.peek_after("("):
            return self.transpose(array, index[0])
        expr = parse_expr(c, self.scope, self.scope.arrays[array].dtype)
        c.end_line()
        return Store(array, index[0], expr, accumulate)

    def transpose(self, array: str, index: Aff) -> Transpose:
        c = self.cursor
        c.expect("transpose")
        value = c.name("the name of a let")
        c.expect("over")
        columns, width, _ = self.dimension()
        column_clip = self.clip(columns)
        c.expect(",")
        lanes, count, _ = self.dimension()
        lane_clip = self.clip(lanes)
        c.end_line()
        return Transpose(array, index, value, lanes, count, lane_clip, columns, width, column_clip)
