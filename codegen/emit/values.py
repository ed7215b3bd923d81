"""Expressions of a nest as LLVM values: index arithmetic, masks, loads, applications.

A value is uniform (lanes == 1) until something in it depends on the vector variable; a uniform operand of a vector
operation is broadcast. Equal values are emitted once while they are in reach.
"""

from __future__ import annotations

from kcompile.ir.struct import struct

from ...ir.scalar import Aff, AxisValue, Const, Expr, Guard, Load, Ref
from ...ir.types import Dim, DimLike, DType, boolean, i64
from .. import scalar_code
from ..nest import Clip, Nest
from .memory import ZERO_CELL, memory_constant, suffix
from .scopes import Scopes


@struct(frozen=True)
class Operand:
    """An LLVM operand of register_type(dtype, lanes)."""

    text: str
    dtype: DType
    lanes: int = 1


@struct(frozen=True)
class Index:
    """The current value of a loop variable or index: a constant, or an operand of type i64 (a vector if `lanes` > 1)."""

    const: int = 0
    text: str = ""
    depth: int = 0
    lanes: int = 1
    unrolled: bool = False  # differs between the copies of an unrolled body: added last, so that the copies share the rest


@struct(frozen=True)
class Lanes:
    """The vector variable in force: its number of lanes and its clip."""

    var: str
    count: int
    clip: Clip | None


class Values:
    """Emits expressions. `indices` holds the loop variables in scope; `index` and `named` look up lets and accumulators."""

    def __init__(self, nest: Nest, scopes: Scopes) -> None:
        self.nest = nest
        self.scopes = scopes
        self.w = scopes.writer
        self.indices: dict[str, Index] = {}
        self.vector: Lanes | None = None
        self.pointers: dict[str, str] = {}
        self.versions: dict[str, int] = {}  # of arrays that the nest writes: counts the writes so far
        self.dims: dict[str, str] = {}

    # Index arithmetic

    def index(self, var: str) -> Index:
        """The current value of a loop variable or of an index let."""
        return self.indices[var]

    def dim(self, dim: DimLike) -> str:
        """An i64 operand holding a dimension."""
        if not isinstance(dim, Dim):
            return str(dim)
        known = self.scopes.recall(("dim", dim))
        if known is not None:
            return str(known)
        total = ""
        with self.scopes.at(0) as w:
            for monomial, factor in dim.terms:
                part = "" if monomial else str(factor)
                for name in monomial:
                    part = w.value(f"mul i64 {part}, {self.dims[name]}") if part else self.dims[name]
                if monomial and factor != 1:
                    part = w.value(f"mul i64 {part}, {factor}")
                total = w.value(f"add i64 {total}, {part}") if total else part
        self.scopes.remember(("dim", dim), total, 0)
        return total

    def scalar(self, aff: Aff) -> tuple[Index, int]:
        """The run-time part of an index without the vector variable and vector indices, and its constant part."""
        const = 0
        terms: list[tuple[int, str, int]] = []
        late: list[tuple[int, str, int]] = []
        if isinstance(aff.const, Dim):
            terms.append((0, self.dim(aff.const), 1))
        else:
            const = aff.const
        for var, factor in aff.terms:
            if self.vector and var == self.vector.var:
                continue
            index = self.index(var)
            if index.lanes > 1:
                continue
            if isinstance(factor, Dim):
                if index.text or index.const:
                    terms.append((index.depth, self._times_dim(index, factor), 1))
                continue
            const += factor * index.const
            if index.text:
                (late if index.unrolled else terms).append((index.depth, index.text, factor))
        terms = sorted(terms + late, key=lambda t: t[0])
        return self._sum(tuple(terms)), const

    def _times_dim(self, index: Index, factor: Dim) -> str:
        key = ("times", index, factor)
        known = self.scopes.recall(key)
        if known is None:
            operand = self.dim(factor)
            with self.scopes.at(index.depth) as w:
                known = w.value(f"mul i64 {index.text or index.const}, {operand}")
            self.scopes.remember(key, known, index.depth)
        return str(known)

    def _sum(self, terms: tuple[tuple[int, str, int], ...]) -> Index:
        """The sum of factor * operand, each prefix emitted where its operands are known."""
        if not terms:
            return Index()
        key = ("sum", terms)
        known = self.scopes.recall(key)
        if known is not None:
            return known  # type: ignore[return-value]
        before = self._sum(terms[:-1])
        depth, text, factor = terms[-1]
        part = text if factor == 1 else self.pure_at(depth, f"mul i64 {text}, {factor}")
        with self.scopes.at(depth) as w:
            result = Index(text=w.value(f"add i64 {before.text}, {part}") if before.text else part, depth=depth)
        self.scopes.remember(key, result, depth)
        return result

    def integer(self, aff: Aff) -> tuple[str, int]:
        """An i64 operand with the scalar value of an index, and the depth at which it is known."""
        base, const = self.scalar(aff)
        if not base.text:
            return str(const), 0
        if not const:
            return base.text, base.depth
        key = ("plus", base.text, const)
        known = self.scopes.recall(key)
        if known is None:
            with self.scopes.at(base.depth) as w:
                known = w.value(f"add i64 {base.text}, {const}")
            self.scopes.remember(key, known, base.depth)
        return str(known), base.depth

    def _vector_terms(self, aff: Aff) -> list[tuple[str, DimLike]]:
        """The terms of an index that differ from lane to lane."""
        return [(v, c) for v, c in aff.terms
                if (self.vector and v == self.vector.var) or self.index(v).lanes > 1]

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

    def pure_at(self, depth: int, instruction: str) -> str:
        """Like `pure`, in the scope of that depth, where the operands are known. A value known only further in is of no use there."""
        known = self.scopes.recall(instruction, depth)
        if known is None:
            with self.scopes.at(depth) as w:
                known = w.value(instruction)
            self.scopes.remember(instruction, known, depth)
        return str(known)

    def pure(self, instruction: str) -> str:
        """The result of an instruction without effects, emitted once while it is in reach."""
        known = self.scopes.recall(instruction)
        if known is None:
            known = self.w.value(instruction)
            self.scopes.remember(instruction, known)
        return str(known)

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
            return self.load(expr)
        return self.apply(expr.fn, [self.value(a) for a in expr.args], expr.dtype)

    def named(self, name: str) -> Operand:
        raise NotImplementedError  # the statements know: emit/function.py

    def apply(self, fn: str, args: list[Operand], dtype: DType) -> Operand:
        """fn(args) at the widest of the operands' lanes."""
        lanes = max(a.lanes for a in args)
        key = (fn, dtype, lanes, tuple(a.text for a in args))
        known = self.scopes.recall(key)
        if known is not None:
            return known  # type: ignore[return-value]
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
        clip, count = self.vector.clip, self.vector.count
        base, depth = self.integer(clip.base)
        extent = self.dim(clip.extent)
        key = ("mask", base, extent, count)
        known = self.scopes.recall(key)
        if known is None:
            with self.scopes.at(depth) as w:
                left = w.value(f"sub i64 {extent}, {base}")
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
                above = w.value(f"icmp sge i64 {at}, {low}")
                below = w.value(f"icmp slt i64 {at}, {high}")
                known = w.value(f"and i1 {above}, {below}")
            self.scopes.remember(key, known, depth)
        return Operand(str(known), boolean)

    def _guards(self, guards: tuple[Guard, ...]) -> Operand | None:
        """All guards together; None where they always hold."""
        total: Operand | None = None
        for guard in guards:
            one = self._guard(guard)
            if one is None:
                continue
            total = one if total is None else self.apply("and", [total, one], boolean)
        return total

    # Memory

    def pointer(self, array: str, aff: Aff) -> str:
        """Address of an element; for a vector, of lane 0."""
        base, const = self.scalar(aff)
        element = scalar_code.memory_type(self.nest.dtype_of(array), 1)
        start = self.pointers[array]
        if base.text:
            key = ("pointer", array, base.text)
            known = self.scopes.recall(key)
            if known is None:
                with self.scopes.at(base.depth) as w:
                    known = w.value(f"getelementptr {element}, ptr {start}, i64 {base.text}")
                self.scopes.remember(key, known, base.depth)
            start = str(known)
        return self.pure(f"getelementptr {element}, ptr {start}, i64 {const}") if const else start

    def addresses(self, array: str, aff: Aff) -> str:
        """A vector of addresses."""
        assert self.vector
        element = scalar_code.memory_type(self.nest.dtype_of(array), 1)
        return self.pure(f"getelementptr {element}, ptr {self.pointers[array]}, <{self.vector.count} x i64> {self.vector_index(aff)}")

    def load(self, load: Load) -> Operand:
        """A load; lanes that are dead or whose guards fail touch no memory."""
        aff = load.index[0]
        terms = self._vector_terms(aff)
        guard = self._guards(load.guards)
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
            return known  # type: ignore[return-value]
        text = scalar_code.from_memory(self.w, load.dtype, count, self._vector_load(load, where, unit, mask, other))
        result = Operand(text, load.dtype, count)
        self.scopes.remember(key, result)
        return result

    def _vector_load(self, load: Load, where: str, unit: bool, mask: str, other: Const) -> str:
        assert self.vector
        count, size = self.vector.count, load.dtype.size
        wide = scalar_code.memory_type(load.dtype, count)
        if unit and not mask:
            return self.w.value(f"load {wide}, ptr {where}, align {size}{self._invariant(load.array)}")
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
            return known  # type: ignore[return-value]
        if guard is not None:
            self.w.declare(ZERO_CELL)
            where = self.w.value(f"select i1 {guard.text}, ptr {where}, ptr @kc_zero_cell")
        kind = scalar_code.memory_type(load.dtype, 1)
        text = self.w.value(f"load {kind}, ptr {where}, align {load.dtype.size}{self._invariant(load.array)}")
        result = Operand(scalar_code.from_memory(self.w, load.dtype, 1, text), load.dtype)
        if guard is not None and other.value != 0:
            result = self.apply("select", [guard, result, self.value(other)], load.dtype)
        self.scopes.remember(key, result)
        return result

    def _invariant(self, array: str) -> str:
        """Says that no one writes the array while the function runs."""
        return "" if array in self.versions else ", !invariant.load !{}"
