"""numpy evaluation of kernel descriptions: the oracle for fusion and for code generation.

Every equation is evaluated over the whole grid of its axes at once; each axis of the kernel is one dimension of the grid,
of extent 1 where an expression does not depend on it. Sums over large grids are taken in slabs of one reduced axis.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .kernel import ACCUMULATE, INDEX, LET, REDUCE, STORE, Eq, Kernel
from .scalar import REDUCERS, SCALAR_OPS, Aff, Apply, AxisValue, Const, Expr, Load, Ref, identity
from .types import boolean, evaluate_dim

Array = npt.NDArray[Any]
GRID_LIMIT = 1 << 24  # elements of one intermediate; larger reductions are cut along their first axis


class KernelError(ValueError):
    """A kernel that reads or writes outside its arrays, or names something it does not define."""


def evaluate_kernel(kernel: Kernel, arrays: Mapping[str, Array], symbols: Mapping[str, int]) -> None:
    """Run a kernel: read and write `arrays` (one for each of kernel.arrays, of its type; written in place).

    Raises KernelError for a missing or misshapen array, an unknown name, an index outside an array.
    """
    for name, declared in kernel.arrays.items():
        shape = tuple(evaluate_dim(d, symbols) for d in declared.shape)
        if name not in arrays:
            raise KernelError(f"kernel {kernel.name}: no array was given for {name}: {declared}")
        if arrays[name].shape != shape or arrays[name].dtype != declared.dtype.numpy:
            raise KernelError(f"kernel {kernel.name}: {name} is {arrays[name].dtype}{list(arrays[name].shape)}, expected {declared}")
    with np.errstate(all="ignore"):
        _Evaluation(kernel, arrays, symbols).run()


class _Evaluation:
    def __init__(self, kernel: Kernel, arrays: Mapping[str, Array], symbols: Mapping[str, int]) -> None:
        self.kernel, self.arrays, self.symbols = kernel, arrays, symbols
        self.extents = {name: evaluate_dim(d, symbols) for name, d in kernel.axes.items()}
        self.order = list(kernel.axes)
        self.variables: dict[str, Array] = {name: self._axis(name, 0, n) for name, n in self.extents.items()}
        self.values: dict[str, Array] = {}

    def run(self) -> None:
        for equation in self.kernel.equations:
            for axis in equation.axes:
                if axis not in self.extents:
                    raise KernelError(f"kernel {self.kernel.name}: {equation.name} uses axis {axis}, which the kernel does not have")
            if equation.kind == LET:
                self.values[equation.name] = self._expr(equation.expr)
            elif equation.kind == INDEX:
                self.variables[equation.name] = self._expr(equation.expr).astype(np.int64)
            elif equation.kind == REDUCE:
                self.values[equation.name] = self._reduce(equation)
            elif equation.kind in (STORE, ACCUMULATE):
                self._write(equation)
            else:
                raise KernelError(f"kernel {self.kernel.name}: unknown kind of equation {equation.kind!r}")

    def _axis(self, name: str, low: int, high: int) -> Array:
        shape = [1] * len(self.order)
        shape[self.order.index(name)] = high - low
        return np.arange(low, high, dtype=np.int64).reshape(shape)

    def _grid(self, axes: Sequence[str]) -> tuple[int, ...]:
        """The shape of the whole grid of these axes, over all dimensions."""
        return tuple(self.variables[name].size if name in axes else 1 for name in self.order)

    # -- expressions ------------------------------------------------------------------------------------------
    def _expr(self, expr: Expr) -> Array:
        if isinstance(expr, Const):
            return np.asarray(expr.value).astype(expr.dtype.numpy)
        if isinstance(expr, Ref):
            if expr.name not in self.values:
                raise KernelError(f"kernel {self.kernel.name}: {expr.name} is used before it is defined")
            return self.values[expr.name]
        if isinstance(expr, AxisValue):
            return self._aff(expr.index).astype(expr.dtype.numpy)
        if isinstance(expr, Load):
            return self._load(expr)
        arguments = [self._expr(a) for a in expr.args]
        if expr.fn == "cast":
            return arguments[0] != 0 if expr.dtype == boolean else arguments[0].astype(expr.dtype.numpy)
        return self._apply(expr, arguments)

    def _apply(self, expr: Apply, arguments: list[Array]) -> Array:
        result = np.asarray(SCALAR_OPS[expr.fn].reference(*arguments))
        return result if result.dtype == expr.dtype.numpy else result.astype(expr.dtype.numpy)

    def _aff(self, aff: Aff) -> Array:
        total: Array = np.asarray(evaluate_dim(aff.const, self.symbols), np.int64)
        for name, factor in aff.terms:
            if name not in self.variables:
                raise KernelError(f"kernel {self.kernel.name}: {name} in an index is neither an axis nor an index equation")
            total = total + self.variables[name] * evaluate_dim(factor, self.symbols)
        return total

    def _load(self, load: Load) -> Array:
        array = self.arrays[load.array]
        index = [self._aff(aff) for aff in load.index]
        if len(index) != array.ndim:
            raise KernelError(f"kernel {self.kernel.name}: {load.array} has {array.ndim} dimensions, a load gives {len(index)} indices")
        allowed: Array = np.asarray(True)
        for guard in load.guards:
            place = self._aff(guard.index)
            allowed = allowed & (place >= evaluate_dim(guard.lo, self.symbols)) & (place < evaluate_dim(guard.hi, self.symbols))
        if load.guards:
            index = [np.where(allowed, i, 0) for i in index]
            if not allowed.any():
                return self._other(load)
        self._check_bounds(load.array, array, index)
        value = np.asarray(array[tuple(index)]) if index else np.asarray(array[()])
        return np.asarray(np.where(allowed, value, self._other(load))) if load.guards else value

    def _other(self, load: Load) -> Array:
        if load.other is None:
            raise KernelError(f"kernel {self.kernel.name}: the guarded load of {load.array} does not say what else its value is")
        return np.asarray(load.other.value).astype(load.dtype.numpy)

    def _check_bounds(self, name: str, array: Array, index: list[Array]) -> None:
        for axis, (place, extent) in enumerate(zip(index, array.shape, strict=True)):
            if place.size and (place.min() < 0 or place.max() >= extent):
                raise KernelError(f"kernel {self.kernel.name}: {name} is accessed at {place.min()}..{place.max()} "
                                  f"of axis {axis}, whose extent is {extent}")

    # -- equations --------------------------------------------------------------------------------------------
    def _reduce(self, equation: Eq) -> Array:
        combine = REDUCERS[equation.op]
        largest = equation.over[0] if equation.over else ""
        size = math.prod(self._grid(equation.axes))
        extent = self.extents[largest] if largest else 1
        slab = max(1, extent * GRID_LIMIT // size) if size > GRID_LIMIT else max(1, extent)
        if size <= GRID_LIMIT or slab >= extent:
            return self._reduce_slab(equation)
        whole, total = self.variables[largest], None
        kept = {name: self.values[name] for name in self.values}
        for low in range(0, extent, slab):
            self.variables[largest] = self._axis(largest, low, min(extent, low + slab))
            cut = self.order.index(largest)
            for name, value in kept.items():
                if value.ndim and value.shape[cut] != 1:
                    self.values[name] = np.take(value, range(low, min(extent, low + slab)), axis=cut)
            part = self._reduce_slab(equation)
            total = part if total is None else combine(total, part)
        self.variables[largest] = whole
        self.values.update(kept)
        assert total is not None
        return np.asarray(total)

    def _reduce_slab(self, equation: Eq) -> Array:
        value = self._expr(equation.expr)
        grid = self._grid(equation.axes)
        dims = tuple(self.order.index(a) for a in equation.over)
        value = np.broadcast_to(value, np.broadcast_shapes(value.shape, grid))
        start = identity(equation.op, equation.expr.dtype)
        return np.asarray(REDUCERS[equation.op].reduce(value, axis=dims, keepdims=True, initial=start, dtype=value.dtype))

    def _write(self, equation: Eq) -> None:
        array = self.arrays[equation.name]
        grid = self._grid(equation.axes)
        index = [np.broadcast_to(self._aff(aff), grid) for aff in equation.index]
        if len(index) != array.ndim:
            raise KernelError(f"kernel {self.kernel.name}: {equation.name} has {array.ndim} dimensions, a store gives {len(index)} indices")
        self._check_bounds(equation.name, array, index)
        value = np.broadcast_to(self._expr(equation.expr), grid)
        if equation.kind == STORE:
            array[tuple(index)] = value if index else value.reshape(())
            return
        # numpy adds in row-major order of the grid: the axes of `over` come in their own order for every element
        outer = [self.order.index(a) for a in (*equation.over, *equation.free)]
        outer += [n for n in range(len(self.order)) if n not in outer]
        np.add.at(array, tuple(i.transpose(outer) for i in index), value.transpose(outer))
