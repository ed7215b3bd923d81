"""What tells kernels apart for code generation, whatever their arrays, axes and equations are called: quick to make, not to be read."""

from __future__ import annotations

from collections.abc import Hashable, Mapping

from .kernel import ACCUMULATE, STORE, Kernel
from .scalar import Aff, Apply, AxisValue, Const, Expr, Load, Ref


def structure(kernel: Kernel) -> Hashable:
    """Equal for kernels that differ in nothing but names, label and source. Names are numbers here, and what has no fixed length says how
    long it is."""
    arrays = {name: n for n, name in enumerate(kernel.arrays)}
    results = [q.name for q in kernel.equations if q.kind not in (STORE, ACCUMULATE)]
    names = {name: n for n, name in enumerate(dict.fromkeys([*kernel.axes, *results]))}
    parts: list[Hashable] = [len(kernel.axes), *kernel.axes.values(), len(arrays)]
    for type_ in kernel.arrays.values():
        parts += (type_.dtype.name, type_.shape)
    number = names.__getitem__
    for q in kernel.equations:
        writes = q.kind in (STORE, ACCUMULATE)
        parts += (q.kind, q.op, (arrays if writes else names)[q.name], len(q.free), len(q.over), len(q.index))
        parts += map(number, q.free)
        parts += map(number, q.over)
        for aff in q.index:
            _aff(aff, names, parts)
        _expr(q.expr, arrays, names, parts)
    parts += [(arrays[a], arrays.get(b, b)) for a, b in kernel.in_place.items()]
    parts += [arrays[a] for a in kernel.still]
    parts += [(arrays[a], columns) for a, columns in kernel.panels.items()]
    parts += [("by row", arrays[a]) for a in kernel.by_row]
    return tuple(parts)


def _aff(aff: Aff, names: Mapping[str, int], parts: list[Hashable]) -> None:
    terms = aff.terms
    if len(terms) == 1:
        (name, factor), = terms
        parts += (1, names[name], factor, aff.const)
    else:
        parts += (len(terms), *sorted([(names[name], factor) for name, factor in terms], key=_first), aff.const)


def _expr(e: Expr, arrays: Mapping[str, int], names: Mapping[str, int], parts: list[Hashable]) -> None:
    sort = e.__class__
    if sort is Apply:
        parts += (e.fn, e.dtype.name)  # type: ignore[union-attr]
        for arg in e.args:  # type: ignore[union-attr]
            _expr(arg, arrays, names, parts)
    elif sort is Load:
        assert isinstance(e, Load)
        parts += ("load", arrays[e.array], e.dtype.name, len(e.index), len(e.guards), _number(e.other))
        for aff in e.index:
            _aff(aff, names, parts)
        for guard in e.guards:
            _aff(guard.index, names, parts)
            parts += (guard.lo, guard.hi)
    elif sort is Ref:
        parts += ("ref", names[e.name], e.dtype.name)  # type: ignore[union-attr]
    elif sort is AxisValue:
        parts += ("axis", e.dtype.name)
        _aff(e.index, names, parts)  # type: ignore[union-attr,arg-type]
    else:
        parts += ("const", _number(e))  # type: ignore[arg-type]


def _first(term: tuple[int, Hashable]) -> int:
    return term[0]


def _number(const: Const | None) -> str:
    """As text: -0.0 and 0.0 are two numbers, and 1 and True are."""
    return "" if const is None else f"{const.value!r} {const.dtype.name}"
