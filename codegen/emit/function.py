"""Statements of a nest as one LLVM function, in final SSA form.

A run-time loop carries one phi for each accumulator that it updates and does not declare; nothing else lives in memory
but arrays and row buffers. Unrolled loops are written out, a vector loop is one set of lanes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import product

from ...ir.scalar import Apply, Expr, Load
from ...ir.types import Dim, DimLike, boolean, i64
from .. import scalar_code
from ..nest import (
    UNROLL,
    VECTOR,
    Acc,
    Accum,
    Clip,
    Fold,
    Let,
    Loop,
    Nest,
    Stmt,
    Store,
    Transpose,
    all_stores,
    expr_names,
    identity,
    statements,
    stmt_expr,
)
from ..target import Target
from .scopes import Scopes
from .transpose import write_transposed
from .values import Index, Lanes, Operand, Values
from .values import suffix as memory_suffix

Key = tuple[int, ...]


def emit(nest: Nest, target: Target, name: str) -> str:
    """LLVM text of `define void @name(ptr %args, ptr %dims, i64 %lo, i64 %hi)` with the declarations it needs.

    args: one pointer for each of nest.arrays; dims: one i64 for each of nest.symbols; [lo, hi): the share of
    nest.trips to do. A nest without a parallel loop does everything when lo < hi.
    """
    return _Function(nest, target).text(name)


@dataclass
class _Block:
    """The accumulators declared by one Acc: the current value of each instance."""

    acc: Acc
    values: dict[Key, Operand] = field(default_factory=dict)


@dataclass
class _LetValues:
    """The values of a let (or fold), one for each setting of the unrolled variables around its definition."""

    over: tuple[str, ...]
    values: dict[Key, Operand | Index] = field(default_factory=dict)


class _Function(Values):
    def __init__(self, nest: Nest, target: Target) -> None:
        super().__init__(nest, Scopes())
        self.target = target
        self.block = "start"
        self.needs_dump = False
        self.extents: dict[str, DimLike] = {}  # of the loops entered so far
        self.unrolled: dict[str, int] = {}
        self.live: dict[str, str] = {}  # clipped unrolled variables: whether the current iteration is live, an i1
        self.accs: dict[str, _Block] = {}
        self.lets: dict[str, _LetValues] = {}
        self.uses = _count_names(nest.body)
        stored = {s.array for s in all_stores(nest.body)}
        partners = {read for write, read in nest.in_place.items()}
        self.versions = dict.fromkeys(stored | partners, 0)

    # The function around the body

    def text(self, name: str) -> str:
        nest, w = self.nest, self.w
        for n, array in enumerate(nest.scratch):
            self.pointers[array] = f"%scratch{n}"
        for n, symbol in enumerate(nest.symbols):
            where = w.value(f"getelementptr i64, ptr %dims, i64 {n}")
            self.dims[symbol] = w.value(f"load i64, ptr {where}, align 8")
        for n, array in enumerate(nest.arrays):
            where = w.value(f"getelementptr ptr, ptr %args, i64 {n}")
            self.pointers[array] = w.value(f"load ptr, ptr {where}, align 8", "p")
        self.body(nest.body)
        w.line("br label %done")
        head = [f"define void @{name}(ptr %args, ptr %dims, i64 %lo, i64 %hi) nounwind {{", "entry:"]
        for n, (dtype, size) in enumerate(nest.scratch.values()):
            head.append(f"  %scratch{n} = alloca [{size} x {scalar_code.memory_type(dtype, 1)}], align 64")
        if self.needs_dump:
            head.append("  %dump = alloca [64 x i8], align 64")
        head += ["  %any = icmp slt i64 %lo, %hi", "  br i1 %any, label %start, label %done", "start:"]
        tail = ["done:", "  ret void", "}"]
        return "\n".join([*w.declarations, *head, *self.scopes.stack[0].lines, *tail]) + "\n"

    def dump(self) -> str:
        """Memory that may be written and is never read, for what dead lanes hold."""
        self.needs_dump = True
        return "%dump"

    def body(self, body: tuple[Stmt, ...]) -> None:
        waiting: list[Callable[[], None]] = []  # stores of one run of statements: after all its loads, which they would hold up
        for stmt in body:
            if not isinstance(stmt, (Let, Store)):
                _write_all(waiting)
            match stmt:
                case Loop():
                    self._loop(stmt)
                case Acc():
                    self._declare(stmt)
                case Accum():
                    self._accumulate(stmt)
                case Fold():
                    self._fold(stmt)
                case Let():
                    self._let(stmt)
                case Store():
                    waiting.append(self._store(stmt))
                case Transpose():
                    write_transposed(self, stmt)
                    self._written({stmt.array})
        _write_all(waiting)

    # Loops

    def _loop(self, loop: Loop) -> None:
        self.extents[loop.var] = loop.extent
        if loop.parallel:
            self._parallel(loop)
        elif loop.mode == UNROLL:
            for value in range(0, int(str(loop.extent)), loop.step):
                self._iteration(loop, value)
        elif loop.mode == VECTOR:
            before, self.vector = self.vector, Lanes(loop.var, int(str(loop.extent)), loop.clip)
            self.body(loop.body)
            self.vector = before
        elif not loop.clip and isinstance(loop.extent, int) and loop.extent <= loop.step:
            if loop.extent > 0:
                self.indices[loop.var] = Index()
                self.body(loop.body)
        else:
            self._run_time(loop)

    def _iteration(self, loop: Loop, value: int) -> None:
        """One iteration of an unrolled loop."""
        self.unrolled[loop.var] = value
        self.indices[loop.var] = Index(const=value)
        if loop.clip and (value or not self.begins_live(loop.clip)):
            live = self._clamp(loop.var, value, loop.clip)
            if self._may_skip(loop):
                self._branch(live, lambda: self.body(loop.body))
            else:
                self.live[loop.var] = live
                self.body(loop.body)
                del self.live[loop.var]
        else:
            self.body(loop.body)
        del self.unrolled[loop.var]

    def begins_live(self, clip: Clip) -> bool:
        """Whether the first iteration under a clip is surely live: its base is the variable of a loop that ends with the clip."""
        base = clip.base
        return len(base.terms) == 1 and base.const == 0 and base.terms[0][1] == 1 and self.extents.get(base.terms[0][0]) == clip.extent

    def _clamp(self, var: str, value: int, clip: Clip) -> str:
        """Sets the variable to the last live value at most; returns whether `value` is live."""
        base, depth = self.integer(clip.base)
        extent = self.dim(clip.extent)
        key = ("clamp", base, extent, value)
        known = self.scopes.recall(key)
        if known is None:
            left = self.pure_at(depth, f"sub i64 {extent}, {base}")
            last = self.pure_at(depth, f"sub i64 {left}, 1")
            with self.scopes.at(depth) as w:
                at = w.call("i64", "llvm.smin.i64", ("i64", last), ("i64", str(value)))
                known = (at, w.value(f"icmp sgt i64 {left}, {value}"))
            self.scopes.remember(key, known, depth)
        assert isinstance(known, tuple)
        self.indices[var] = Index(text=known[0], depth=depth, unrolled=True)
        return str(known[1])

    def _may_skip(self, loop: Loop) -> bool:
        """Whether dead iterations may jump over the whole body: it stores, and leaves nothing behind."""
        made: set[str] = set()
        stores = False
        for s in statements(loop.body):
            if isinstance(s, Store):
                stores = True
            elif isinstance(s, (Let, Fold, Acc)):
                made.add(s.name)
        if not stores or any(isinstance(s, Accum) and s.name not in made for s in statements(loop.body)):
            return False
        inside = _count_names(loop.body)
        return all(inside.get(n, 0) == self.uses.get(n, 0) for n in made)

    def _branch(self, condition: str, write: object) -> None:
        """Runs `write` where the condition holds."""
        w = self.w
        then, after = w.fresh_label("live"), w.fresh_label("next")
        self.scopes.push()
        w.label(then)
        self.block = then
        write()  # type: ignore[operator]
        w.line(f"br label %{after}")
        lines = self.scopes.pop()
        w.line(f"br i1 {condition}, label %{then}, label %{after}")
        w.lines.extend(lines)
        w.label(after)
        self.block = after

    def _run_time(self, loop: Loop) -> None:
        extent = self.dim(loop.extent)
        if loop.clip:
            left = self.integer(loop.clip.base * -1 + loop.clip.extent)[0]
            extent = self.w.call("i64", "llvm.smin.i64", ("i64", extent), ("i64", left))
        surely_once = not extent.startswith("%")
        if surely_once and int(extent) <= 0:
            return
        self._counted("0", extent, loop.step, surely_once, loop.body, {loop.var: lambda t: t})

    def _parallel(self, loop: Loop) -> None:
        """The share [lo, hi) of the product of perfectly nested parallel loops."""
        chain = [loop]
        while len(chain[-1].body) == 1 and isinstance(chain[-1].body[0], Loop) and chain[-1].body[0].parallel:
            chain.append(chain[-1].body[0])
        self.extents.update({p.var: p.extent for p in chain})
        body = chain[-1].body
        if any(isinstance(s, Loop) and s.parallel for s in statements(body)):
            raise ValueError(f"nest {self.nest.name}: parallel loops are not perfectly nested")
        counts = [self._trip_count(p.extent, p.step) for p in chain]

        def variable(n: int) -> object:
            def value(t: str) -> str:
                for count in reversed(counts[n + 1:]):
                    t = self.pure(f"udiv i64 {t}, {count}") if count != "1" else t
                if counts[n] == "1":
                    return "0"
                if any(count != "1" for count in counts[:n]):
                    t = self.pure(f"urem i64 {t}, {counts[n]}")
                return t if chain[n].step == 1 else self.pure(f"mul i64 {t}, {chain[n].step}")
            return value

        self._counted("%lo", "%hi", 1, True, body, {p.var: variable(n) for n, p in enumerate(chain)})

    def _trip_count(self, extent: DimLike, step: int) -> str:
        if not isinstance(extent, Dim):
            return str(-(-extent // step))
        if step == 1:
            return self.dim(extent)
        with self.scopes.at(0) as w:
            return w.value(f"udiv i64 {self.dim(extent + (step - 1))}, {step}")

    def _counted(self, start: str, end: str, step: int, surely_once: bool, body: tuple[Stmt, ...], variables: dict[str, object]) -> None:
        """A run-time loop from `start` to `end`, with a phi for each accumulator that the body updates and does not declare."""
        w, scopes = self.w, self.scopes
        declared = {s.name for s in statements(body) if isinstance(s, Acc)}
        updated = dict.fromkeys(s.name for s in statements(body) if isinstance(s, Accum) and s.name not in declared)
        stored = {s.array for s in all_stores(body)}
        self._written(stored)
        label, after = w.fresh_label("loop"), w.fresh_label("after")
        before, self.block = self.block, label
        scopes.push()
        w.label(label)
        counter = w.fresh("n")
        phis: list[tuple[int, str, str, str, str, Key]] = []  # line, name, type, first value, accumulator, instance
        counter_line = len(w.lines)
        w.line("")
        for name in updated:
            block = self.accs[name]
            for key, operand in block.values.items():
                kind = scalar_code.register_type(operand.dtype, operand.lanes)
                phi = w.fresh("c")
                phis.append((len(w.lines), phi, kind, operand.text, name, key))
                w.line("")
                block.values[key] = Operand(phi, operand.dtype, operand.lanes)
        entered = {}
        if not surely_once:
            entered = {(name, key): self.accs[name].values[key] for _, _, _, _, name, key in phis}
            inside = w.fresh_label("body")
            more = w.value(f"icmp slt i64 {counter}, {end}")
            w.line(f"br i1 {more}, label %{inside}, label %{after}")
            w.label(inside)
            self.block = inside
        depth = scopes.depth
        for var, value in variables.items():
            text = value(counter)  # type: ignore[operator]
            self.indices[var] = Index(text=text, depth=depth) if text != "0" else Index()
        self.body(body)
        following = w.value(f"add i64 {counter}, {step}")
        if surely_once:
            more = w.value(f"icmp slt i64 {following}, {end}")
            w.line(f"br i1 {more}, label %{label}, label %{after}")
        else:
            w.line(f"br label %{label}")
        w.lines[counter_line] = f"  {counter} = phi i64 [ {start}, %{before} ], [ {following}, %{self.block} ]"
        for line, phi, kind, first, name, key in phis:
            last = self.accs[name].values[key].text
            w.lines[line] = f"  {phi} = phi {kind} [ {first}, %{before} ], [ {last}, %{self.block} ]"
        lines = scopes.pop()
        w.line(f"br label %{label}")
        w.lines.extend(lines)
        w.label(after)
        self.block = after
        for (name, key), operand in entered.items():
            self.accs[name].values[key] = operand
        self._written(stored)

    def _written(self, arrays: set[str]) -> None:
        """Values loaded from these arrays, or from what shares their storage, are not to be used again."""
        for array in arrays:
            for other in (array, self.nest.in_place.get(array)):
                if other in self.versions:
                    self.versions[other] += 1

    # Accumulators and lets

    def _declare(self, acc: Acc) -> None:
        lanes = next((d.extent for d in acc.dims if d.vector), 1)
        first = Operand(scalar_code.constant(acc.dtype, identity(acc.op, acc.dtype), lanes), acc.dtype, lanes)
        block = _Block(acc)
        for key in product(*(range(d.extent) for d in acc.dims if not d.vector)):
            block.values[key] = first
        self.accs[acc.name] = block

    def _key(self, acc: Acc) -> Key:
        return tuple(self.unrolled[d.var] for d in acc.dims if not d.vector)

    def _accumulate(self, stmt: Accum) -> None:
        block = self.accs[stmt.name]
        acc, key = block.acc, self._key(block.acc)
        old = block.values[key]
        dead = [self.live[v] for v in acc.folded if v in self.live]
        mask = self.lane_mask() if self.vector and self.vector.var in acc.folded else ""
        product_of = _factors(stmt.expr) if acc.op == "add" and acc.dtype.is_float and not dead and not mask else None
        if product_of:
            a, b = (self.broadcast(self.value(x), old.lanes) for x in product_of)
            kind = scalar_code.register_type(acc.dtype, old.lanes)
            name = f"llvm.fma.{scalar_code.suffix(acc.dtype, old.lanes)}"
            text = self.w.call(kind, name, (kind, a.text), (kind, b.text), (kind, old.text))
            block.values[key] = Operand(text, acc.dtype, old.lanes)
            return
        new = self.broadcast(self.value(stmt.expr), old.lanes)
        neutral = Operand(scalar_code.constant(acc.dtype, identity(acc.op, acc.dtype), 1), acc.dtype)
        for live in ([mask] if mask else []) + dead:
            condition = Operand(live, boolean, old.lanes if live is mask else 1)
            new = self.apply("select", [condition, new, neutral], acc.dtype)
        text = scalar_code.apply(self.w, acc.op, [old.text, new.text], [acc.dtype] * 2, acc.dtype, old.lanes)
        block.values[key] = Operand(text, acc.dtype, old.lanes)

    def _fold(self, stmt: Fold) -> None:
        block = self.accs[stmt.source]
        acc = block.acc
        ranges = [range(d.extent) if d.var in stmt.over else (self.unrolled[d.var],) for d in acc.dims if not d.vector]
        parts = [block.values[key] for key in product(*ranges)]
        while len(parts) > 1:
            paired = [self._combine(acc, a, b) for a, b in zip(parts[::2], parts[1::2], strict=False)]
            parts = paired + (parts[-1:] if len(parts) % 2 else [])
        total = parts[0]
        if any(d.vector and d.var in stmt.over for d in acc.dims):
            total = self._fold_lanes(acc, total)
        over = tuple(d.var for d in acc.dims if not d.vector and d.var not in stmt.over)
        self._define(stmt.name, over, total)

    def _combine(self, acc: Acc, a: Operand, b: Operand) -> Operand:
        text = scalar_code.apply(self.w, acc.op, [a.text, b.text], [acc.dtype] * 2, acc.dtype, a.lanes)
        return Operand(text, acc.dtype, a.lanes)

    def _fold_lanes(self, acc: Acc, x: Operand) -> Operand:
        """The lanes combined by halves."""
        w = self.w
        while x.lanes > 1:
            wide, half = scalar_code.register_type(x.dtype, x.lanes), x.lanes // 2
            if half == 1:
                low, high = (w.value(f"extractelement {wide} {x.text}, i64 {n}") for n in (0, 1))
            else:
                low, high = (w.value(f"shufflevector {wide} {x.text}, {wide} poison, <{half} x i32> "
                                     f"<{', '.join(f'i32 {n}' for n in range(start, start + half))}>") for start in (0, half))
            x = self._combine(acc, Operand(low, x.dtype, half), Operand(high, x.dtype, half))
        return x

    def _let(self, stmt: Let) -> None:
        value = self.value(stmt.expr)
        over = tuple(self.unrolled)
        if not stmt.index:
            self._define(stmt.name, over, value)
            return
        if value.dtype != i64:
            value = self.apply("cast", [value], i64)
        self._define(stmt.name, over, Index(text=value.text, depth=self.scopes.depth, lanes=value.lanes))

    def _define(self, name: str, over: tuple[str, ...], value: Operand | Index) -> None:
        known = self.lets.get(name)
        if known is None or known.over != over:
            known = self.lets[name] = _LetValues(over)
        known.values[tuple(self.unrolled[v] for v in over)] = value

    def look_up(self, name: str) -> Operand | Index:
        known = self.lets[name]
        return known.values[tuple(self.unrolled[v] for v in known.over)]

    def named(self, name: str) -> Operand:
        if name in self.lets:
            return self.look_up(name)  # type: ignore[return-value]
        block = self.accs[name]
        return block.values[self._key(block.acc)]

    def index(self, var: str) -> Index:
        return self.look_up(var) if var in self.lets else self.indices[var]  # type: ignore[return-value]

    # Stores

    def _store(self, stmt: Store) -> Callable[[], None]:
        """Evaluates what is stored; the call that is returned stores it."""
        value = self._added(stmt) if stmt.accumulate else self.value(stmt.expr)
        live = dict(self.live)

        def write() -> None:
            if not live:
                self._write(stmt, value)
            else:
                total = ""
                for one in live.values():
                    total = self.pure(f"and i1 {total}, {one}") if total else one
                self._branch(total, lambda: self._write(stmt, value))
            self._written({stmt.array})

        return write

    def _write(self, stmt: Store, value: Operand) -> None:
        dtype, w = self.nest.dtype_of(stmt.array), self.w
        terms = self._vector_terms(stmt.index)
        if not terms:
            if value.lanes > 1:
                raise ValueError(f"nest {self.nest.name}: the lanes of a vector are stored to one element of {stmt.array}")
            text = scalar_code.to_memory(w, dtype, 1, value.text)
            w.line(f"store {scalar_code.memory_type(dtype, 1)} {text}, ptr {self.pointer(stmt.array, stmt.index)}, align {dtype.size}")
            return
        assert self.vector
        count, mask = self.vector.count, self.lane_mask()
        text = scalar_code.to_memory(w, dtype, count, self.broadcast(value, count).text)
        wide = scalar_code.memory_type(dtype, count)
        unit = terms == [(self.vector.var, 1)]
        where = self.pointer(stmt.array, stmt.index) if unit else self.addresses(stmt.array, stmt.index)
        if unit and not mask:
            w.line(f"store {wide} {text}, ptr {where}, align {dtype.size}")
            return
        kind = memory_suffix(dtype, count)
        name, pointer = (f"llvm.masked.store.{kind}.p0", "ptr") if unit else (f"llvm.masked.scatter.{kind}.v{count}p0", f"<{count} x ptr>")
        w.declare(f"declare void @{name}({wide}, {pointer}, i32, <{count} x i1>)")
        w.line(f"call void @{name}({wide} {text}, {pointer} {where}, i32 {dtype.size}, <{count} x i1> {mask or 'splat (i1 true)'})")

    def _added(self, stmt: Store) -> Operand:
        """The present content of the element plus the value."""
        dtype = self.nest.dtype_of(stmt.array)
        return self.apply("add", [self.load(Load(stmt.array, (stmt.index,), dtype)), self.value(stmt.expr)], dtype)


def _write_all(waiting: list[Callable[[], None]]) -> None:
    for write in waiting:
        write()
    waiting.clear()


def _factors(expr: Expr) -> tuple[Expr, Expr] | None:
    return (expr.args[0], expr.args[1]) if isinstance(expr, Apply) and expr.fn == "mul" else None


def _names(body: tuple[Stmt, ...]) -> Iterator[str]:
    for stmt in statements(body):
        expr = stmt_expr(stmt)
        if expr is not None:
            yield from expr_names(expr)
        if isinstance(stmt, Store):
            yield from stmt.index.variables
        if isinstance(stmt, Fold):
            yield stmt.source
        if isinstance(stmt, Transpose):
            yield stmt.value


def _count_names(body: tuple[Stmt, ...]) -> dict[str, int]:
    """How many statements use each name."""
    counts: dict[str, int] = {}
    for name in _names(body):
        counts[name] = counts.get(name, 0) + 1
    return counts


