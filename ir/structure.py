"""What tells kernels apart for code generation, whatever their arrays, axes and equations are called: quick to make, not to be read."""

from __future__ import annotations

from collections.abc import Hashable

from .kernel import ACCUMULATE, STORE, Kernel
from .scalar import Aff, Apply, AxisValue, Const, Expr, Load, Ref


def structure(kernel: Kernel) -> Hashable:
    """Equal for kernels that differ in nothing but names, label and source."""
    return tuple(_Writer(kernel).parts)


class _Writer:
    """The kernel word by word; names are numbers, and what has no fixed length says how long it is."""

    def __init__(self, kernel: Kernel) -> None:
        self.arrays = {name: n for n, name in enumerate(kernel.arrays)}
        results = [q.name for q in kernel.equations if q.kind not in (STORE, ACCUMULATE)]
        self.names = {name: n for n, name in enumerate(dict.fromkeys([*kernel.axes, *results]))}
        self.parts: list[Hashable] = [len(kernel.axes), *kernel.axes.values(), len(kernel.arrays)]
        for type_ in kernel.arrays.values():
            self.parts += (type_.dtype.name, type_.shape)
        for q in kernel.equations:
            writes = q.kind in (STORE, ACCUMULATE)
            self.parts += (q.kind, q.op, (self.arrays if writes else self.names)[q.name], len(q.free), len(q.over), len(q.index))
            self.parts += [self.names[axis] for axis in q.axes]
            for aff in q.index:
                self.aff(aff)
            self.expr(q.expr)
        self.parts += [(self.arrays[a], self.arrays.get(b, b)) for a, b in kernel.in_place.items()]
        self.parts += [self.arrays[a] for a in kernel.still]

    def aff(self, aff: Aff) -> None:
        terms = aff.terms
        if len(terms) == 1:
            (name, factor), = terms
            self.parts += (1, self.names[name], factor, aff.const)
        else:
            self.parts += (len(terms), *sorted([(self.names[name], factor) for name, factor in terms], key=_first), aff.const)

    def expr(self, e: Expr) -> None:
        if isinstance(e, Apply):
            self.parts += (e.fn, e.dtype.name)
            for arg in e.args:
                self.expr(arg)
        elif isinstance(e, Load):
            self.parts += ("load", self.arrays[e.array], e.dtype.name, len(e.index), len(e.guards), _number(e.other))
            for aff in e.index:
                self.aff(aff)
            for guard in e.guards:
                self.aff(guard.index)
                self.parts += (guard.lo, guard.hi)
        elif isinstance(e, Ref):
            self.parts += ("ref", self.names[e.name], e.dtype.name)
        elif isinstance(e, AxisValue):
            self.parts += ("axis", e.dtype.name)
            self.aff(e.index)
        else:
            self.parts += ("const", _number(e))


def _first(term: tuple[int, Hashable]) -> int:
    return term[0]


def _number(const: Const | None) -> str:
    """As text: -0.0 and 0.0 are two numbers, and 1 and True are."""
    return "" if const is None else f"{const.value!r} {const.dtype.name}"
