"""How two kernels become one: matching of index spaces, inlining of a map, merging of equation lists.

    k0: store t[i, j] = a[i, j] + b[j]           merge(k0, k1, {"i": "m", "j": "n"}):
    k1: store y[m, n] = max(t[m, n], 0)            let v[m, n] = a[m, n] + b[n] ; store t[m, n] = v ; store y[m, n] = max(v, 0)

Whether it pays is not decided here: see fusion_table.py.
"""

from __future__ import annotations

from collections.abc import Mapping

from kcompile.common.struct import replace

from .kernel import INDEX, LET, REDUCE, STORE, Eq, Kernel
from .kernel_edit import WRITING, rename_axes
from .scalar import Aff, Apply, AxisValue, Const, Expr, Guard, Load, Ref, apply, rewrite
from .types import boolean, i64


def store_of(kernel: Kernel, array: str) -> Eq | None:
    """The only equation that writes `array`, if it is one plain store over distinct axes."""
    stores = kernel.stores.get(array)
    return stores[0] if stores is not None and len(stores) == 1 and stores[0].stored_axes is not None else None


def loads_of(kernel: Kernel, array: str) -> list[Load]:
    """Every load of `array` in the kernel, in order."""
    return kernel.loads.get(array, [])


def axis_mapping(producer: Kernel, consumer: Kernel, common: Mapping[str, str]) -> dict[str, str] | None:
    """producer axis -> consumer axis, if every shared element is read exactly at the point that stores it. `common`: arrays that both
    have, as the producer and as the consumer calls them."""
    found: dict[str, str] = {}
    for array in producer.writes:
        loads = consumer.loads.get(common.get(array, ""))
        if loads is None:
            continue
        store = store_of(producer, array)
        if store is None:
            return None
        axes = store.stored_axes or ()
        for load in loads:
            targets = load.plain_axes
            if targets is None or load.guards or any(t not in consumer.axes for t in targets):
                return None
            for p, c in zip(axes, targets, strict=True):
                if producer.axes[p] != consumer.axes[c] or found.setdefault(p, c) != c:
                    return None
    return found if _keeps_apart(producer, found) else None


def _keeps_apart(kernel: Kernel, mapping: Mapping[str, str]) -> bool:
    """Whether axes that meet in an equation keep different names: a row that one sum runs along may be an axis of another's results."""
    if len(set(mapping.values())) == len(mapping):
        return True
    spaces = [[mapping[a] for a in _space(kernel, q) if a in mapping] for q in kernel.equations]
    return all(len(set(space)) == len(space) for space in spaces)


def _space(kernel: Kernel, q: Eq) -> set[str]:
    """The axes that an equation has anything to do with."""
    return set(q.axes) | (q.variables & kernel.axes.keys())


def side_by_side(producer: Kernel, consumer: Kernel, common: Mapping[str, str]) -> dict[str, str] | None:
    """producer axis -> consumer axis, if both sum the same elements in the same order, and the consumer needs what the producer
    makes only after its own sums: the gradients of the shift and of the scale of a normalization."""
    mapping = axis_mapping(producer, consumer, common)
    if mapping is None:
        return None
    sums, others = ([q for q in kernel.equations if q.kind == REDUCE] for kernel in (producer, consumer))
    read, wanted = _summed(producer), _summed(consumer)
    if not sums or not others or any(common.get(array) in wanted for array in producer.writes):
        return None
    for array, places in read.items():
        others_at = wanted.get(common.get(array, ""), set())
        if len(places) == len(others_at) == 1:
            (place,), (other,) = places, others_at
            if len(place) != len(other):  # one of them reads a part of it
                return None
            for p, c in zip(place, other, strict=True):
                if producer.axes[p] != consumer.axes[c] or mapping.setdefault(p, c) != c:
                    return None
    if set(mapping) != set(producer.axes) or len(set(mapping.values())) != len(mapping):
        return None
    moved = {(tuple(mapping[a] for a in q.free), tuple(mapping[a] for a in q.over)) for q in sums}
    return mapping if moved == {(q.free, q.over) for q in others} and len(moved) == 1 else None


def _summed(kernel: Kernel) -> dict[str, set[tuple[str, ...]]]:
    """The arrays that the sums of a kernel read, each with the axes of its plain loads."""
    found: dict[str, set[tuple[str, ...]]] = {}
    waiting = [q for q in kernel.equations if q.kind == REDUCE]
    seen: set[str] = set()
    while waiting:
        q = waiting.pop()
        for load in q.loads:
            found.setdefault(load.array, set()).add(load.plain_axes or ())
        waiting += [kernel.lets[name] for name in q.refs if name in kernel.lets and name not in seen]
        seen |= q.refs
    return found


_MAPPING = frozenset({LET, STORE, INDEX})


def is_map(kernel: Kernel) -> bool:
    """Whether every element of every output is computed on its own."""
    return kernel.sorts <= _MAPPING


def _fresh(name: str, taken: set[str]) -> str:
    base, n = name.rstrip("0123456789") or name, 1
    while name in taken:
        n += 1
        name = f"{base}{n}"
    taken.add(name)
    return name


def local_names(kernel: Kernel) -> set[str]:
    """Names of axes and of equation results: one namespace."""
    return set(kernel.axes) | {q.name for q in kernel.equations if q.kind in (LET, REDUCE, INDEX)}


def merge(producer: Kernel, consumer: Kernel, mapping: Mapping[str, str]) -> Kernel:
    """One kernel that computes both. Every store stays; the caller drops those that nobody reads any more."""
    taken = local_names(consumer)
    names = dict(mapping)
    for name in sorted(local_names(producer)):
        if name not in names:
            names[name] = _fresh(name, taken)
    renamed = rename_axes(producer, names)
    shared = set(consumer.reads).intersection(producer.writes)
    values: dict[str, Expr] = {}
    equations: list[Eq] = []
    for q in renamed.equations:
        if q.kind == STORE and q.name in shared:
            value = q.expr
            if not isinstance(value, (Ref, Const)):
                label = _fresh("v", taken)
                equations.append(Eq(LET, label, value, q.free))
                value = Ref(label, q.expr.dtype)
            values[q.name] = value
            q = replace(q, expr=value)
        equations.append(q)

    def use(e: Expr) -> Expr | None:
        return values[e.array] if isinstance(e, Load) and e.array in values else None
    equations += [replace(q, expr=rewrite(q.expr, use)) if any(load.array in values for load in q.loads) else q
                  for q in consumer.equations]
    merged = replace(consumer, axes={**renamed.axes, **consumer.axes}, arrays={**producer.arrays, **consumer.arrays},
                      equations=tuple(equations), in_place={**producer.in_place, **consumer.in_place})
    return share_axes(tidy(merged))


def share_axes(kernel: Kernel) -> Kernel:
    """One name for axes of equal extent that take each other's place: the rows of a softmax are then walked by one loop variable.

    Axes that meet in an equation, or beside different other axes, keep their names: their loops are nested differently.
    """
    extents = list(kernel.axes.values())
    if len(set(extents)) == len(extents) or all(len(q.free) + len(q.over) == len(extents) for q in kernel.equations):
        return kernel  # no two are equal, or all meet everywhere
    spaces = [_space(kernel, q) for q in kernel.equations]
    names = list(kernel.axes)
    for n, first in enumerate(names):
        for second in names[n + 1:]:
            if kernel.axes[first] != kernel.axes[second]:
                continue
            beside = {frozenset(space - {first, second}) for space in spaces if space & {first, second}}
            meet = any({first, second} <= space for space in spaces)
            if not meet and len(beside) == 1:
                return share_axes(rename_axes(kernel, {second: first}))
    return kernel


def value_of(producer: Kernel, array: str) -> Expr:
    """What a map stores to `array`, written without its `let`s."""
    store = store_of(producer, array)
    assert store is not None and is_map(producer)
    return _expand(store.expr, producer.lets) if producer.lets else store.expr


def inline(producer: Kernel, consumer: Kernel, array: str) -> Kernel:
    """The consumer with every load of `array` replaced by the map's expression at that index. Recomputes nothing else."""
    store = store_of(producer, array)
    assert store is not None
    body = value_of(producer, array)
    axes = store.stored_axes or ()

    def use(e: Expr) -> Expr | None:
        if not isinstance(e, Load) or e.array != array:
            return None
        at = dict(zip(axes, e.index, strict=True))
        moved = _move(body, at, e.guards)
        if not e.guards:
            return moved
        assert e.other is not None  # every guard comes with what stands in its place
        return guarded(e.guards, moved, e.other)

    equations = tuple([replace(q, expr=rewrite(q.expr, use)) if any(load.array == array for load in q.loads) else q
                       for q in consumer.equations])
    return tidy(replace(consumer, arrays={**consumer.arrays, **producer.arrays}, equations=equations))


def _expand(expr: Expr, lets: Mapping[str, Eq]) -> Expr:
    return rewrite(expr, lambda e: _expand(lets[e.name].expr, lets) if isinstance(e, Ref) and e.name in lets else None)


def _move(expr: Expr, at: Mapping[str, Aff], guards: tuple[Guard, ...]) -> Expr:
    def change(e: Expr) -> Expr | None:
        if isinstance(e, Load):
            if not e.guards and not guards:
                return Load(e.array, tuple([a.substitute(at) for a in e.index]), e.dtype)
            own = tuple(Guard(g.index.substitute(at), g.lo, g.hi) for g in e.guards)
            other = e.other if e.other is not None else Const(0, e.dtype)
            every = own + tuple(g for g in guards if g not in own)
            return Load(e.array, tuple([a.substitute(at) for a in e.index]), e.dtype, every, other if every else None)
        if isinstance(e, AxisValue):
            return AxisValue(e.index.substitute(at), e.dtype)
        return None
    return rewrite(expr, change)


def guarded(guards: tuple[Guard, ...], value: Expr, other: Const) -> Expr:
    """select(all guards hold, value, other), folded where the value is a load that the guards already protect."""
    if isinstance(value, Load) and value.guards == guards:
        return replace(value, other=other)
    condition: Expr | None = None
    for g in guards:
        index = AxisValue(g.index, i64)
        for fn, bound in (("ge", g.lo), ("lt", g.hi)):
            limit: Expr = Const(bound, i64) if isinstance(bound, int) else AxisValue(Aff.of(0, bound), i64)
            test = apply(fn, index, limit)
            condition = test if condition is None else Apply("and", (condition, test), boolean)
    assert condition is not None
    return apply("select", condition, value, other)


def tidy(kernel: Kernel) -> Kernel:
    """Drop equations nothing uses, arrays nothing touches and axes nothing runs over."""
    equations = list(kernel.equations)
    while any(q.kind not in WRITING for q in equations):
        used: set[str] = set()
        for q in equations:
            used |= q.refs
        indexed: set[str] = set()
        if any(q.kind == INDEX for q in equations):
            indexed.update(*(q.variables for q in equations), *(a.variables for q in equations for a in q.index))
        kept = [q for q in equations if q.kind in WRITING or q.name in used or (q.kind == INDEX and q.name in indexed)]
        if len(kept) == len(equations):
            break
        equations = kept
    touched: set[str] = set()
    axes: set[str] = set()
    for q in equations:
        axes.update(q.free, q.over)
        if q.kind in WRITING:
            touched.add(q.name)
        touched.update([load.array for load in q.loads])
    return replace(kernel, equations=tuple(equations), arrays={a: t for a, t in kernel.arrays.items() if a in touched},
                    axes={a: n for a, n in kernel.axes.items() if a in axes},
                    in_place={a: b for a, b in kernel.in_place.items() if a in touched})


def join_labels(*labels: str) -> str:
    """'dense/dot' and 'dense/add' -> 'dense/dot + add': each op once, in order; a layer's path stands once for its run of ops."""
    parts: dict[tuple[str, str], None] = {}
    for label in labels:
        path = ""
        for part in filter(None, label.split(" + ")):
            stem, slash, op = part.rpartition("/")
            path = stem if slash else path
            parts[path, op] = None
    words: list[str] = []
    last = ""
    for path, op in parts:
        words.append(op if path == last else f"{path}/{op}")
        last = path
    return " + ".join(words)
