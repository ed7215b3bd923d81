"""Runs a nest, at any stage of its schedule, on numpy arrays: slow, element by element, and exact about bounds.

The oracle of the scheduling steps: whatever a step does, this gives the same values (sums may be grouped otherwise).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from ..ir.scalar import REDUCERS, SCALAR_OPS, Aff, Apply, AxisValue, Const, Expr, Guard, Load, Ref, vanishing
from ..ir.types import DType, bf16, evaluate_dim, f16, f32
from .nest import FOR, VECTOR, Acc, Accum, Errand, Fold, Let, Loop, Nest, Prefetch, Stmt, Store, Transpose, identity

Array = npt.NDArray[Any]
Key = tuple[int, ...]


def interpret(nest: Nest, arrays: Mapping[str, Array], symbols: Mapping[str, int]) -> None:
    """Executes the nest; written arrays (C-contiguous) are changed in place. Raises IndexError for an access outside an array."""
    with np.errstate(all="ignore"):
        interpreter = _Interpreter(nest, arrays, symbols)
        for panel in nest.panels.values():
            interpreter.body(panel.body)
        interpreter.body(nest.body)


@dataclass
class _Values:
    """What a name holds, for each setting of the unrolled variables that it was defined under."""

    over: tuple[str, ...]
    values: dict[Key, Any] = field(default_factory=dict)
    acc: Acc | None = None


class _Interpreter:
    def __init__(self, nest: Nest, arrays: Mapping[str, Array], symbols: Mapping[str, int]) -> None:
        self.nest, self.symbols = nest, symbols
        self.memory: dict[str, Array] = {name: arrays[name].reshape(-1) for name in nest.arrays}
        panels = {name: (panel.dtype, panel.elements) for name, panel in nest.panels.items()}
        for name, (dtype, size) in {**nest.scratch, **panels}.items():
            self.memory[name] = np.full(size, np.nan if dtype.is_float else 0, dtype.numpy)
        self.variables: dict[str, int] = {}  # as indices see them: in dead iterations, the last live value
        self.unrolled: dict[str, int] = {}  # as accumulators and lets see them
        self.dead: dict[str, str] = {}  # variables whose iteration is dead, with the mode of their loop
        self.named: dict[str, _Values] = {}

    def body(self, body: tuple[Stmt, ...]) -> None:
        for stmt in body:
            match stmt:
                case Loop():
                    self.loop(stmt)
                case Acc():
                    first = np.asarray(identity(stmt.op, stmt.dtype)).astype(_compute(stmt.dtype).numpy)[()]
                    ranges = [range(d.extent) for d in stmt.dims]
                    self.named[stmt.name] = _Values(tuple(d.var for d in stmt.dims), dict.fromkeys(product(*ranges), first), stmt)
                case Accum():
                    self.accumulate(stmt)
                case Fold():
                    self.fold(stmt)
                case Let():
                    self.define(stmt.name, self.value(stmt.expr))
                case Store():
                    self.store(stmt)
                case Transpose():
                    self.transpose(stmt)
                case Prefetch() | Errand():
                    pass  # of no effect on values, wherever it points

    def loop(self, loop: Loop) -> None:
        extent = evaluate_dim(loop.extent, self.symbols)
        limit = evaluate_dim(loop.clip.extent, self.symbols) - self.aff(loop.clip.base) if loop.clip else extent
        values = list(range(0, extent, loop.most or loop.step))[::-1 if loop.backwards else 1]
        if loop.middle:
            self.variables[loop.middle] = values[(len(values) - 1) // 2] if values else 0
        for value in values:
            if loop.takes:
                self.variables[loop.takes] = min(loop.most, extent - value)
            live = value < limit
            if not live and loop.mode == FOR:
                break
            self.variables[loop.var] = value if live else limit - 1
            if loop.where and not self.holds(loop.where):
                continue
            if loop.back:
                self.variables[loop.back] = min(value, loop.last_whole)
            if loop.mode != FOR:
                self.unrolled[loop.var] = value // loop.step
            if not live:
                self.dead[loop.var] = loop.mode
            self.body(loop.body)
            self.dead.pop(loop.var, None)
        self.unrolled.pop(loop.var, None)

    def accumulate(self, stmt: Accum) -> None:
        block = self.named[stmt.name]
        assert block.acc
        zero = block.acc.op == "add" and not all(self.holds(g) for g in vanishing(stmt.expr))
        if not zero and not any(v in self.dead for v in block.acc.folded):
            key = self.key(block)
            block.values[key] = REDUCERS[block.acc.op](block.values[key], self.value(stmt.expr))

    def fold(self, stmt: Fold) -> None:
        source = self.named[stmt.source]
        assert source.acc
        ranges = [range(d.extent) if d.var in stmt.over else (min(self.unrolled[d.var], d.extent - 1),) for d in source.acc.dims]
        parts = [source.values[key] for key in product(*ranges)]
        while len(parts) > 1:
            pairs = [REDUCERS[source.acc.op](a, b) for a, b in zip(parts[::2], parts[1::2], strict=False)]
            parts = pairs + (parts[-1:] if len(parts) % 2 else [])
        self.define(stmt.name, parts[0])

    def store(self, stmt: Store) -> None:
        if self.dead:
            return
        array, at = self.memory[stmt.array], self.aff(stmt.index)
        self.check(stmt.array, at)
        value = self.value(stmt.expr)
        array[at] = (array[at] + value if stmt.accumulate else value)

    def transpose(self, stmt: Transpose) -> None:
        if self.dead:
            return
        for lane in range(stmt.count):
            for column in range(stmt.width):
                self.variables.update({stmt.lanes: lane, stmt.columns: column})
                self.unrolled.update({stmt.lanes: lane, stmt.columns: column})
                clips = ((stmt.lane_clip, lane), (stmt.column_clip, column))
                if all(c is None or self.aff(c.base) + n < evaluate_dim(c.extent, self.symbols) for c, n in clips):
                    at = self.aff(stmt.index)
                    self.check(stmt.array, at)
                    self.memory[stmt.array][at] = self.look_up(stmt.value)
        for var in (stmt.lanes, stmt.columns):
            del self.unrolled[var]

    # Names

    def define(self, name: str, value: Any) -> None:
        over = tuple(self.unrolled)
        if name not in self.named or self.named[name].over != over or self.named[name].acc:
            self.named[name] = _Values(over)
        self.named[name].values[self.key(self.named[name])] = value

    def key(self, values: _Values) -> Key:
        return tuple(self.unrolled[v] for v in values.over)

    def look_up(self, name: str) -> Any:
        return self.named[name].values[self.key(self.named[name])]

    # Expressions

    def aff(self, aff: Aff) -> int:
        total: int = evaluate_dim(aff.const, self.symbols)
        for name, factor in aff.terms:
            value: int = self.variables[name] if name in self.variables else int(self.look_up(name))
            total += evaluate_dim(factor, self.symbols) * value
        return total

    def check(self, array: str, at: int) -> None:
        size = self.memory[array].size
        if not 0 <= at < size:
            raise IndexError(f"nest {self.nest.name}: {array}[{at}] of {size} elements, at {self.variables}")

    def value(self, expr: Expr) -> Any:
        match expr:
            case Const():
                return np.asarray(expr.value).astype(expr.dtype.numpy).astype(_compute(expr.dtype).numpy)[()]
            case Ref():
                return self.look_up(expr.name)
            case AxisValue():
                return np.asarray(self.aff(expr.index)).astype(expr.dtype.numpy)[()]
            case Load():
                return self.load(expr)
            case Apply(fn="cast"):
                x = np.asarray(self.value(expr.args[0]))
                return x.astype(expr.dtype.numpy).astype(_compute(expr.dtype).numpy)[()]
            case Apply():
                result = SCALAR_OPS[expr.fn].reference(*(self.value(a) for a in expr.args))
                return np.asarray(result).astype(_compute(expr.dtype).numpy)[()]

    def holds(self, guard: Guard) -> bool:
        return bool(evaluate_dim(guard.lo, self.symbols) <= self.aff(guard.index) < evaluate_dim(guard.hi, self.symbols))

    def load(self, load: Load) -> Any:
        if not all(self.holds(g) for g in load.guards) or VECTOR in self.dead.values():
            return self.value(load.other or Const(0, load.dtype))
        at = self.aff(load.index[0])
        self.check(load.array, at)
        return self.memory[load.array][at].astype(_compute(load.dtype).numpy)


def _compute(dtype: DType) -> DType:
    return f32 if dtype in (f16, bf16) else dtype


