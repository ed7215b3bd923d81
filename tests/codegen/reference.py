"""A kernel description evaluated by numpy on the whole grid of each equation's axes: slow, plain, and independent of lowering."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from kcompile.ir.kernel import ACCUMULATE, STORE, Kernel
from kcompile.ir.scalar import REDUCERS, SCALAR_OPS, Aff, AxisValue, Const, Expr, Load, Ref
from kcompile.ir.types import DType, bf16, evaluate_dim, f16, f32

Array = npt.NDArray[Any]


def evaluate(kernel: Kernel, arrays: Mapping[str, Array], symbols: Mapping[str, int]) -> dict[str, Array]:
    """The arrays after the kernel has run; the arguments are left as they are. Sums are done in the description's dtype by numpy."""
    memory = {n: np.array(a) for n, a in arrays.items()}
    for written, read in kernel.in_place.items():
        memory[written] = memory[read]
    extents = {a: evaluate_dim(e, symbols) for a, e in kernel.axes.items()}
    values: dict[str, tuple[tuple[str, ...], Array]] = {}
    for q in kernel.equations:
        axes = tuple(a for a in kernel.axes if a in q.axes)
        grid = dict(zip(axes, np.meshgrid(*(np.arange(extents[a]) for a in axes), indexing="ij"), strict=True))
        shape = tuple(extents[a] for a in axes)

        def aff(x: Aff, grid: dict[str, Array] = grid, shape: tuple[int, ...] = shape, axes: tuple[str, ...] = axes) -> Array:
            total = np.full(shape, evaluate_dim(x.const, symbols), np.int64)
            for v, c in x.terms:
                at = grid[v] if v in grid else spread(values[v], axes, shape).astype(np.int64)
                total = total + at * evaluate_dim(c, symbols)
            return total

        def spread(value: tuple[tuple[str, ...], Array], axes: tuple[str, ...], shape: tuple[int, ...]) -> Array:
            own, array = value
            index = tuple(slice(None) if a in own else None for a in axes)
            return np.broadcast_to(array[index], shape)

        def value(e: Expr, aff: Any = aff, spread: Any = spread, axes: tuple[str, ...] = axes, shape: tuple[int, ...] = shape) -> Array:
            if isinstance(e, Const):
                return np.full(shape, e.value, e.dtype.numpy).astype(compute(e.dtype))
            if isinstance(e, Ref):
                return spread(values[e.name], axes, shape)
            if isinstance(e, AxisValue):
                return aff(e.index).astype(e.dtype.numpy)
            if isinstance(e, Load):
                inside = np.ones(shape, bool)
                for g in e.guards:
                    at = aff(g.index)
                    inside &= (evaluate_dim(g.lo, symbols) <= at) & (at < evaluate_dim(g.hi, symbols))
                index = tuple(np.where(inside, aff(x), 0) for x in e.index)
                other = e.other.value if e.other else 0
                if not inside.any():
                    return np.full(shape, other, e.dtype.numpy).astype(compute(e.dtype))
                return np.where(inside, memory[e.array][index], np.asarray(other, e.dtype.numpy)).astype(compute(e.dtype))
            args = [value(a) for a in e.args]
            if e.fn == "cast":
                return args[0].astype(e.dtype.numpy).astype(compute(e.dtype))
            return np.asarray(SCALAR_OPS[e.fn].reference(*args)).astype(compute(e.dtype))

        with np.errstate(all="ignore"):
            result = value(q.expr)
            if q.kind == STORE:
                memory[q.name][tuple(aff(x) for x in q.index)] = result
            elif q.kind == ACCUMULATE:
                np.add.at(memory[q.name], tuple(aff(x) for x in q.index), result.astype(memory[q.name].dtype))
            elif q.kind == "reduce":
                over = tuple(n for n, a in enumerate(axes) if a in q.over)
                kept = tuple(a for a in axes if a in q.free)
                wide = result.astype(np.float64) if result.dtype == np.float32 and q.op == "add" else result
                start: dict[str, Any] = {} if wide.size else {"initial": 0 if q.op == "add" else -np.inf}
                values[q.name] = kept, REDUCERS[q.op].reduce(wide, axis=over, **start).astype(result.dtype)
            else:
                values[q.name] = axes, result
    return memory


def compute(dtype: DType) -> np.dtype[Any]:
    return f32.numpy if dtype in (f16, bf16) else dtype.numpy
