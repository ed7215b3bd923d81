"""KCOMPILE_NAN=1: after every step, look for a NaN or infinity that was not there; name the layer, op, step and sample it arose in.

Native code finds that there is one; the numpy reference then runs the same step again from the states before it, and the way is
followed back from the damaged result to the first op whose operands were all finite.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..codegen.changes import changed
from ..ir.evaluate import run_node
from ..ir.graph import Graph, Node, Value
from ..ir.passes.differentiate import differentiate
from ..ir.types import Dim
from ..memory_order import held

if TYPE_CHECKING:
    from ..variables import Variable

Array = npt.NDArray[Any]
SOURCES = ("param", "state")
_BATCH = Dim.symbol("B")


class NonFiniteError(FloatingPointError):
    """A NaN or infinity arose; the message names layer, op, step and sample. The states are those before the step."""


def finite(array: Array) -> bool:
    """Whether there is neither NaN nor infinity; True for integers."""
    if array.dtype.kind in "biuOUS":
        return True
    return bool(np.isfinite(array.astype(np.float32) if array.dtype.name == "bfloat16" else array).all())


class Watch:
    """Watches the steps of one runner. `variables`: those of the step, by path."""

    def __init__(self, graph: Graph, variables: Mapping[str, Variable]) -> None:
        self.graph, self.variables = graph, variables
        self.before: dict[str, Array] = {}

    @property
    def states(self) -> dict[str, Array]:
        """The arrays that native code writes, row by row."""
        return {path: variable.array for path, variable in self.variables.items()}

    def start(self) -> None:
        with held(self.variables.values()):
            self.before = {path: array.copy() for path, array in self.states.items()}

    def finish(self, outputs: Mapping[str, Array], params: Mapping[str, Array], step: int, rows: npt.NDArray[np.int64] | None) -> None:
        """Raises NonFiniteError, after putting the states back, when the step made something that is not finite.

        `params`: the batch it ran on; `rows`: where in the data its samples lie (None: nobody knows)."""
        with held(self.variables.values()):
            self._look(outputs, params, step, rows)

    def _look(self, outputs: Mapping[str, Array], params: Mapping[str, Array], step: int, rows: npt.NDArray[np.int64] | None) -> None:
        states = self.states
        damaged = [f"output {name}" for name, array in outputs.items() if not finite(array)]
        damaged += [f"state {path}" for path, array in states.items() if not finite(array) and finite(self.before[path])]
        if not damaged:
            return
        for path, array in states.items():
            array[...] = self.before[path]
        changed()
        raise NonFiniteError(f"step {step} of {self.graph.name}: {self.explain(params, rows)}; it reached {damaged[0]}"
                             + (f" and {len(damaged) - 1} more" if len(damaged) > 1 else ""))

    def explain(self, params: Mapping[str, Array], rows: npt.NDArray[np.int64] | None) -> str:
        found = first_non_finite(self.graph, params, self.before)
        if found is None:
            return "native code made a NaN or infinity that the reference does not make (`kcompile verify` checks each op)"
        value, array = found
        bad = ~np.isfinite(array.astype(np.float64))
        place = tuple(int(n) for n in np.argwhere(bad)[0])
        what = "NaN" if np.isnan(array.astype(np.float64)[place]) else "an infinity"
        node = value.node
        sample = ""
        if place and value.shape[0] == _BATCH:
            sample = f", sample {place[0]} of the batch" + (f" (row {int(rows[place[0]])} of the data)" if rows is not None else "")
        if node.op.name in SOURCES:
            name = node.attrs.get("name") or node.attrs.get("path")
            return f"{node.op.name} {name!r} itself holds {what}{sample}"
        source = f" ({node.source})" if node.source else ""
        return f"{what} first arose in layer {node.path or '(top)'}, op {node.op.name}{source}{sample}, element {list(place)}"


def first_non_finite(graph: Graph, params: Mapping[str, Array], states: Mapping[str, Array]) -> tuple[Value, Array] | None:
    """The first value on the way to a root that is not finite although all its operands are; None when all roots are finite."""
    graph = differentiate(graph)
    values: dict[Value, Array] = {v: np.asarray(params[name]) for name, v in graph.params.items()}
    values.update({v: np.asarray(states[path]) for path, v in graph.states.items()})
    symbols = {"B": next((len(params[name]) for name, v in graph.params.items() if v.shape and v.shape[0] == _BATCH), 1)}
    with np.errstate(all="ignore"):
        for node in graph.nodes():
            if node.op.name not in SOURCES:
                values.update(zip(node.outputs, run_node(node, [values[v] for v in node.inputs], symbols), strict=True))
    waiting = [v for v in graph.roots() if not finite(values[v])]
    origins: list[tuple[int, Value]] = []
    order: dict[Node, int] = {node: n for n, node in enumerate(graph.nodes())}
    seen: set[Value] = set()
    while waiting:
        value = waiting.pop()
        if value in seen:
            continue
        seen.add(value)
        causes = [v for v in value.node.inputs if not finite(values[v])]
        if causes:
            waiting += causes
        else:
            origins.append((order[value.node], value))
    if not origins:
        return None
    _, value = min(origins, key=lambda pair: pair[0])
    return value, values[value]


class WatchedLoop:
    """A native loop that is watched: one step a call."""

    def __init__(self, loop: Any, watch: Watch, feeds: Mapping[str, Array], dtypes: Mapping[str, Any], collected: Mapping[str, Array],
                 order: npt.NDArray[np.int64] | None, batch_size: int) -> None:
        self.loop, self.watch, self.feeds, self.dtypes, self.collected = loop, watch, feeds, dtypes, collected
        self.order, self.batch_size = order, batch_size

    def run(self, first_step: int, steps: int, budget_seconds: float = 0.05) -> int:
        """One step of `steps`. Raises NonFiniteError."""
        self.watch.start()
        self.loop.run(first_step, 1, budget_seconds)
        rows = next(iter(self.feeds.values())).shape[0] if self.order is None else len(self.order)
        part = slice(first_step * self.batch_size, min(rows, (first_step + 1) * self.batch_size))
        chosen = np.arange(part.start, part.stop) if self.order is None else self.order[part]
        params = {name: np.ascontiguousarray(feed[chosen], self.dtypes[name]) for name, feed in self.feeds.items()}
        self.watch.finish({name: array[part] for name, array in self.collected.items()}, params, first_step, chosen)
        return 1

    def stop(self) -> None:
        self.loop.stop()
