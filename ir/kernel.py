"""A kernel as data: axes, arrays, and a list of equations. What code generation lowers and fusion merges.

    kernel k3 "dense/relu"
      axes i:B, j:512, k:784
      read x: f32[B, 784], w: f32[784, 512], b: f32[512]
      write y: f32[B, 512]
      reduce acc[i, j] = add over k of x[i, k] * w[k, j]
      store y[i, j] = max(acc + b[j], 0)

Equations are in order; each may refer to earlier `let`, `reduce` and `index` equations by name. Roles belong to
equations, not to axes: in a softmax `j` is reduced by the maximum and free in the store.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import TYPE_CHECKING

from kcompile.common.lazy import lazy, remember
from kcompile.common.struct import struct

from .scalar import SCALAR_OPS, Aff, Apply, AxisValue, Expr, Load, Ref, plain_axes, walk
from .types import DimLike, TensorType

if TYPE_CHECKING:
    from .forms import Placed

LET, REDUCE, STORE, INDEX, ACCUMULATE = "let", "reduce", "store", "index", "accumulate"


@struct(frozen=True)
class Eq:
    """One equation.

    let         name[free] = expr
    reduce      name[free] = op over `over` of expr         op: add, mul, max, min (NaN propagates)
    index       name[free] = expr                            an integer value that later indices may use as a variable
    store       array[index] = expr                          `name` is the array; each element is stored at most once
    accumulate  array[index] += expr, in order over `over`   scatter-add; the array's earlier content is kept

    `free` are the axes the equation is evaluated over; `over` the axes it reduces.
    """

    kind: str
    name: str
    expr: Expr
    free: tuple[str, ...]
    over: tuple[str, ...] = ()
    op: str = ""
    index: tuple[Aff, ...] = ()

    @property
    def axes(self) -> tuple[str, ...]:
        return self.free + self.over

    @lazy
    def stored_axes(self) -> tuple[str, ...] | None:
        """Of one plain store over distinct axes, the axis of each dimension; None for anything else."""
        if self.kind != STORE:
            return None
        axes = plain_axes(self.index)
        return axes if axes is not None and set(axes) == set(self.free) else None

    @lazy
    def cost(self) -> int:
        """Rough vector instructions an element, loads included."""
        return sum(SCALAR_OPS[e.fn].cost if isinstance(e, Apply) else 1 if isinstance(e, Load) else 0 for e in walk(self.expr))

    @lazy
    def loads(self) -> tuple[Load, ...]:
        """Every load of the expression."""
        return self._walked()[0]

    @lazy
    def variables(self) -> frozenset[str]:
        """Axes and index equations that the expression uses directly."""
        return self._walked()[1]

    @lazy
    def refs(self) -> frozenset[str]:
        """Equations that the expression refers to."""
        return self._walked()[2]

    def _walked(self) -> tuple[tuple[Load, ...], frozenset[str], frozenset[str]]:
        """What fusion asks of every equation that it makes, in one walk of the expression."""
        loads: list[Load] = []
        variables: set[str] = set()
        refs: set[str] = set()
        for e in walk(self.expr):
            if isinstance(e, Load):
                loads.append(e)
                variables |= e.variables
            elif isinstance(e, Ref):
                refs.add(e.name)
            elif isinstance(e, AxisValue):
                variables |= e.index.variables
        found = tuple(loads), frozenset(variables), frozenset(refs)
        for name, value in zip(("loads", "variables", "refs"), found, strict=True):
            remember(self, name, value)
        return found


@struct(frozen=True)
class Kernel:
    """`axes`: name -> extent; `arrays`: name -> type (row-major, contiguous); `label` for people: the layers' paths.

    Two arrays share storage only where `in_place` says so (written array -> the array whose storage it takes). The old
    content is then read only at the element that is stored, and by no equation after the store (see passes/plan.py).
    `still`: arrays that hold the same numbers call after call, until somebody says otherwise. `panels`: arrays that do not lie row by
    row but in panels of so many columns, one after the other (see passes/layouts.py); indices are those of the whole array all the same.
    `by_row`: arrays of which the kernel is given a table with the address of each row (see passes/row_tables.py); the same holds of them.
    """

    name: str
    axes: Mapping[str, DimLike]
    arrays: Mapping[str, TensorType]
    equations: tuple[Eq, ...]
    label: str = ""
    source: str = ""
    in_place: Mapping[str, str] = field(default_factory=dict)
    still: tuple[str, ...] = ()
    panels: Mapping[str, int] = field(default_factory=dict)
    by_row: tuple[str, ...] = ()

    @lazy
    def placed(self) -> Placed:
        """Its form, apart from the arrays it stands over. Of a kernel that was made from a form, that one: see forms.py."""
        from .forms import place
        return place(self)

    @lazy
    def sorts(self) -> frozenset[str]:
        """The kinds of its equations."""
        return frozenset([q.kind for q in self.equations])

    @lazy
    def lets(self) -> dict[str, Eq]:
        """Its intermediate values, by name."""
        return {q.name: q for q in self.equations if q.kind == LET}

    @lazy
    def writes(self) -> tuple[str, ...]:
        return tuple(self.stores)

    @lazy
    def reads(self) -> tuple[str, ...]:
        seen: dict[str, None] = dict.fromkeys(self.loads)
        seen.update(dict.fromkeys(e.name for e in self.equations if e.kind == ACCUMULATE))
        return tuple(seen)

    @lazy
    def stores(self) -> dict[str, list[Eq]]:
        """The equations that write each array, in order."""
        found: dict[str, list[Eq]] = {}
        for equation in self.equations:
            if equation.kind in (STORE, ACCUMULATE):
                found.setdefault(equation.name, []).append(equation)
        return found

    @lazy
    def loads(self) -> dict[str, list[Load]]:
        """The loads of each array, in order."""
        found: dict[str, list[Load]] = {}
        for equation in self.equations:
            for load in equation.loads:
                found.setdefault(load.array, []).append(load)
        return found


def expr_variables(expr: Expr) -> frozenset[str]:
    """Axes and index-equation names that an expression uses directly (not through Refs)."""
    if isinstance(expr, Load):
        return expr.variables
    out: set[str] = set()
    for e in walk(expr):
        if isinstance(e, Load):
            out |= e.variables
        elif isinstance(e, AxisValue):
            out |= e.index.variables
    return frozenset(out)


def expr_refs(expr: Expr) -> frozenset[str]:
    """Names of the equations that an expression refers to."""
    return frozenset(e.name for e in walk(expr) if isinstance(e, Ref))
