"""Index arithmetic of a nest as LLVM values: sums emitted where their operands are known, and addresses.

In the innermost loop of a sum addresses are in the form that the processor wants: a place and an offset, each known before the loop or one
addition further on each trip, as LLVM's loop strength reduction would have it.
"""

from __future__ import annotations

from dataclasses import field
from operator import itemgetter

from kcompile.common.struct import struct

from ...ir.scalar import Aff
from ...ir.types import Dim, DimLike, DType
from .. import scalar_code
from ..nest import Clip, Nest, loops
from .scopes import Scopes

Terms = tuple[tuple[int, str, int], ...]  # depth at which an operand is known, the operand, its factor; by depth
_depth = itemgetter(0)
MOVING = 3  # sums of a loop that move on their own; the others are an offset from a place that is known before it


class HiddenRow(ValueError):
    """In which row of an array that is read row by row an element is, its index does not tell."""

    def __init__(self, nest: str, array: str, aff: Aff) -> None:
        super().__init__(f"nest {nest}: the row of {array}[{aff}] is not told by its index")
        self.array = array


@struct(frozen=True)
class Index:
    """The current value of a loop variable or index: a constant, or an operand of type i64 (a vector if `lanes` > 1)."""

    const: int = 0
    text: str = ""
    depth: int = 0
    lanes: int = 1
    unrolled: bool = False  # differs between the copies of an unrolled body: added last, so that the copies share the rest


@struct(frozen=True)
class Operand:
    """An LLVM operand of register_type(dtype, lanes)."""

    text: str
    dtype: DType
    lanes: int = 1


@struct(frozen=True)
class Lanes:
    """The vector variable in force: its number of lanes and its clip. `terms`: a second variable, of which each value of the first has
    `ways` in neighbouring lanes."""

    var: str
    count: int
    clip: Clip | None
    terms: str = ""
    ways: int = 1


@struct(frozen=False)
class Sums:
    """The innermost loop around what is being written, where it adds to accumulators. `beside`: an epilogue runs there, too, and
    instructions are what it has too many of. `moving`: variables of the loop, what they are without its counter, and the counter's factor.
    `pointers`: addresses that move, where they begin, and the elements by which they move."""

    depth: int
    counter: str
    beside: bool = False
    moving: list[tuple[str, str, int]] = field(default_factory=list)
    pointers: list[tuple[str, str, str, int]] = field(default_factory=list)

    def ends(self, terms: Terms) -> bool:
        """Whether the counter is the last of these terms, and the only one that is not known before the loop."""
        return bool(terms) and terms[-1][:2] == (self.depth, self.counter) and (len(terms) == 1 or terms[-2][0] < self.depth)


class Indices:
    """Emits index arithmetic. `indices` holds the loop variables in scope."""

    def __init__(self, nest: Nest, scopes: Scopes) -> None:
        self.nest = nest
        self.scopes = scopes
        self.w = scopes.writer
        self.indices: dict[str, Index] = {}
        self.vector: Lanes | None = None
        self.pointers: dict[str, str] = {}
        self.dims: dict[str, str] = {}
        self.sums: Sums | None = None
        self._lasts: dict[str, int] = {}

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
        terms, const = self._terms(aff)
        return self._sum(terms), const

    def _terms(self, aff: Aff) -> tuple[Terms, int]:
        """The same, not added up yet."""
        const = 0
        terms: list[tuple[int, str, int]] = []
        late: list[tuple[int, str, int]] = []
        if isinstance(aff.const, Dim):
            terms.append((0, self.dim(aff.const), 1))
        else:
            const = aff.const
        for var, factor in aff.terms:
            if self.vector and var in (self.vector.var, self.vector.terms):
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
        terms += late
        if len(terms) > 1:
            terms.sort(key=_depth)
        return tuple(terms), const

    def _times_dim(self, index: Index, factor: Dim) -> str:
        key = ("times", index, factor)
        known = self.scopes.recall(key)
        if known is None:
            operand = self.dim(factor)
            known = self.scopes.value(f"mul i64 {index.text or index.const}, {operand}", index.depth)
            self.scopes.remember(key, known, index.depth)
        return str(known)

    def _sum(self, terms: Terms) -> Index:
        """The sum of factor * operand, each prefix emitted where its operands are known."""
        if not terms:
            return Index()
        key = ("sum", terms)
        known = self.scopes.recall(key)
        if known is not None:
            return known  # type: ignore[no-any-return]
        before = self._sum(terms[:-1])
        depth, text, factor = terms[-1]
        if self.sums is not None and self.sums.ends(terms) and factor != 1:
            result = Index(text=self.w.fresh("m"), depth=depth)
            self.sums.moving.append((result.text, before.text, factor))
            self.scopes.remember(key, result, depth)
            return result
        part = text if factor == 1 else self.pure_at(depth, f"mul i64 {text}, {factor}")
        result = Index(text=self.scopes.value(f"add i64 {before.text}, {part}", depth) if before.text else part, depth=depth)
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
            known = self.scopes.value(f"add i64 {base.text}, {const}", base.depth)
            self.scopes.remember(key, known, base.depth)
        return str(known), base.depth

    def _vector_terms(self, aff: Aff) -> list[tuple[str, DimLike]]:
        """The terms of an index that differ from lane to lane."""
        return [(v, c) for v, c in aff.terms
                if (self.vector and v in (self.vector.var, self.vector.terms)) or self.index(v).lanes > 1]

    def pure_at(self, depth: int, instruction: str) -> str:
        """Like `pure`, in the scope of that depth, where the operands are known. A value known only further in is of no use there."""
        known = self.scopes.recall(instruction, depth)
        if known is None:
            known = self.scopes.value(instruction, depth)
            self.scopes.remember(instruction, known, depth)
        return str(known)

    def pure(self, instruction: str) -> str:
        """The result of an instruction without effects, emitted once while it is in reach."""
        known = self.scopes.recall(instruction)
        if known is None:
            known = self.w.value(instruction)
            self.scopes.remember(instruction, known)
        return str(known)

    def pointer(self, array: str, aff: Aff) -> str:
        """Address of an element; for a vector, of lane 0."""
        first, depth = self.pointers[array], 0
        if array in self.nest.by_row:
            row, aff = self.row_and_place(array, aff)
            first, depth = self._row(array, row)
        terms, const = self._terms(aff)
        element = scalar_code.memory_type(self.nest.dtype_of(array), 1)
        start = self._element(first, depth, element, terms)
        return self.pure(f"getelementptr {element}, ptr {start}, i64 {const}") if const else start

    def moving_pointer(self, array: str, aff: Aff) -> str:
        """Address of an element, as a constant behind an address that moves with the loop of sums; '' where it does not."""
        terms, const = self._terms(aff)
        if self.sums is None or not self.sums.ends(terms) or array in self.nest.by_row:
            return ""
        element = scalar_code.memory_type(self.nest.dtype_of(array), 1)
        key = ("moving", array, terms)
        known = self.scopes.recall(key)
        if known is None:
            known = self.w.fresh("p")
            self.sums.pointers.append((known, self._element(self.pointers[array], 0, element, terms[:-1]), element, terms[-1][2]))
            self.scopes.remember(key, known)
        return self.pure(f"getelementptr {element}, ptr {known}, i64 {const}") if const else str(known)

    def row_and_place(self, array: str, aff: Aff) -> tuple[Aff, Aff]:
        """The row of an element of an array that is read row by row, and its place there. The array is a matrix, and what its kernel does
        with it is indexed by an axis along the rows and another along the columns (see suits_table). Raises HiddenRow where a schedule
        has made another index of these."""
        size = self.nest.by_row[array]
        const = aff.const
        known = isinstance(const, int) and all(isinstance(n, int) and (0 < n < size or n % size == 0) for _, n in aff.terms)
        number, place = divmod(int(str(const)), size) if known else (-1, 0)
        most = place + sum(int(str(n)) * self._last(var) for var, n in aff.terms if known and int(str(n)) % size)
        if most - size >= size - place:  # beyond the row's end: it is the next row, of which the last panel steps back (see narrow)
            number += 1
        if number < 0:
            raise HiddenRow(self.nest.name, array, aff)
        row = Aff.of({var: int(str(n)) // size for var, n in aff.terms if int(str(n)) % size == 0}, number)
        return row, aff + row * -size

    def _last(self, var: str) -> int:
        """The value of a loop's variable in the last trip; of loops of one name, of the shortest. 0 where that is not known."""
        last = self._lasts.get(var)
        if last is None:
            ends = [(loop.extent - 1) // loop.step * loop.step if isinstance(loop.extent, int) else 0 for loop in loops(self.nest, var)]
            last = self._lasts[var] = min(ends, default=0)
        return last

    def _row(self, array: str, row: Aff) -> tuple[str, int]:
        """The address of a row, and the depth at which it is known."""
        terms, const = self._terms(row)
        number = self._sum(terms)
        key = ("row", array, number.text, const)
        known = self.scopes.recall(key)
        if known is None:
            place = self.pointers[array]
            for offset in (number.text, const):
                place = self.scopes.value(f"getelementptr ptr, ptr {place}, i64 {offset}", number.depth) if offset else place
            known = self.scopes.value(f"load ptr, ptr {place}, align 8, !invariant.load !{{}}", number.depth)
            self.scopes.remember(key, known, number.depth)
        return str(known), number.depth

    def _element(self, first: str, known_at: int, element: str, terms: Terms) -> str:
        """The address of the element at a sum, of an array, or a row, that begins at `first`."""
        start, last = first, terms
        if self.sums is not None and self.sums.ends(terms) and not self._moves(terms):  # a place known before the loop, and what moves
            start, last = self._element(first, known_at, element, terms[:-1]), terms[-1:]
        offset = self._sum(last)
        if not offset.text:
            return start
        key = ("pointer", start, offset.text)
        known = self.scopes.recall(key)
        if known is None:
            depth = max(known_at, offset.depth)
            known = self.scopes.value(f"getelementptr {element}, ptr {start}, i64 {offset.text}", depth)
            self.scopes.remember(key, known, depth)
        return str(known)

    def _moves(self, terms: Terms) -> bool:
        """Whether a sum is worth a variable of the loop of sums, or has one."""
        assert self.sums is not None
        return terms[-1][2] != 1 and (len(self.sums.moving) < MOVING or self.scopes.recall(("sum", terms)) is not None)
