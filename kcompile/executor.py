"""Runs traced steps natively: one batch at a time, or many steps in one native call."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .compiler import compile_graph
from .dtypes import numpy_dtype
from .memory_order import Ordered, make_values
from .options import option
from .training.data import Batch
from .training.steps import LOG, Step

if TYPE_CHECKING:
    from .codegen.loop import Loop

Array = npt.NDArray[Any]


class Runner:
    """A compiled step, its variables' arrays, and arrays for the outputs it may have."""

    def __init__(self, step: Step, debug: str | None = None) -> None:
        """`debug`: "nan" watches every step for a NaN or infinity, as KCOMPILE_NAN=1 does for all."""
        self.step = step
        self.executable = compile_graph(step.graph, step.graph.name, partial(make_values, step.variables))
        self._params = {leaf.name: numpy_dtype(leaf.dtype) for leaf in step.spec.leaves()}
        self._outputs = {name: value.type for name, value in step.graph.outputs.items()}
        self._buffers: Mapping[str, str] = self.executable.program.outputs
        self._logs = {name: np.zeros((), np.float32) for name in step.logs}
        self.variables = Ordered(self.executable.program.buffers, step.variables)
        self._states = self.variables.arrays()
        self._watch = self._watching() if debug == "nan" or option("KCOMPILE_NAN") else None

    def _watching(self) -> Any:
        from .tools.nan import Watch

        return Watch(self.step.graph, self.step.variables)

    @property
    def batch_outputs(self) -> list[str]:
        """Outputs with a row for each row of the batch; none when some output has no such rows."""
        return [name for name in self._outputs if not name.startswith(LOG)]

    @property
    def is_watched(self) -> bool:
        """Whether each step is looked at for NaN."""
        return self._watch is not None

    @property
    def has_rows(self) -> bool:
        """Whether every output has one row for each row of the batch."""
        from .tracing import B

        return all(self._outputs[name].shape and self._outputs[name].shape[0] == B and not _symbols(self._outputs[name].shape[1:])
                   for name in self.batch_outputs)

    def results(self) -> dict[str, float]:
        """Results of an overridden compute_metrics, of the last step."""
        return {name: float(array) for name, array in self._logs.items()}

    def _fixed(self) -> dict[str, Array]:
        """Arrays that do not move from step to step: states and results."""
        return {**self._states, **{self._buffers[f"{LOG}{name}"]: array for name, array in self._logs.items()}}

    def run(self, batch: Batch) -> dict[str, Array]:
        """One step on a batch; the outputs by name."""
        arrays = self._fixed()
        for name, dtype in self._params.items():
            arrays[name] = np.ascontiguousarray(batch.arrays[name], dtype)
        outputs = {}
        for name in self.batch_outputs:
            kind = self._outputs[name]
            shape = tuple(dim if isinstance(dim, int) else dim.evaluate({"B": batch.rows}) for dim in kind.shape)
            outputs[name] = arrays[self._buffers[name]] = np.empty(shape, kind.dtype.numpy)
        if self._watch is not None:
            self._watch.start()
        with self.variables.lock:
            self.variables.settle()
            self.executable.run(arrays, {"B": batch.rows})
        if self._watch is not None:
            self._watch.finish(outputs, {name: arrays[name] for name in self._params}, 0, None)
        return outputs

    def loop(self, batch: Batch, order: npt.NDArray[np.int64] | None, batch_size: int) -> tuple[Any, dict[str, Array]]:
        """(a native loop over the rows of a batch in an order, the arrays that collect the rows of its outputs)."""
        feeds = {name: np.asarray(batch.arrays[name]) for name in self._params}
        rows = batch.rows if order is None else len(order)
        collected = {}
        for name in self.batch_outputs:
            kind = self._outputs[name]
            collected[name] = np.empty((rows, *(int(str(dim)) for dim in kind.shape[1:])), kind.dtype.numpy)
        sinks = {self._buffers[name]: array for name, array in collected.items()}
        loop: Any = self.executable.loop(feeds, sinks, self._fixed(), order, batch_size)
        if self.variables:
            loop = OrderedLoop(loop, self.variables)
        if self._watch is not None:
            from .tools.nan import WatchedLoop

            return WatchedLoop(loop, self._watch, feeds, self._params, collected, order, batch_size), collected
        return loop, collected


class OrderedLoop:
    """A native loop whose variables are brought into the order that it was compiled for whenever it runs."""

    def __init__(self, loop: Loop, variables: Ordered) -> None:
        self._loop, self._variables = loop, variables
        self._rested = 0.0
        self.rows, self.steps, self.feeds, self.move_to, self.stop = loop.rows, loop.steps, loop.feeds, loop.move_to, loop.stop

    def run(self, first_step: int, steps: int, budget_seconds: float = 0.05) -> int:
        with self._variables.lock:
            self._variables.settle()
            done = self._loop.run(first_step, steps, budget_seconds)
        if threading.active_count() > 1 and time.monotonic() - self._rested > REST_AFTER:
            time.sleep(PAUSE)
            self._rested = time.monotonic()
        return done


class ReadyPrediction:
    """`predict_on_batch` for one array of rows of a known shape and dtype, on a step that has run before: nothing else is looked at.

    `version`: of Structure, for which this holds.
    """

    def __init__(self, runner: Runner, version: int, fixed: int | None) -> None:
        self.version, self._runner, self._fixed = version, runner, fixed
        (leaf,) = runner.step.spec.leaves()
        (self._output,) = runner._outputs
        self._dtype, self._row, self._param = numpy_dtype(leaf.dtype), leaf.shape, leaf.name
        result = runner._outputs[self._output]
        self._result_row, self._result_dtype = tuple(int(str(dim)) for dim in result.shape[1:]), result.dtype.numpy
        self._calls: dict[int, Callable[[Array], Array]] = {}  # by the number of rows

    def takes(self, x: Any) -> bool:
        return type(x) is np.ndarray and x.dtype == self._dtype and x.shape[1:] == self._row and len(x) > 0 and x.flags.c_contiguous \
            and (self._fixed is None or self._fixed == len(x))

    def __call__(self, x: Array) -> Array:
        call = self._calls.get(len(x))
        if call is None:
            if len(self._calls) == READY_SIZES:
                self._calls.clear()
            call = self._calls[len(x)] = self._prepared(len(x))
        return call(x)

    def _prepared(self, rows: int) -> Callable[[Array], Array]:
        executable, fixed, symbols = self._runner.executable, self._runner._fixed(), {"B": rows}
        result_name = self._runner._buffers[self._output]
        place, result = np.empty((rows, *self._row), self._dtype), np.empty((rows, *self._result_row), self._result_dtype)
        if place.nbytes + result.nbytes <= COPIED_BYTES:
            copied = executable.prepare({**fixed, self._param: place, result_name: result}, (), symbols).run_copied
            return self._in_order(lambda x: copied(x, place, result))
        step = executable.prepare(fixed, (self._param, result_name), symbols).run

        def call(x: Array) -> Array:
            result = np.empty((rows, *self._result_row), self._result_dtype)
            step(x, result)
            return result
        return self._in_order(call)

    def _in_order(self, call: Callable[[Array], Array]) -> Callable[[Array], Array]:
        variables = self._runner.variables

        def ordered(x: Array) -> Array:
            with variables.lock:
                variables.settle()
                return call(x)
        return ordered if variables else call


REST_AFTER, PAUSE = 0.05, 1e-4  # seconds after which a loop leaves its variables to threads that may wait for them, and for how long
READY_SIZES = 16  # batch sizes for which calls are kept
COPIED_BYTES = 1 << 14  # of rows and results: up to so many a copy takes less time than looking up an address


def ready_prediction(runner: Runner, version: int, fixed: int | None) -> ReadyPrediction | None:
    """None where the step takes or gives anything but one array of rows, or where values have to be looked at."""
    step = runner.step
    plain = not step.ranges and runner._watch is None and not isinstance(step.spec.x, (dict, list, tuple)) \
        and isinstance(step.outputs, str) and len(runner._outputs) == 1 and runner.has_rows \
        and set(runner.executable.symbols) <= {"B"}
    return ReadyPrediction(runner, version, fixed) if plain else None


def _symbols(shape: Any) -> bool:
    return any(not isinstance(dim, int) for dim in shape)
