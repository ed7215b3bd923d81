"""Expressions of a nest as LLVM values: masks, loads, applications.

A value is uniform (lanes == 1) until something in it depends on the vector variable; a uniform operand of a vector
operation is broadcast. Equal values are emitted once while they are in reach.
"""

from __future__ import annotations

import functools

from ...ir.scalar import Aff, Apply, AxisValue, Const, Expr, Guard, Load, Ref, apply
from ...ir.types import DType, boolean, f32, f64, i64
from .. import scalar_code
from ..nest import Accum, Nest, statements
from ..target import Target
from ..text_builder import Writer
from .abreast import load_terms
from .indices import Indices, Operand
from .memory import ZERO_CELL, mask_text, memory_constant, suffix
from .scopes import Scopes


class Values(Indices):
    """Emits expressions. `index` and `named` look up lets and accumulators."""

    def __init__(self, nest: Nest, scopes: Scopes, target: Target) -> None:
        super().__init__(nest, scopes)
        self.target = target
        self.versions: dict[str, int] = {}  # of arrays that the nest writes: counts the writes so far
        self.unrolled: dict[str, int] = {}
        self.fuses = _updates_by_products(nest)

    # Values of indices, lane by lane

    def vector_index(self, aff: Aff) -> str:
        """An operand of <lanes x i64> with the value of an index in every lane."""
        assert self.vector
        count = self.vector.count
        text, _ = self.integer(aff)
        total = "" if text == "0" else self.broadcast(Operand(text, i64), count).text
        for var, factor in self._vector_terms(aff):
            part = self._iota(count) if var == self.vector.var else self.index(var).text
            if factor != 1:
                by = self.broadcast(Operand(self.dim(factor), i64), count).text
                part = self.pure(f"mul <{count} x i64> {part}, {by}")
            total = self.pure(f"add <{count} x i64> {total}, {part}") if total else part
        return total or "zeroinitializer"

    def _iota(self, count: int, element: str = "i64") -> str:
        return f"<{', '.join(f'{element} {n}' for n in range(count))}>"

    # Values

    def broadcast(self, x: Operand, lanes: int) -> Operand:
        """The value in every lane."""
        if x.lanes == lanes:
            return x
        element, wide = scalar_code.register_type(x.dtype, 1), scalar_code.register_type(x.dtype, lanes)
        if not x.text.startswith("%"):
            return Operand(f"splat ({element} {x.text})", x.dtype, lanes)
        one = self.pure(f"insertelement {wide} poison, {element} {x.text}, i64 0")
        text = self.pure(f"shufflevector {wide} {one}, {wide} poison, <{lanes} x i32> zeroinitializer")
        return Operand(text, x.dtype, lanes)

    def value(self, expr: Expr) -> Operand:
        """The value of an expression for the current indices."""
        if isinstance(expr, Const):
            return Operand(scalar_code.constant(expr.dtype, expr.value, 1), expr.dtype)
        if isinstance(expr, Ref):
            return self.named(expr.name)
        if isinstance(expr, AxisValue):
            return self._axis_value(expr)
        if isinstance(expr, Load):
            return self._once(expr) if self.unrolled else self.load(expr)
        if self.fuses and (terms := _multiplied_and_added(expr)):
            return self.fused(*(self.value(term) for term in terms))
        return self.apply(expr.fn, [self.value(a) for a in expr.args], expr.dtype)

    def _once(self, load: Load) -> Operand:
        """`load`, worked out once for all iterations of unrolled loops that read the same."""
        vector = self.vector
        own = (vector.var, vector.terms) if vector is not None else ()
        at = [self.index(v) for v in load.variables if v not in own]
        key = id(load), id(vector), self.versions.get(load.array, 0), *[index.text or index.const for index in at]
        known = self.scopes.recall(key)
        if known is None:
            known = load, vector, self.load(load)  # which must not go, that no others are known by their numbers
            self.scopes.remember(key, known)
        return known[2]  # type: ignore[no-any-return]

    def named(self, name: str) -> Operand:
        raise NotImplementedError  # the statements know: emit/function.py

    def apply(self, fn: str, args: list[Operand], dtype: DType) -> Operand:
        """fn(args) at the widest of the operands' lanes."""
        lanes = max(a.lanes for a in args)
        key = (fn, dtype, lanes, tuple(a.text for a in args))
        known = self.scopes.recall(key)
        if known is not None:
            return known  # type: ignore[no-any-return]
        if fn == "select" and args[0].lanes < lanes:
            yes, no = (self.broadcast(a, lanes).text for a in args[1:])
            wide = scalar_code.register_type(dtype, lanes)  # the condition stays a scalar: a mask would have to be made, lane by lane
            text = self.w.value(f"select i1 {args[0].text}, {wide} {yes}, {wide} {no}")
        else:
            args = [self.broadcast(a, lanes) for a in args]
            text = scalar_code.apply(self.w, fn, [a.text for a in args], [a.dtype for a in args], dtype, lanes)
        result = Operand(text, dtype, lanes)
        self.scopes.remember(key, result)
        return result

    def fused(self, a: Operand, b: Operand, c: Operand) -> Operand:
        """a * b + c, rounded once."""
        lanes = max(a.lanes, b.lanes, c.lanes)
        kind, name = _fused(c.dtype, lanes)
        self.w.declarations[f"declare {kind} @{name}({kind}, {kind}, {kind})"] = None
        x, y, z = self.broadcast(a, lanes).text, self.broadcast(b, lanes).text, self.broadcast(c, lanes).text
        return Operand(self.w.value(f"call {kind} @{name}({kind} {x}, {kind} {y}, {kind} {z})"), c.dtype, lanes)

    def _axis_value(self, expr: AxisValue) -> Operand:
        if self._vector_terms(expr.index):
            assert self.vector
            x = Operand(self.vector_index(expr.index), i64, self.vector.count)
        else:
            x = Operand(self.integer(expr.index)[0], i64)
        return x if expr.dtype == i64 else self.apply("cast", [x], expr.dtype)

    # Masks

    def lane_mask(self) -> str:
        """The live lanes under the clip in force, as <lanes x i1>; '' where all are."""
        if not self.vector or not self.vector.clip:
            return ""
        clip, count, ways = self.vector.clip, self.vector.count, self.vector.ways
        base, depth = self.integer(clip.base)
        extent = self.dim(clip.extent)
        if not base.startswith("%") and not extent.startswith("%"):
            live = (int(extent) - int(base)) * ways
            return mask_text(lane < live for lane in range(count)) if live < count else ""
        key = ("mask", base, extent, count, ways)
        known = self.scopes.recall(key)
        if known is None:
            with self.scopes.at(depth) as w:
                left = w.value(f"sub i64 {extent}, {base}")
                left = w.value(f"mul i64 {left}, {ways}") if ways > 1 else left
                left = w.call("i64", "llvm.smin.i64", ("i64", left), ("i64", str(count)))
                short = w.value(f"trunc i64 {left} to i32")
                one = w.value(f"insertelement <{count} x i32> poison, i32 {short}, i64 0")
                wide = w.value(f"shufflevector <{count} x i32> {one}, <{count} x i32> poison, <{count} x i32> zeroinitializer")
                known = w.value(f"icmp slt <{count} x i32> {self._iota(count, 'i32')}, {wide}")
            self.scopes.remember(key, known, depth)
        return str(known)

    def _guard(self, guard: Guard) -> Operand | None:
        """Whether a guard holds; None where it always does."""
        if self._vector_terms(guard.index):
            assert self.vector
            count = self.vector.count
            at = self.vector_index(guard.index)
            low = self.broadcast(Operand(self.dim(guard.lo), i64), count).text
            high = self.broadcast(Operand(self.dim(guard.hi), i64), count).text
            above = self.pure(f"icmp sge <{count} x i64> {at}, {low}")
            below = self.pure(f"icmp slt <{count} x i64> {at}, {high}")
            return Operand(self.pure(f"and <{count} x i1> {above}, {below}"), boolean, count)
        at, depth = self.integer(guard.index)
        if not at.startswith("%") and isinstance(guard.lo, int) and isinstance(guard.hi, int):
            return None if guard.lo <= int(at) < guard.hi else Operand("false", boolean)
        low, high = self.dim(guard.lo), self.dim(guard.hi)
        key = ("guard", at, low, high)
        known = self.scopes.recall(key)
        if known is None:
            with self.scopes.at(depth) as w:
                known = within(w, at, low, high)
            self.scopes.remember(key, known, depth)
        return Operand(str(known), boolean)

    def surely_fails(self, guard: Guard) -> bool:
        """Whether it is known now that a guard fails."""
        if self._vector_terms(guard.index) or not isinstance(guard.lo, int) or not isinstance(guard.hi, int):
            return False
        at, _ = self.integer(guard.index)
        return not at.startswith("%") and not guard.lo <= int(at) < guard.hi

    def guards(self, guards: tuple[Guard, ...]) -> Operand | None:
        """All guards together; None where they always hold."""
        total: Operand | None = None
        for guard in guards:
            one = self._guard(guard)
            if one is None:
                continue
            total = one if total is None else self.apply("and", [total, one], boolean)
        return total

    # Memory

    def addresses(self, array: str, aff: Aff) -> str:
        """A vector of addresses."""
        assert self.vector
        element = scalar_code.memory_type(self.nest.dtype_of(array), 1)
        if array in self.nest.by_row:
            return self._addresses_in_rows(array, element, aff)
        return self.pure(f"getelementptr {element}, ptr {self.pointers[array]}, <{self.vector.count} x i64> {self.vector_index(aff)}")

    def _addresses_in_rows(self, array: str, element: str, aff: Aff) -> str:
        """The same, of an array that is read row by row."""
        assert self.vector
        row, place = self.row_and_place(array, aff)
        count, table = self.vector.count, self.pointers[array]
        if not self._vector_terms(row):
            start = self.pointer(array, row * self.nest.by_row[array])
            return self.pure(f"getelementptr {element}, ptr {start}, <{count} x i64> {self.vector_index(place)}")
        places = self.pure(f"getelementptr ptr, ptr {table}, <{count} x i64> {self.vector_index(row)}")
        kind, name, mask = f"<{count} x ptr>", f"llvm.masked.gather.v{count}p0.v{count}p0", self.lane_mask() or "splat (i1 true)"
        self.w.declare(f"declare {kind} @{name}({kind}, i32, <{count} x i1>, {kind})")
        starts = self.pure(f"call {kind} @{name}({kind} {places}, i32 8, <{count} x i1> {mask}, {kind} zeroinitializer)")
        offset = f"<{count} x i64> {self.vector_index(place)}" if self._vector_terms(place) else f"i64 {self.integer(place)[0]}"
        return self.pure(f"getelementptr {element}, {kind} {starts}, {offset}")

    def load(self, load: Load) -> Operand:
        """A load; lanes that are dead or whose guards fail touch no memory."""
        if self.vector and self.vector.terms and self.vector.terms in load.variables:
            return load_terms(self, load)
        aff = load.index[0]
        terms = self._vector_terms(aff)
        guard = self.guards(load.guards)
        other = load.other or Const(0, load.dtype)
        if guard is not None and guard.text == "false":
            return self.value(other)
        if not terms and (guard is None or guard.lanes == 1):
            return self._scalar_load(load, aff, guard, other)
        assert self.vector
        count = self.vector.count
        unit = not terms or (len(terms) == 1 and terms[0] == (self.vector.var, 1))
        if not terms:  # one element, but guarded lane by lane: read it where any lane may, which the gather does
            unit = False
        roomy = load.array in self.nest.scratch or load.array in self.nest.panels  # our own memory has room for dead lanes
        mask = "" if unit and roomy else self.lane_mask()
        whole = guard if guard is not None and guard.lanes == 1 and unit and other.value == 0 else None
        if guard is not None and not whole:
            wide = self.broadcast(guard, count)
            mask = self.pure(f"and <{count} x i1> {mask}, {wide.text}") if mask else wide.text
        where = self.pointer(load.array, aff) if unit else self.addresses(load.array, aff)
        if whole:  # all lanes or none: no lane needs a mask
            self.w.declare(ZERO_CELL)
            where = self.pure(f"select i1 {whole.text}, ptr {where}, ptr @kc_zero_cell")
        key = ("load", load.array, self.versions.get(load.array, 0), where, mask, other, count)
        known = self.scopes.recall(key)
        if known is not None:
            return known  # type: ignore[no-any-return]
        text = scalar_code.from_memory(self.w, load.dtype, count, self.vector_load(load, where, unit, mask, other))
        result = Operand(text, load.dtype, count)
        self.scopes.remember(key, result)
        return result

    def vector_load(self, load: Load, where: str, unit: bool, mask: str, other: Const) -> str:
        assert self.vector
        count, size = self.vector.count, load.dtype.size
        wide = scalar_code.memory_type(load.dtype, count)
        if unit and not mask:
            return self.w.value(f"load {wide}, ptr {where}, align {size}{self.invariant(load.array)}")
        kind = suffix(load.dtype, count)
        through = memory_constant(other, count)
        mask = mask or "splat (i1 true)"
        name, pointer = (f"llvm.masked.load.{kind}.p0", "ptr") if unit else (f"llvm.masked.gather.{kind}.v{count}p0", f"<{count} x ptr>")
        self.w.declare(f"declare {wide} @{name}({pointer}, i32, <{count} x i1>, {wide})")
        return self.w.value(f"call {wide} @{name}({pointer} {where}, i32 {size}, <{count} x i1> {mask}, {wide} {through})")

    def _scalar_load(self, load: Load, aff: Aff, guard: Operand | None, other: Const) -> Operand:
        where = self.pointer(load.array, aff)
        key = ("load", load.array, self.versions.get(load.array, 0), where, guard and guard.text, other, 1)
        known = self.scopes.recall(key)
        if known is not None:
            return known  # type: ignore[no-any-return]
        if guard is not None:
            self.w.declare(ZERO_CELL)
            where = self.w.value(f"select i1 {guard.text}, ptr {where}, ptr @kc_zero_cell")
        kind = scalar_code.memory_type(load.dtype, 1)
        text = self.w.value(f"load {kind}, ptr {where}, align {load.dtype.size}{self.invariant(load.array)}")
        result = Operand(scalar_code.from_memory(self.w, load.dtype, 1, text), load.dtype)
        if guard is not None and other.value != 0:
            result = self.apply("select", [guard, result, self.value(other)], load.dtype)
        self.scopes.remember(key, result)
        return result

    def factor(self, expr: Expr, lanes: int, sums: int) -> Operand:
        """A factor of a product that is added to sums, in every lane; `sums`: how many take the same one.

        One element for all lanes is loaded by the multiply-add itself where that is for one sum, and where trips run an epilogue beside
        their sums, which saves them an instruction. For that its address takes one register: with two a processor makes two instructions
        of it. And each product has a load of its own.
        """
        where, beside = "", self.sums is not None and self.sums.beside
        if self.target.wide and lanes > 1 and (beside or sums == 1) and isinstance(expr, Load) and expr.dtype == f32 \
                and not self._vector_terms(expr.index[0]) and self.guards(expr.guards) is None:
            where = self.moving_pointer(expr.array, expr.index[0])
        if not where or not isinstance(expr, Load):
            return self.broadcast(self.value(expr), lanes)
        key = ("factors", where, self.versions.get(expr.array, 0))
        before = self.scopes.recall(key) or 0
        self.scopes.remember(key, before + 1)
        hint = ", !nontemporal !{i32 1}" if beside and before % 2 else self.invariant(expr.array)  # of equal loads LLVM makes one
        one = Operand(self.w.value(f"load float, ptr {where}, align 4{hint}"), f32)
        return self.broadcast(one, lanes)

    def invariant(self, array: str) -> str:
        """Says that no one writes the array while the function runs."""
        return "" if array in self.versions else ", !invariant.load !{}"


def within(w: Writer, at: str, low: str, high: str) -> str:
    """Whether low <= at < high, of i64."""
    above, below = w.value(f"icmp sge i64 {at}, {low}"), w.value(f"icmp slt i64 {at}, {high}")
    return w.value(f"and i1 {above}, {below}")


@functools.cache
def _fused(dtype: DType, lanes: int) -> tuple[str, str]:
    """The type and the function of a fused multiplication and addition."""
    return scalar_code.register_type(dtype, lanes), f"llvm.fma.{scalar_code.suffix(dtype, lanes)}"


def _updates_by_products(nest: Nest) -> bool:
    """Whether a sum of products changes an array in place, as a gradient does a weight. What follows such a sum is multiplied and added
    in one instruction, as the products are: they leave the ports that multiply no time for two."""
    products = (s for s in statements(nest.body) if isinstance(s, Accum) and isinstance(s.expr, Apply) and s.expr.fn == "mul")
    return bool(nest.in_place) and any(True for _ in products)


def _multiplied_and_added(expr: Apply) -> tuple[Expr, Expr, Expr] | None:
    """a, b and c of a*b + c, where floats are added or subtracted of which one is a product."""
    if expr.fn not in ("add", "sub") or expr.dtype not in (f32, f64):
        return None
    first, second = expr.args
    if isinstance(second, Apply) and second.fn == "mul":
        a, b = second.args
        return (a if expr.fn == "add" else apply("neg", a)), b, first
    if isinstance(first, Apply) and first.fn == "mul":
        a, b = first.args
        return a, b, (second if expr.fn == "add" else apply("neg", second))
    return None
