"""Statements of a nest as LLVM text: accumulators in registers, folds, lets, stores.

An accumulator is an SSA value for each setting of its unrolled dimensions; stores of one run of statements wait for its
loads, which they would hold up.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import field
from itertools import product

from kcompile.common.struct import struct

from ...ir.scalar import Apply, Expr, Load, vanishing
from ...ir.types import DimLike, boolean, i64
from .. import scalar_code
from ..nest import Acc, Accum, Clip, Fold, Let, Nest, Prefetch, Store, all_stores, identity
from ..target import Target
from .abreast import is_contiguous
from .errands import Claimed
from .folds import combined, fold_across, fold_lanes, fold_terms, fold_terms_of_several
from .indices import Index, Operand
from .memory import store_masked
from .memory import suffix as memory_suffix
from .scopes import Scopes
from .spread import spread, write_spread
from .values import Values

Key = tuple[int, ...]


@struct(frozen=False)
class _Block:
    """The accumulators declared by one Acc: the current value of each instance."""

    acc: Acc
    over: tuple[str, ...]  # the unrolled dimensions
    values: dict[Key, Operand] = field(default_factory=dict)
    folded: dict[str, Operand] = field(default_factory=dict)  # of vectors the sums of their terms side by side, made with another's


@struct(frozen=False)
class _LetValues:
    """The values of a let (or fold), one for each setting of the unrolled variables around its definition."""

    over: tuple[str, ...]
    values: dict[Key, Operand | Index] = field(default_factory=dict)


class Statements(Values):
    def __init__(self, nest: Nest, target: Target) -> None:
        super().__init__(nest, Scopes(), target)
        self.block = "start"
        self.needs_dump = False
        self.errands = ""
        self.claimed: Claimed | None = None  # by the loop that is being entered
        self.trip = "0", 1  # the value of the variable of the innermost loop, and its step
        self.extents: dict[str, DimLike] = {}  # of the loops entered so far
        self.live: dict[str, str] = {}  # clipped unrolled variables: whether the current iteration is live, an i1
        self.accs: dict[str, _Block] = {}
        self.lets: dict[str, _LetValues] = {}
        stored = {s.array for s in all_stores(nest.body)}
        partners = {read for write, read in nest.in_place.items()}
        self.versions = dict.fromkeys(stored | partners, 0)

    # Accumulators and lets

    def declare_accumulators(self, acc: Acc) -> None:
        lanes = math.prod(d.extent for d in acc.dims if d.vector)
        first = Operand(scalar_code.constant(acc.dtype, identity(acc.op, acc.dtype), lanes), acc.dtype, lanes)
        block = _Block(acc, tuple([d.var for d in acc.dims if not d.vector]))
        for key in product(*(range(d.extent) for d in acc.dims if not d.vector)):
            block.values[key] = first
        self.accs[acc.name] = block

    def _key(self, block: _Block) -> Key:
        return tuple([self.unrolled[var] for var in block.over])

    def accumulate(self, stmt: Accum) -> None:
        block = self.accs[stmt.name]
        acc, key = block.acc, self._key(block)
        old = block.values[key]
        dead = [self.live[v] for v in acc.folded if v in self.live]
        mask = self.lane_mask() if self.vector and self.vector.var in acc.folded else ""
        if acc.op == "add" and any(self.surely_fails(guard) for guard in vanishing(stmt.expr)):
            return  # a term that is 0
        product_of = _factors(stmt.expr) if acc.op == "add" and acc.dtype.is_float and not dead and not mask else None
        if product_of:
            a, b = (self.factor(x, old.lanes, self._sums_of(x, acc)) for x in product_of)
            block.values[key] = self.fused(a, b, old)
            return
        new = self.broadcast(self.value(stmt.expr), old.lanes)
        neutral = Operand(scalar_code.constant(acc.dtype, identity(acc.op, acc.dtype), 1), acc.dtype)
        for live in ([mask] if mask else []) + dead:
            condition = Operand(live, boolean, old.lanes if live is mask else 1)
            new = self.apply("select", [condition, new, neutral], acc.dtype)
        text = scalar_code.apply(self.w, acc.op, [old.text, new.text], [acc.dtype] * 2, acc.dtype, old.lanes)
        block.values[key] = Operand(text, acc.dtype, old.lanes)

    def _sums_of(self, expr: Expr, acc: Acc) -> int:
        """How many of the sums take the same factor."""
        shared = expr.variables if isinstance(expr, Load) else ()
        return math.prod(d.extent for d in acc.dims if not d.vector and d.var not in shared)

    def fold(self, stmt: Fold) -> None:
        block = self.accs[stmt.source]
        acc = block.acc
        rows = self.vector.var if self.vector and self.vector.var in block.over else ""
        over = tuple(d.var for d in acc.dims if not d.vector and d.var not in stmt.over and d.var != rows)
        vectors = [d for d in acc.dims if d.vector]
        lanes = any(d.var in stmt.over for d in vectors)
        totals: list[Operand] = []
        for row in range(next(d.extent for d in acc.dims if d.var == rows)) if rows else (0,):
            at = {**self.unrolled, rows: row}
            ranges = [range(d.extent) if d.var in stmt.over else (at[d.var],) for d in acc.dims if not d.vector]
            parts = [block.values[key] for key in product(*ranges)]
            while len(parts) > 1:
                paired = [combined(self.w, acc, a, b) for a, b in zip(parts[::2], parts[1::2], strict=False)]
                parts = paired + (parts[-1:] if len(parts) % 2 else [])
            totals.append(parts[0])
        if rows:
            assert self.vector and lanes
            total = fold_across(self.w, acc, totals, self.vector.count, self.target.multiply_adds > 1)
        elif lanes and len(vectors) > 1:
            total = self._terms_folded(block, totals[0], vectors[-1].extent)
        else:
            total = fold_lanes(self.w, acc, totals[0]) if lanes else totals[0]
        self._define(stmt.name, over, total)

    def _terms_folded(self, block: _Block, total: Operand, ways: int) -> Operand:
        """The sum of each `ways` neighbouring lanes of a vector, and with it, for what comes next, those of the vectors beside it."""
        key, known = self._key(block), block.folded
        if not block.over or block.over[-1] != f"{block.acc.dims[-2].var.removesuffix('.v')}.u" or total.lanes < ways * 2:
            return fold_terms(self.w, block.acc, total, ways)
        if total.text not in known:
            first = key[-1] // ways * ways
            beside = [x for n in range(first, first + ways) if (x := block.values.get((*key[:-1], n)))]
            found = fold_terms_of_several(self.w, block.acc, beside, ways) if total in beside and len(beside) > 1 else []
            known.clear()
            known.update({x.text: y for x, y in zip(beside, found, strict=False)})
        return known.get(total.text) or fold_terms(self.w, block.acc, total, ways)

    def let(self, stmt: Let) -> None:
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
        known.values[tuple([self.unrolled[v] for v in over])] = value

    def look_up(self, name: str) -> Operand | Index:
        known = self.lets[name]
        return known.values[tuple([self.unrolled[v] for v in known.over])]

    def named(self, name: str) -> Operand:
        if name in self.lets:
            return self.look_up(name)  # type: ignore[return-value]
        block = self.accs[name]
        return block.values[self._key(block)]

    def index(self, var: str) -> Index:
        return self.look_up(var) if var in self.lets else self.indices[var]  # type: ignore[return-value]

    def prefetch(self, stmt: Prefetch) -> None:
        """To the first level of the cache and all others, or from the second one on; for writing where the nest writes there."""
        writes = int(any(s.array == stmt.array for s in all_stores(self.nest.body)))
        self.w.declare("declare void @llvm.prefetch.p0(ptr, i32, i32, i32)")
        self.w.line(f"call void @llvm.prefetch.p0(ptr {self.pointer(stmt.array, stmt.index)}, i32 {writes}, i32 {4 - stmt.level}, i32 1)")

    # Stores

    def store(self, stmt: Store) -> Callable[[], None]:
        """Evaluates what is stored; the call that is returned stores it."""
        value = self._added(stmt) if stmt.accumulate else self.value(stmt.expr)
        live = ""
        for one in self.live.values():
            live = self.pure(f"and i1 {live}, {one}") if live else one

        def write() -> None:
            self._write(stmt, value, live)
            self.written({stmt.array})

        return write

    def place(self, where: str, live: str) -> str:
        """The address, or, in a dead iteration, that of memory whose content does not matter."""
        return self.w.value(f"select i1 {live}, ptr {where}, ptr {self.dump()}") if live else where

    def _write(self, stmt: Store, value: Operand, live: str) -> None:
        dtype, w = self.nest.dtype_of(stmt.array), self.w
        terms = self._vector_terms(stmt.index)
        if not terms:
            if value.lanes > 1:
                raise ValueError(f"nest {self.nest.name}: the lanes of a vector are stored to one element of {stmt.array}")
            text = scalar_code.to_memory(w, dtype, 1, value.text)
            where = self.place(self.pointer(stmt.array, stmt.index), live)
            w.line(f"store {scalar_code.memory_type(dtype, 1)} {text}, ptr {where}, align {dtype.size}")
            return
        assert self.vector
        count = self.vector.count  # terms side by side are stored where they are packed: with zeros for dead lanes, as others may be slow
        mask = "" if self.vector.terms else self.lane_mask()
        text = scalar_code.to_memory(w, dtype, count, self.broadcast(value, count).text)
        wide = scalar_code.memory_type(dtype, count)
        unit = {v for v, _ in terms} <= {self.vector.var, self.vector.terms} and is_contiguous(stmt.index, self.vector)
        if self.target.masks and terms[0][0] == self.vector.var and (apart := spread(terms, count)):
            where = self.place(self.pointer(stmt.array, stmt.index), live)
            write_spread(self.w, dtype, (text, wide), count, apart, where, mask)
            return
        where = self.place(self.pointer(stmt.array, stmt.index), live) if unit else self.addresses(stmt.array, stmt.index)
        if live and not unit:
            mask = self.pure(f"select i1 {live}, <{count} x i1> {mask or 'splat (i1 true)'}, <{count} x i1> zeroinitializer")
        if unit and not mask:
            w.line(f"store {wide} {text}, ptr {where}, align {dtype.size}")
            return
        if unit:
            store_masked(w, dtype, wide, text, where, mask)
            return
        name, pointers = f"llvm.masked.scatter.{memory_suffix(dtype, count)}.v{count}p0", f"<{count} x ptr>"
        w.declare(f"declare void @{name}({wide}, {pointers}, i32, <{count} x i1>)")
        w.line(f"call void @{name}({wide} {text}, {pointers} {where}, i32 {dtype.size}, <{count} x i1> {mask or 'splat (i1 true)'})")

    def _added(self, stmt: Store) -> Operand:
        """The present content of the element plus the value."""
        dtype = self.nest.dtype_of(stmt.array)
        return self.apply("add", [self.load(Load(stmt.array, (stmt.index,), dtype)), self.value(stmt.expr)], dtype)


    def dump(self) -> str:
        """Memory that may be written and is never read, for what dead lanes hold."""
        self.needs_dump = True
        return "%dump"

    def begins_live(self, clip: Clip) -> bool:
        """Whether the first iteration under a clip is surely live: its base is the variable of a loop that ends with the clip."""
        base = clip.base
        return len(base.terms) == 1 and base.const == 0 and base.terms[0][1] == 1 and self.extents.get(base.terms[0][0]) == clip.extent

    def written(self, arrays: set[str]) -> None:
        """Values loaded from these arrays, or from what shares their storage, are not to be used again."""
        for array in arrays:
            for other in (array, self.nest.in_place.get(array)):
                if other in self.versions:
                    self.versions[other] += 1


def _factors(expr: Expr) -> tuple[Expr, Expr] | None:
    return (expr.args[0], expr.args[1]) if isinstance(expr, Apply) and expr.fn == "mul" else None
