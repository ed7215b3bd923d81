"""A user's function of one element: traced and compiled once, and run on many elements in one native call.

The function is traced for elements of the given shapes. Those of fixed shapes are run by the loop that runs training steps, one
element a step; those with an unknown first size (batches) by one call each. Random draws advance a generator of the function's own.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import random as tensor_random
from ..codegen.runtime.pool import renew_after_fork
from ..dtypes import numpy_dtype
from ..ir import build
from ..memory_order import Ordered
from ..tensor import KerasTensor, TracedTensor
from ..tracing import B, SymbolicSize, Trace, TraceError, none_shape
from .elements import Array, Element, component, flat, is_dataset, is_structure, normalized, pack, tensors
from .spec import TensorSpec

LOOP_FROM = 8  # elements from which making a native loop pays


class ElementFunction:
    """A function of elements, called on eager tensors (`eager`) or compiled (`traced`).

    what: the method and argument that it was given to, for errors.
    """

    def __init__(self, function: Callable[..., Any], what: str) -> None:
        if not callable(function):
            raise TypeError(f"{what} must be callable, received {type(function).__name__}")
        self.function, self.what = function, what
        self._draws: list[tensor_random.SeedGenerator] = []
        self.after_fork()
        renew_after_fork(self)

    def after_fork(self) -> None:
        """A thread of the parent may have held the lock."""
        self._lock = threading.Lock()

    @contextmanager
    def _own_draws(self) -> Iterator[None]:
        with tensor_random.private_draws(self._draws):
            yield

    def call(self, template: Any, leaves: Sequence[Any]) -> Any:
        """The function of an element with the given leaves; a plain tuple becomes several arguments."""
        argument = pack(template, leaves)
        result = self.function(*argument) if type(argument) is tuple else self.function(argument)
        return tuple(result) if isinstance(result, list) else result  # a list that is returned is several components, as in TensorFlow

    def eager(self, template: Any, element: Element) -> tuple[Any, Element]:
        """(structure of the result, its leaves) for one element."""
        try:
            with self._own_draws():
                result = self.call(template, tensors(element))
        except Exception as error:
            error.add_note(f"raised by {self._name()}")
            raise
        structure = normalized(result, f"the result of {self._name()}")
        return structure, flat(structure)

    def _name(self) -> str:
        code = getattr(self.function, "__code__", None)
        where = f" ({code.co_filename}:{code.co_firstlineno})" if code is not None else ""
        return f"{self.what}{where}"

    def traced(self, template: Any, specs: Sequence[Any]) -> CompiledFunction | None:
        """The function compiled for elements of these specs; None where it cannot be traced, or sizes are not known."""
        if not all(isinstance(spec, TensorSpec) and spec.shape is not None and spec.dtype != "string"
                   and not spec.dtype.is_complex and None not in spec.shape[1:] for spec in specs):
            return None
        symbolic = not all(spec.is_static for spec in specs)
        with self._lock, self._own_draws():
            try:
                return self._trace(template, specs, symbolic)
            except Exception:  # whatever tracing cannot follow: values in Python, numpy, text. Called eagerly, it works or says why not
                return None

    def _trace(self, template: Any, specs: Sequence[TensorSpec], symbolic: bool) -> CompiledFunction:
        name = getattr(self.function, "__name__", "function")
        with Trace("map." + ("lambda" if name == "<lambda>" else name)) as trace:
            values = []
            for number, spec in enumerate(specs):
                assert spec.shape is not None
                if symbolic:
                    values.append(trace.input(f"e{number}", spec.shape, spec.dtype))
                    continue
                stacked = trace.input(f"e{number}", (None, *spec.shape), spec.dtype).value
                first = build.slice(stacked, (0,) * stacked.rank, (1, *spec.shape))
                values.append(TracedTensor(build.reshape(first, tuple(spec.shape))))
            places = {id(tensor.value): number for number, tensor in enumerate(values)}
            structure = _traced_structure(self.call(template, values), trace)
            outputs, result_specs = [], []
            for number, tensor in enumerate(flat(structure)):
                result_specs.append(TensorSpec(none_shape(tensor.value.shape), tensor.dtype))
                if id(tensor.value) in places:
                    outputs.append(Output(given=places[id(tensor.value)]))
                    continue
                value = tensor.value if symbolic else build.broadcast(
                    tensor.value, (B, *tensor.value.shape), tuple(range(1, tensor.value.rank + 1)))
                trace.output(f"o{number}", TracedTensor(value))
                outputs.append(Output(f"o{number}", tuple(value.shape), numpy_dtype(tensor.dtype)))
        return CompiledFunction(trace, outputs, pack(structure, result_specs), symbolic)


@dataclass(frozen=True)
class Output:
    """A component of the result: an output of the graph, or the input number `given` itself."""

    name: str = ""
    shape: tuple[Any, ...] = ()
    dtype: Any = None
    given: int | None = None


def _traced_structure(result: Any, trace: Trace) -> Any:
    """The result with a TracedTensor at each leaf. Raises TraceError for what is none."""
    if is_structure(result):
        leaves = [_traced_structure(part, trace) for part in (result.values() if hasattr(result, "values") else result)]
        if hasattr(result, "values"):
            return type(result)(zip(result, leaves, strict=True))
        return type(result)(*leaves) if hasattr(result, "_fields") else tuple(leaves)
    if isinstance(result, TracedTensor):
        return result
    if is_dataset(result) or result is None or isinstance(result, KerasTensor):
        raise TraceError("not a value of the trace")
    if isinstance(result, SymbolicSize):
        return result.tensor()
    if isinstance(result, list) and any(isinstance(item, (TracedTensor, SymbolicSize)) for item in result):
        return TracedTensor(trace.value_of(result))
    if hasattr(result, "assign_add"):
        return trace.read(result)
    return TracedTensor(trace.capture(component(result, "a result")))


class CompiledFunction:
    """A traced function; compiled when it is first run.

    element_spec: of the results; symbolic: whether the first size of the elements is open.
    """

    def __init__(self, trace: Trace, outputs: Sequence[Output], element_spec: Any, symbolic: bool) -> None:
        self._trace, self._outputs, self.element_spec, self.symbolic = trace, outputs, element_spec, symbolic
        self._made = [output for output in outputs if output.given is None]
        self._executable: Any = None
        self._params: list[tuple[str, int, Any]] = []
        self.after_fork()
        renew_after_fork(self)

    def after_fork(self) -> None:
        """A thread of the parent may have held the lock: then the child compiles it itself."""
        self._lock = threading.Lock()

    def __call__(self, stacked: Sequence[Array], count: int) -> list[Array]:
        """The stacked results for `count` stacked elements (components [count, ...])."""
        results: dict[str, Array] = {}
        if self._made:
            executable = self._compiled()
            with self._variables.lock:
                results = self._each(executable, stacked, count) if self.symbolic else self._static(executable, stacked, count)
        return [stacked[output.given] if output.given is not None else results[output.name] for output in self._outputs]

    def _compiled(self) -> Any:
        with self._lock:
            if self._executable is None:
                from ..compiler import compile_graph

                executable = compile_graph(self._trace.graph, self._trace.graph.name)
                buffers = executable.program.buffers
                self._params = [(name, int(name[1:]), numpy_dtype(buffers[name].type.dtype))
                                for name in executable.given if buffers[name].kind == "param"]
                self._variables = Ordered(executable.program.buffers, self._trace.variables)
                self._executable = executable
            return self._executable

    def _states(self) -> dict[str, Array]:
        """The memory of its variables, as the executable wants it."""
        arrays = self._variables.arrays()
        self._variables.settle()
        return arrays

    def _static(self, executable: Any, stacked: Sequence[Array], count: int) -> dict[str, Array]:
        """Elements of fixed shapes: a step of a native loop each."""
        results = {output.name: np.empty((count, *output.shape[1:]), output.dtype) for output in self._made}
        buffers = executable.program.outputs
        given = {name: np.ascontiguousarray(stacked[number], dtype) for name, number, dtype in self._params}
        if given and count >= LOOP_FROM:
            sinks = {buffers[name]: array for name, array in results.items()}
            loop = executable.loop(given, sinks, self._states(), None, 1, threads=1)
            done = 0
            while done < count:
                done += loop.run(done, count - done, 0.05)
            return results
        arrays = self._states()
        for number in range(count):
            arrays.update({name: array[number:number + 1] for name, array in given.items()})
            arrays.update({buffers[name]: array[number:number + 1] for name, array in results.items()})
            executable.run(arrays, dict.fromkeys(executable.symbols, 1), threads=1)
        return results

    def _each(self, executable: Any, stacked: Sequence[Array], count: int) -> dict[str, Array]:
        """Elements with an open first size, equal among those given: a call each."""
        rows = next((stacked[number].shape[1] for number, spec in enumerate(self._trace.graph.params.values())
                     if spec.shape and spec.shape[0] == B), 1)
        sizes = {"B": rows}
        results = {output.name: np.empty((count, *(dim if isinstance(dim, int) else dim.evaluate(sizes) for dim in output.shape)),
                                         output.dtype) for output in self._made}
        buffers = executable.program.outputs
        given = {name: np.ascontiguousarray(stacked[number], dtype) for name, number, dtype in self._params}
        arrays = self._states()
        symbols = dict.fromkeys(executable.symbols, rows)
        for number in range(count):
            arrays.update({name: array[number] for name, array in given.items()})
            arrays.update({buffers[name]: _element(array, number) for name, array in results.items()})
            executable.run(arrays, symbols, threads=1)
        return results


def _element(array: Array, number: int) -> Array:
    return array[number] if array.ndim > 1 else array[number, ...]
