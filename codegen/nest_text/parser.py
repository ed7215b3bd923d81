"""Texts as nests: by recursive descent, a function for each form that the package's docstring shows."""

from __future__ import annotations

from collections.abc import Mapping

from kcompile.common.struct import replace

from ...ir.kernel import INDEX, LET
from ...ir.scalar import REDUCERS, Aff
from ...ir.text.scalars import Scope, parse_aff, parse_dtype, parse_expr, parse_guard, parse_index
from ...ir.text.tokens import Cursor, unquote
from ...ir.types import Dim, DimLike, TensorType
from ..nest import FOR, UNROLL, VECTOR, Acc, AccDim, Accum, Clip, Errand, Fold, Let, Loop, Nest, Panel, Prefetch, Stmt, Store, Transpose


def parse_nest(text: str) -> Nest:
    """The nest of a text. Raises ParseError with line and column."""
    cursor = Cursor(text)
    cursor.skip_lines()
    nest = _Parser(cursor).nest()
    if cursor.token.kind != "end":
        raise cursor.error("a statement or the end of the text")
    return nest


def parse_nests(text: str, file: str) -> list[Nest]:
    """The nests of a text that holds one after the other. Raises ParseError with file, line and column."""
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
        still = c.line("still", lambda: c.name("an array"))
        by_row = dict(c.line("by_row", lambda: c.pair("an array", lambda: c.integer("the elements of a row"))))
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
        return Nest(name, arrays, self.body(column), scratch, in_place, label, steps, tuple(notes), tuple(still), panels, along, by_row)

    def arrays(self, word: str) -> dict[str, TensorType]:
        c = self.cursor
        return dict(c.line(word, lambda: c.pair("an array", c.type)))

    def steps(self) -> tuple[str, ...]:
        c = self.cursor

        def step() -> str:
            name = c.name("a step")
            c.expect("(")
            args: list[str] = []
            while not c.accept(")"):
                if args:
                    c.expect(",")
                args.append(str(c.integer()) if c.token.kind == "int" else c.name("a loop"))
            return f"{name}({', '.join(args)})"
        return tuple(c.line("steps", step))

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
            source = self.known(self.accs, "an accumulator")
            c.expect("over")
            over = c.several(lambda: c.name("a variable"))
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

    def known(self, names: Mapping[str, object], expected: str) -> str:
        """A name that is one of those."""
        token = self.cursor.token
        name: str = self.cursor.name(expected)
        if names.get(name) is None:
            raise self.cursor.error(expected, token)
        return name

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
        takes, most = self.takes() if parallel else ("", 0)
        middle = self.middle() if parallel else ""
        clip = self.clip(var)
        self.scope.variables.add(var)
        where = parse_guard(c, self.scope) if c.accept("where") else None
        c.end_line()
        return Loop(var, extent, self.body(column), step, FOR, parallel, clip, back, where, backwards, takes, most, middle)

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

    def middle(self) -> str:
        """The variable that tells where the middle of a thread's share is, or ''."""
        if not self.cursor.accept("middle"):
            return ""
        middle: str = self.cursor.name("a variable")
        self.scope.variables.add(middle)
        return middle

    def takes(self) -> tuple[str, int]:
        """The variable that tells how far the trips reach that a thread does at once, or '', and how far at the most."""
        c = self.cursor
        if not c.accept("takes"):
            return "", 0
        takes = c.name("a variable")
        self.scope.variables.add(takes)
        c.expect("up")
        c.expect("to")
        return takes, c.integer("how far they reach at the most")

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
        dtype = parse_dtype(c)
        c.expect("=")
        op = self.known(REDUCERS, "add, mul, max or min")
        folded = c.several(lambda: c.name("a variable")) if c.accept("folded") else []
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
        value = self.known(self.scope.results, "the name of a let")
        c.expect("over")
        columns, width, _ = self.dimension()
        column_clip = self.clip(columns)
        c.expect(",")
        lanes, count, _ = self.dimension()
        lane_clip = self.clip(lanes)
        c.end_line()
        return Transpose(array, index, value, lanes, count, lane_clip, columns, width, column_clip)
