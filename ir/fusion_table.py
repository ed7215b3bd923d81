"""The fusion table: (kind of producer, kind of consumer) -> verdict and reason. Read from the top; the first row that fits decides.

Kinds, from what a kernel does with its axes (a merged kernel has the kind of its heaviest equation):

    fill      stores a literal                         row      reduces the trailing axes of what it reads
    map       each element on its own                  column   reduces leading axes
    gather    a map whose reads are indexed by data    total    reduces everything to one number
    contract  sums products, operands reused           window   reduces overlapping windows
    scatter   adds to elements chosen by data
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping

from kcompile.common.lazy import lazy
from kcompile.common.struct import struct

from .fusion import axis_mapping, is_map, loads_of, side_by_side, store_of
from .kernel import ACCUMULATE, INDEX, REDUCE, STORE, Eq, Kernel
from .scalar import Apply, Const, Load, Ref, plain_axes
from .types import DimLike, is_static, product

EARLY = ("map into reduction",)  # beside inlining: a map that is only summed is not written as the epilogue of what it maps
PASSED_ON = "map, recomputed beside its operands"
SIDE_BY_SIDE = "sums side by side"
MERGE, INLINE, APART = "merge", "inline", "apart"
SOLE, LIGHT, COMPANY = "sole", "light", "company"  # questions about the program around two kernels
CHEAP = 4  # instructions an element that are cheaper to repeat than to read back
BESIDE = 32  # and as many where they only use what is read anyway: memory is slower than all of them
LET_LIMIT = 4  # intermediate results of a map that is written into its reader's expression, where each use repeats them
ROW_LIMIT = 16384  # elements of a row that still stays in the first-level cache between passes
ARRAY_LIMIT = 24  # arrays in one kernel: beyond it, addresses and live values spill


def kind(kernel: Kernel) -> str:
    """The kind of a kernel, see the module's table."""
    equations = kernel.equations
    sorts = kernel.sorts
    if ACCUMULATE in sorts:
        return "scatter"
    if REDUCE not in sorts:
        if len(equations) == 1 and isinstance(equations[0].expr, Const):
            return "fill"
        return "gather" if INDEX in sorts else "map"
    reduces = [q for q in equations if q.kind == REDUCE]
    kinds = {_reduce_kind(q, kernel) for q in reduces}
    for heaviest in ("contract", "window", "column", "row", "total"):
        if heaviest in kinds:
            return heaviest
    raise AssertionError(kinds)


def _reduce_kind(q: Eq, kernel: Kernel) -> str:
    loads = _all_loads(q, kernel)
    over = set(q.over)
    reading = [(load, frozenset().union(*(a.variables for a in load.index))) for load in loads]
    reading = [(load, axes) for load, axes in reading if axes & over]
    if q.op == "add" and isinstance(q.expr, Apply) and sum(1 for _, axes in reading if set(q.free) - axes) >= 2:
        return "contract"
    for load, _ in reading:
        if any(len(a.variables) > 1 and a.variables & over for a in load.index):
            return "window"
    if not q.free:
        return "total"
    for load, _ in reading:
        positions = [n for n, a in enumerate(load.index) if a.variables & over]
        others = [n for n, a in enumerate(load.index) if a.variables & set(q.free)]
        if positions and others and min(positions) < max(others):
            return "column"
    return "row"


def _all_loads(q: Eq, kernel: Kernel) -> list[Load]:
    """The loads of an equation and of the lets it refers to."""
    loads = list(q.loads)
    for name in q.refs:
        if name in kernel.lets:
            loads += _all_loads(kernel.lets[name], kernel)
    return loads


@struct(frozen=True)
class Edge:
    """One candidate: `consumer` reads `array`, which `producer` stores. `common`: arrays that both have, as the producer and as the
    consumer calls them. `around`: answers a question about the program around them, which a row asks as late as it can (see
    Forms.decide)."""

    producer: Kernel
    consumer: Kernel
    array: str
    common: Mapping[str, str]
    around: Callable[[str], bool | frozenset[str]]

    @property
    def sole(self) -> bool:
        """Nobody else reads the array, nor the caller."""
        return bool(self.around(SOLE))

    @property
    def light(self) -> bool:
        """All who read the array are maps and reductions, and the caller does not."""
        return bool(self.around(LIGHT))

    @property
    def company(self) -> frozenset[str]:
        """Of what the producer reads, what is read anyway where the array ends up."""
        found = self.around(COMPANY)
        assert isinstance(found, frozenset)
        return found

    @lazy
    def mapping(self) -> dict[str, str] | None:
        return axis_mapping(self.producer, self.consumer, self.common)

    @lazy
    def loads(self) -> list[Load]:
        """The consumer's loads of the array; none where it reads a view."""
        return loads_of(self.consumer, self.common.get(self.array, ""))

    @property
    def same_space(self) -> bool:
        """The consumer runs over exactly the axes over which the array is stored."""
        mapping = self.mapping
        return mapping is not None and set(mapping.values()) == set(self.consumer.axes)

    @lazy
    def inlinable(self) -> bool:
        """The producer is a map whose value can be written into another expression: its `let`s, if any, are few."""
        return is_map(self.producer) and INDEX not in self.producer.sorts and len(self.producer.lets) <= LET_LIMIT \
            and store_of(self.producer, self.array) is not None

    @lazy
    def cost(self) -> float:
        store = store_of(self.producer, self.array)
        if store is None:
            return math.inf
        if not self.producer.lets:
            return store.cost
        lets = dict(self.producer.lets)
        needed, waiting = 0, [store]
        while waiting:
            q = waiting.pop()
            needed += q.cost
            waiting += [lets.pop(r) for r in q.refs if r in lets]
        return needed

    @property
    def size(self) -> int:
        """Bytes of an element."""
        return self.producer.arrays[self.array].dtype.size

    @property
    def grows(self) -> bool:
        """The consumer may read an element more than once."""
        return len(self.loads) != 1 or not self.reads_once(self.loads[0])

    def reads_once(self, load: Load) -> bool:
        """Whether different points of the consumer read different elements: each axis steers one dimension of its own."""
        steering = [aff.variables for aff in load.index if aff.variables]
        axes = [v for variables in steering for v in variables]
        return all(len(v) == 1 for v in steering) and len(set(axes)) == len(axes) and set(axes) == set(self.consumer.axes)


@struct(frozen=True)
class Row:
    """One row of the table. `when` sees the edge; `reason` is what `explain` prints."""

    name: str
    producers: tuple[str, ...]
    consumers: tuple[str, ...]
    when: Callable[[Edge], bool]
    action: str
    reason: str


ANY = ("fill", "map", "gather", "contract", "window", "column", "row", "total", "scatter")
MAPS = ("map", "gather")
REDUCTIONS = ("row", "total", "column")


def _always(edge: Edge) -> bool:
    return True


def _only_moves(edge: Edge) -> bool:
    """The producer computes nothing: a broadcast, a transpose, a slice, a pad, an iota."""
    store = store_of(edge.producer, edge.array)
    return store is not None and not isinstance(store.expr, (Apply, Ref))


def _copies(edge: Edge) -> bool:
    """The consumer computes nothing: it repeats or moves what it reads."""
    equations = edge.consumer.equations
    return len(equations) == 1 and equations[0].kind == STORE and isinstance(equations[0].expr, Load)


def _once(edge: Edge) -> bool:
    """The producer computes one value a channel, or the like, from several, and the consumer runs over more: there is time to spare for
    them where they are made, and the consumer reads one array in place of several."""
    store = store_of(edge.producer, edge.array)
    return store is not None and bool(store.free) and all(is_static(edge.producer.axes[a]) for a in store.free) \
        and len(edge.producer.loads) > 1 and not edge.same_space


def _static_row(edge: Edge) -> bool:
    """Both kernels walk the same rows (their outer axes), and what is left of the consumer is one short static row."""
    mapping = edge.mapping
    outer = _common_axes(edge.producer)
    if not mapping or not outer or not outer <= set(mapping):
        return False
    rows = {mapping[a] for a in outer}
    if not rows <= _common_axes(edge.consumer):
        return False
    for q in edge.consumer.equations:
        axes = plain_axes(q.index) if q.kind == STORE else None
        if q.kind == STORE and (axes is None or set(axes[: len(rows)]) != rows):
            return False
    rest: DimLike = product(n for a, n in edge.consumer.axes.items() if a not in rows)
    return is_static(rest) and int(rest) <= ROW_LIMIT  # type: ignore[arg-type]


def _recomputed(edge: Edge) -> bool:
    """A cheap map of one array as large as its result: to read that array again costs no more than to read the result, and the result
    is never written."""
    if edge.cost > CHEAP:
        return False
    large = _repeatable(edge)
    return large is not None and len(large) == 1 and large[0].dtype.size <= edge.size


def _recomputed_beside(edge: Edge) -> bool:
    """A map of arrays that are read anyway where its result ends up, and of one more at the most: the mask of an activation, of what a
    normalization reads again on the way back."""
    large = _repeatable(edge) if edge.cost <= BESIDE else None
    if not large:
        return False
    company = edge.company
    more = [load for load in large if load.array not in company]
    return len(more) < len(large) and (not more or (len(more) == 1 and more[0].dtype.size <= edge.size))


def _repeatable(edge: Edge) -> list[Load] | None:
    """The operands as large as the result of a map that each of its readers may compute for itself; None for any other."""
    store = store_of(edge.producer, edge.array)
    if not edge.inlinable or store is None:
        return None
    axes = set(store.free)
    loads = dict.fromkeys(load for q in edge.producer.equations for load in q.loads)
    reads = set(edge.loads)
    if any(load.guards for load in loads) or len(reads) != 1:
        return None
    read = next(iter(reads))
    if read.guards or not edge.reads_once(read) or not edge.light:
        return None
    return [load for load in loads if {v for a in load.index for v in a.variables} == axes]


def _few_arrays(edge: Edge) -> bool:
    return len(edge.producer.arrays) + len(edge.consumer.arrays) - len(edge.common) <= ARRAY_LIMIT


def _common_axes(kernel: Kernel) -> set[str]:
    """Axes that are free in every equation: the outer loops, and the parallel ones."""
    return set.intersection(*(set(q.free) for q in kernel.equations))


def _joins_reduction(edge: Edge) -> bool:
    """Every axis of the map is one of the reduction's, and the reduction keeps its outer loops."""
    mapping = edge.mapping
    return mapping is not None and set(mapping) == set(edge.producer.axes) and _common_axes(edge.consumer) <= set(mapping.values())


TABLE: tuple[Row, ...] = (
    Row("view", ANY, ANY, lambda e: not e.loads, APART,
        "the consumer reads a view of another shape"),
    Row("fill", ("fill",), MAPS + REDUCTIONS, _always, INLINE, "a literal needs no memory"),
    Row("movement", MAPS, MAPS + REDUCTIONS, lambda e: e.inlinable and _only_moves(e), INLINE,
        "reading through another index costs nothing"),
    Row("scatter", ("scatter",), ANY, _always, APART, "the sums are complete only after the last row"),
    Row("into scatter", ANY, ("scatter",), _always, APART, "rows are read in the order of the data"),
    Row("arrays", ANY, ANY, lambda e: not _few_arrays(e), APART, f"more than {ARRAY_LIMIT} arrays in one kernel would spill"),
    Row("small into broadcast", MAPS, MAPS, lambda e: e.grows and _copies(e), APART,
        "computed once while it is small; what repeats it is read through another index"),
    Row("map, recomputed", MAPS, MAPS + REDUCTIONS, _recomputed, INLINE,
        "cheaper to compute again than to write and read back"),
    Row(PASSED_ON, MAPS, MAPS + REDUCTIONS, _recomputed_beside, INLINE,
        "what it is made of is read there anyway"),
    Row("map, same space", MAPS, MAPS, lambda e: e.same_space and set(e.mapping or ()) == set(e.producer.axes), MERGE,
        "both run over the same elements: one pass"),
    Row("map, only reader", MAPS, MAPS, lambda e: e.inlinable and e.sole and (not e.grows or (e.cost <= CHEAP and not _once(e))), INLINE,
        "computed where it is read; nobody else reads it"),
    Row("map, dear", MAPS, MAPS, lambda e: e.sole, APART, "each element would be computed several times"),
    Row("map, shared", MAPS, MAPS, _always, APART, "others read it too, and over other axes"),
    Row("map into reduction", MAPS, REDUCTIONS,
        lambda e: e.sole and _joins_reduction(e), MERGE, "computed as the reduction reads it"),
    Row("map into row", MAPS, ("row",), _joins_reduction, MERGE,
        "computed and kept as the row is read"),
    Row("map into reduction, only reader", MAPS, REDUCTIONS, lambda e: e.inlinable and e.sole and not e.grows, INLINE,
        "computed as the reduction reads it"),
    Row("map into reduction, shared", MAPS, REDUCTIONS, _always, APART, "others read it too: it is computed once and read back"),
    Row("map into contraction", (*MAPS, "fill"), ("contract", "window"), _always, APART,
        "operands are read many times: computing them at each read costs more than a pass over memory"),
    Row("epilogue", ("contract", "window", "column", "row", "total"), MAPS, lambda e: e.same_space, MERGE,
        "applied while the result is in registers"),
    Row("row", ("row",), (*MAPS, "row"), _static_row, MERGE, "the row is still in the first-level cache"),
    Row("other space", ("contract", "window", "column", "row", "total"), MAPS, _always, APART,
        "the consumer runs over other axes than the result"),
    Row(SIDE_BY_SIDE, ("column",), ("column",), lambda e: side_by_side(e.producer, e.consumer, e.common) is not None, MERGE,
        "both sum the same elements: one pass over memory"),
    Row("reduction into heavy", ("contract", "window", "column", "row", "total"), ("contract", "window", "column", "row", "total"), _always,
        APART, "the second reduction needs all of the first"),
    Row("rest", ANY, ANY, _always, APART, "no row of the table fuses these"),
)


def decide(edge: Edge, producer: str, consumer: str) -> Row:
    """The first row that fits. `producer`, `consumer`: their kinds."""
    for row in _rows(producer, consumer):
        if row.when(edge):
            return row
    raise AssertionError("the last row fits everything")


@functools.cache
def _rows(producer: str, consumer: str) -> tuple[Row, ...]:
    """The rows for two kinds, in order."""
    return tuple(row for row in TABLE if producer in row.producers and consumer in row.consumers)


@functools.cache
def may_join(producer: str, consumer: str, early: bool) -> bool:
    """Whether some row for two kinds fuses. `early`: one that is asked before the others."""
    return any(row.action == INLINE or row.name in EARLY if early else row.action != APART for row in _rows(producer, consumer))


@functools.cache
def counts_extents(producer: str, consumer: str) -> bool:
    """Whether some row for two kinds asks how long an axis is, and not only whether it is as long as another one."""
    return any(row.when is _static_row for row in _rows(producer, consumer))
