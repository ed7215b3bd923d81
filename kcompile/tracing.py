"""Tracing: running Python code on symbolic values to build a graph.

    with Trace("step") as trace:
        x = trace.input("x", (None, 784), "float32")
        y = model(x)
        trace.output("y", y)
    trace.graph, trace.variables

A function under `@operation` is written once, on traced tensors, and works in three modes: in a trace, on symbolic
KerasTensors (recorded as an operation of a functional model), and eagerly.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from . import tree
from .conversion import as_array
from .dispatch import EAGER, SYMBOLIC, TRACED, Body, mode_of, operation
from .dtypes import ir_dtype
from .ir import build
from .ir import ops as _primitives  # noqa: F401 - fills the registry of primitives
from .ir.graph import Graph, Value
from .ir.types import TensorType
from .symbols import B, SymbolicSize, dim_of, none_shape, size_of, symbol_shape
from .tensor import KerasTensor, Tensor, TracedTensor
from .trace_state import TraceError, current_trace, eager_scope, in_trace, require_trace, stack, user_source

if TYPE_CHECKING:
    from .variables import Variable

__all__ = [
    "EAGER", "SYMBOLIC", "TRACED", "B", "Body", "SymbolicSize", "Trace", "TraceError", "compute_output_spec", "current_trace", "dim_of",
    "eager_scope", "gradients", "in_trace", "mode_of", "none_shape", "operation", "require_trace", "scratch_trace", "size_of",
    "symbol_shape", "user_source",
]

INLINE_LIMIT = 64  # a captured array of at most so many elements is written into the graph, a larger one becomes a state


class Trace:
    """A graph under construction and the variables it reads and assigns.

    graph       the ir Graph
    variables   path of a state -> Variable (captured arrays among them, with role "constant")
    """

    def __init__(self, name: str = "graph") -> None:
        self.graph = Graph(name)
        self.variables: dict[str, Variable] = {}
        self._paths: dict[int, str] = {}  # id of a variable -> path of its state
        self._current: dict[str, Value] = {}  # path -> value now, after assignments
        self._captured: dict[int, tuple[Any, Value]] = {}  # id -> (what was captured, kept alive; its value)
        self._floors: list[tuple[Any, str]] = []  # frames below which no user frame is looked for, and the line to name then

    def __enter__(self) -> Trace:
        stack.traces.append(self)
        return self

    def __exit__(self, *exception: object) -> None:
        stack.traces.pop()

    # -- inputs and outputs ---------------------------------------------------------------------------------
    def input(self, name: str, shape: Sequence[Any], dtype: Any) -> TracedTensor:
        """A value given at each call. None at axis 0 is the batch `B`; elsewhere a symbol of the input's own."""
        if name in self.graph.params:
            raise ValueError(f"the trace has an input named {name!r} already")
        return TracedTensor(build.param(self.graph, name, TensorType(symbol_shape(shape, name), ir_dtype(dtype))), name)

    def output(self, name: str, tensor: Any) -> None:
        """Enter a result of the graph."""
        if name in self.graph.outputs:
            raise ValueError(f"the trace has an output named {name!r} already")
        self.graph.outputs[name] = self.value_of(tensor)

    def value_of(self, tensor: Any) -> Value:
        """The ir Value of a traced tensor, variable, number, array or size."""
        if isinstance(tensor, TracedTensor):
            if tensor.value.graph is not self.graph:
                raise TraceError(f"{tensor!r} was made in another trace; a layer must not keep tensors of one call for the next "
                                 "(use a Variable, or return the tensor)")
            return tensor.value
        if isinstance(tensor, KerasTensor):
            raise TraceError(f"{tensor!r} is a symbolic tensor of a functional model, not a value of this trace")
        if isinstance(tensor, SymbolicSize):
            return tensor.tensor().value
        if hasattr(tensor, "assign_add"):
            value: Value = tensor.value.value
            return value
        if isinstance(tensor, (list, tuple)) and any(isinstance(leaf, (KerasTensor, SymbolicSize)) for leaf in tree.flatten(tensor)):
            from . import ops

            stacked: Value = ops.stack(list(tensor)).value
            return stacked
        return self.capture(tensor)

    def capture(self, value: Any) -> Value:
        """A constant of the graph. Large arrays become states of role "constant", one for each array."""
        key = id(value)
        if key in self._captured:
            return self._captured[key][1]
        array = as_array(value)
        dtype = ir_dtype(array.dtype)
        if array.size <= INLINE_LIMIT:
            return build.constant(self.graph, array[()] if array.ndim == 0 else array, TensorType(array.shape, dtype))
        first = array.reshape(-1)[0]
        if bool((array == first).all()):
            return build.constant(self.graph, first, TensorType(array.shape, dtype))
        from .variables import Variable

        with eager_scope():
            constant = Variable(array, trainable=False, autocast=False, role="constant", name="constant",
                                path=f"constant/{len(self._captured)}")
        found = self._state(constant)
        self._captured[key] = (value, found)
        return found

    # -- variables ------------------------------------------------------------------------------------------
    def _state(self, variable: Variable) -> Value:
        path = self._paths.get(id(variable))
        if path is None:
            path, count = variable.path, 0
            while path in self.variables:
                count += 1
                path = f"{variable.path}_{count}"
            self._paths[id(variable)] = path
            self.variables[path] = variable
            kind = TensorType(tuple(variable._shape), ir_dtype(variable._dtype))
            self._current[path] = build.state(self.graph, path, variable.role, kind)
        return self.graph.states[path]

    def state_path(self, variable: Variable) -> str:
        """The path of the variable's state in this graph; entered if it was not there yet."""
        self._state(variable)
        return self._paths[id(variable)]

    def read(self, variable: Variable) -> TracedTensor:
        """The variable's value at this point of the trace, in its own dtype."""
        return TracedTensor(self._current[self.state_path(variable)])

    def assign(self, variable: Variable, value: Any) -> None:
        """Record the value that the variable has from here on; it is cast to the variable's dtype.

        Raises ValueError for another shape.
        """
        path = self.state_path(variable)
        new = build.cast(self.value_of(value), self.graph.states[path].dtype)
        wanted = self.graph.states[path].shape
        if new.shape != wanted:
            raise ValueError(
                "The shape of the target variable and the shape of the target value in `variable.assign(value)` must match. "
                f"variable.shape={tuple(wanted)}, Received: value.shape={none_shape(new.shape)}. Target variable: {variable!r}")
        self._current[path] = new
        self.graph.updates[path] = new

    # -- where nodes come from ------------------------------------------------------------------------------
    @contextmanager
    def scope(self, name: str, source: str | None = None) -> Iterator[None]:
        """A layer's call: nodes made inside carry its name.

        `source`: the line to name for what the layer's own (kcompile's) code does; without it, the line that is running
        now. Code of the user that the layer calls still names its own lines.
        """
        line = user_source() if source is None else source
        self._floors.append((sys._getframe(2), line))
        self.graph.set_source(line)
        try:
            with self.graph.scope(name):
                yield
        finally:
            self._floors.pop()
            self.graph.set_source(self._floors[-1][1] if self._floors else "")

    @contextmanager
    def line(self, source: str) -> Iterator[None]:
        """kcompile's own code inside (a recorded call that runs again) names this line; the user's code still names its own."""
        self._floors.append((sys._getframe(2), source))
        self.graph.set_source(source)
        try:
            yield
        finally:
            self._floors.pop()
            self.graph.set_source(self._floors[-1][1] if self._floors else "")

    def locate(self) -> None:
        """Set the source line of the nodes that follow to the line of the user's that is running."""
        self.graph.set_source(user_source())

    # -- gradients ------------------------------------------------------------------------------------------
    def depends(self, result: Any, variable: Variable) -> bool:
        """Whether a traced value is computed from a variable."""
        source = self._current[self.state_path(variable)].node
        waiting, seen = [self.value_of(result).node], set()
        while waiting:
            node = waiting.pop()
            if node is source:
                return True
            if node not in seen:
                seen.add(node)
                waiting.extend(value.node for value in node.inputs)
        return False


def gradients(loss: Any, variables: Sequence[Any]) -> list[TracedTensor]:
    """The derivatives of a traced scalar by variables (or traced tensors); zeros where the loss does not depend on one."""
    trace = require_trace("gradients")
    weights = [trace.value_of(v) if isinstance(v, KerasTensor) else trace.read(v).value for v in variables]
    if not weights:
        return []
    return [TracedTensor(value) for value in build.gradient(trace.value_of(loss), weights)]


# -- shapes without values ----------------------------------------------------------------------------------------
@contextmanager
def scratch_trace(name: str = "scratch") -> Iterator[Trace]:
    """A trace that is thrown away: for the shapes and dtypes of results. Assignments inside have no effect."""
    with Trace(name) as trace:
        yield trace


_PROBES = (384, 480)  # sizes put in place of an unknown dimension that is no batch; both divide by 96


def compute_output_spec(fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """What `fn` would return, as KerasTensors: it runs in a scratch trace. Arguments may hold KerasTensors at any depth.

    An unknown size other than the batch is probed with two sizes: where the results differ, the result's size is unknown.
    """
    tensors = [leaf for leaf in tree.flatten((args, kwargs)) if isinstance(leaf, KerasTensor)]
    probes: tuple[int, ...] = _PROBES if any(None in tensor.shape[1:] for tensor in tensors) else _PROBES[:1]
    specs = []
    for probe in probes:
        with scratch_trace() as trace:
            count = iter(range(sys.maxsize))
            entered: dict[int, TracedTensor] = {}

            def enter(leaf: Any, trace: Trace = trace, probe: int = probe, count: Iterator[int] = count,
                      entered: dict[int, TracedTensor] = entered) -> Any:
                if not isinstance(leaf, KerasTensor):
                    return leaf
                if id(leaf) not in entered:
                    shape = tuple(probe if dim is None and axis else dim for axis, dim in enumerate(leaf.shape))
                    entered[id(leaf)] = trace.input(f"in{next(count)}", shape, leaf.dtype)
                    if hasattr(leaf, "_keras_mask"):
                        entered[id(leaf)]._keras_mask = enter(leaf._keras_mask)  # type: ignore[attr-defined]
                return entered[id(leaf)]

            traced_args, traced_kwargs = tree.map_structure(enter, (args, kwargs))
            result = fn(*traced_args, **traced_kwargs)
            specs.append(tree.map_structure(lambda leaf: _spec(leaf, trace), result))
    return specs[0] if len(specs) == 1 else tree.map_structure(_common_spec, *specs)


def _spec(leaf: Any, trace: Trace) -> Any:
    if isinstance(leaf, (TracedTensor, SymbolicSize)) or hasattr(leaf, "assign_add"):
        value = trace.value_of(leaf)
        return KerasTensor(none_shape(value.shape), TracedTensor(value).dtype)
    return KerasTensor(leaf.shape, leaf.dtype) if isinstance(leaf, Tensor) else leaf


def _common_spec(a: Any, b: Any) -> Any:
    if not isinstance(a, KerasTensor):
        return a
    return KerasTensor(tuple(m if m == n else None for m, n in zip(a.shape, b.shape, strict=True)), a.dtype)
