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

import functools
import inspect
import os
import re
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from . import tree
from .dtypes import ir_dtype
from .ir import build
from .ir import ops as _primitives  # noqa: F401 - fills the registry of primitives
from .ir.graph import Graph, Value
from .ir.types import Dim, DimLike, TensorType
from .tensor import KerasTensor, Tensor, TracedTensor, as_array

if TYPE_CHECKING:
    from .variables import Variable

B = Dim.symbol("B")
INLINE_LIMIT = 64  # a captured array of at most so many elements is written into the graph, a larger one becomes a state


class TraceError(TypeError):
    """A use of a traced tensor that the graph under construction cannot hold."""


# -- shapes -------------------------------------------------------------------------------------------------------
def none_shape(shape: Sequence[DimLike]) -> tuple[int | None, ...]:
    """What the user sees of a graph shape: None in place of every symbolic size."""
    return tuple(None if isinstance(dim, Dim) else dim for dim in shape)


def symbol_shape(shape: Sequence[Any], prefix: str = "dim") -> tuple[DimLike, ...]:
    """The graph shape of a user's shape: a leading None is the batch `B`, another None a symbol of its own."""
    stem = re.sub(r"\W", "_", prefix) or "dim"
    stem = stem if stem[0].isalpha() else f"d{stem}"
    return tuple(dim if isinstance(dim, Dim) else int(dim) if dim is not None else B if axis == 0 else Dim.symbol(f"{stem}_{axis}")
                 for axis, dim in enumerate(shape))


class SymbolicSize:
    """A size that is not known while tracing, such as `ops.shape(x)[0]`: works in shapes and in integer arithmetic.

    Beside a tensor, or where a size has no exact polynomial form, it turns into a traced int32 scalar.
    """

    __slots__ = ("dim",)
    __array_ufunc__ = None

    def __init__(self, dim: Dim) -> None:
        self.dim = dim

    def tensor(self, dtype: Any = "int32") -> TracedTensor:
        """The size as a traced scalar."""
        return TracedTensor(build.dim_size(require_trace("a symbolic size").graph, self.dim, ir_dtype(dtype)))

    def _combine(self, other: Any, name: str, reflected: bool) -> Any:
        if isinstance(other, (int, np.integer, SymbolicSize)) and not isinstance(other, bool):
            right: Any = other.dim if isinstance(other, SymbolicSize) else int(other)
            a, b = (right, self.dim) if reflected else (self.dim, right)
            try:
                return size_of(_DIM_ARITHMETIC[name](a, b))
            except TypeError:  # no polynomial: computed at run time
                pass
        from . import ops

        a, b = (other, self.tensor()) if reflected else (self.tensor(), other)
        return getattr(ops, name)(a, b)

    def __add__(self, other: Any) -> Any:
        return self._combine(other, "add", False)

    def __radd__(self, other: Any) -> Any:
        return self._combine(other, "add", True)

    def __sub__(self, other: Any) -> Any:
        return self._combine(other, "subtract", False)

    def __rsub__(self, other: Any) -> Any:
        return self._combine(other, "subtract", True)

    def __mul__(self, other: Any) -> Any:
        return self._combine(other, "multiply", False)

    def __rmul__(self, other: Any) -> Any:
        return self._combine(other, "multiply", True)

    def __floordiv__(self, other: Any) -> Any:
        return self._combine(other, "floor_divide", False)

    def __rfloordiv__(self, other: Any) -> Any:
        return self._combine(other, "floor_divide", True)

    def __mod__(self, other: Any) -> Any:
        return self._combine(other, "mod", False)

    def __truediv__(self, other: Any) -> Any:
        from . import ops

        return ops.divide(self.tensor(), other)

    def __rtruediv__(self, other: Any) -> Any:
        from . import ops

        return ops.divide(other, self.tensor())

    def __neg__(self) -> Any:
        return self * -1

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SymbolicSize) and other.dim == self.dim

    def __hash__(self) -> int:
        return hash(self.dim)

    def _unknown(self, *_: Any) -> Any:
        where = user_source()
        raise TraceError(f"{where + ': ' if where else ''}the size {self.dim} is not known while the model is traced, so it has no "
                         "Python value; use it in ops (ops.reshape, ops.zeros, ops.cast, ...)")

    __lt__ = __le__ = __gt__ = __ge__ = __int__ = __index__ = __float__ = _unknown

    def __repr__(self) -> str:
        return f"<size {self.dim}>"


_DIM_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "add": lambda a, b: a + b, "subtract": lambda a, b: a - b, "multiply": lambda a, b: a * b,
    "floor_divide": lambda a, b: a // b, "mod": lambda a, b: a % b,
}


def size_of(dim: DimLike) -> int | SymbolicSize:
    """A dimension as the user handles it."""
    return SymbolicSize(dim) if isinstance(dim, Dim) else int(dim)


def dim_of(size: Any) -> DimLike:
    """The dimension of an int, a SymbolicSize or an eager integer scalar. Raises TypeError."""
    if isinstance(size, SymbolicSize):
        return size.dim
    if isinstance(size, Dim):
        return size
    if isinstance(size, KerasTensor):
        size._refuse("a size that is computed from data cannot be part of a shape")
    if isinstance(size, (float, np.floating)) and float(size).is_integer():
        return int(size)
    return int(size.__index__())


# -- the trace ----------------------------------------------------------------------------------------------------
class _Stack(threading.local):
    def __init__(self) -> None:
        self.traces: list[Trace | None] = [None]


_stack = _Stack()


def current_trace() -> Trace | None:
    """The innermost open trace of this thread, or None."""
    return _stack.traces[-1]


def in_trace() -> bool:
    return _stack.traces[-1] is not None


def require_trace(what: str) -> Trace:
    """The current trace; raises TraceError where there is none."""
    trace = _stack.traces[-1]
    if trace is None:
        raise TraceError(f"{what} was used outside the trace it belongs to")
    return trace


@contextmanager
def eager_scope() -> Iterator[None]:
    """Inside, no trace is open: operations are eager and variables act at once (initial values are made so)."""
    _stack.traces.append(None)
    try:
        yield
    finally:
        _stack.traces.pop()


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
        _stack.traces.append(self)
        return self

    def __exit__(self, *exception: object) -> None:
        _stack.traces.pop()

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
            kind = TensorType(tuple(variable.array.shape), ir_dtype(variable.array.dtype))
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
        import networkx as nx

        value = self.value_of(result)
        source = self._current[self.state_path(variable)]
        return source.node is value.node or nx.has_path(self.graph.digraph, source.node, value.node)


_PACKAGE = os.path.dirname(os.path.abspath(__file__)) + os.sep
_INSIDE: dict[Any, bool] = {}


def _is_ours(code: Any) -> bool:
    found = _INSIDE.get(code)
    if found is None:
        name = code.co_filename
        found = _INSIDE[code] = name.startswith((_PACKAGE, "<frozen")) or name == contextmanager.__code__.co_filename
    return found


def user_source(traceback: Any = None) -> str:
    """'file:line' of the innermost frame outside kcompile, '' if there is none.

    Inside a layer's call no frame below the call counts: the layer's own line stands for its code. With a traceback, the
    line of its innermost user frame.
    """
    if traceback is not None:
        found = ""
        while traceback is not None:
            if not _is_ours(traceback.tb_frame.f_code):
                found = f"{traceback.tb_frame.f_code.co_filename}:{traceback.tb_lineno}"
            traceback = traceback.tb_next
        return found
    frame: Any = sys._getframe(1)
    trace = _stack.traces[-1]
    floor, line = trace._floors[-1] if trace is not None and trace._floors else (None, "")
    while frame is not None:
        if not _is_ours(frame.f_code):
            return f"{frame.f_code.co_filename}:{frame.f_lineno}"
        if frame is floor:
            return line
        frame = frame.f_back
    return ""


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


# -- operations ---------------------------------------------------------------------------------------------------
Function = TypeVar("Function", bound=Callable[..., Any])
TRACED, SYMBOLIC, EAGER = "traced", "symbolic", "eager"


def mode_of(values: Any) -> str:
    """How to run on these arguments: SYMBOLIC if a KerasTensor is among them, TRACED if something of the trace is."""
    trace = _stack.traces[-1]
    mode = EAGER
    for value in values:
        kind = type(value)
        if kind is TracedTensor or kind is SymbolicSize:
            mode = TRACED
        elif kind in (list, tuple) or isinstance(value, (list, tuple)):  # a layer's tracked list among them
            inner = mode_of(value)
            if inner == SYMBOLIC:
                return SYMBOLIC
            mode = inner if inner == TRACED else mode
        elif isinstance(value, KerasTensor):
            if isinstance(value, TracedTensor):
                mode = TRACED
            else:
                return SYMBOLIC
        elif trace is not None and hasattr(value, "assign_add"):
            mode = TRACED
        elif isinstance(value, dict):
            inner = mode_of(value.values())
            if inner == SYMBOLIC:
                return SYMBOLIC
            mode = inner if inner == TRACED else mode
    if mode == TRACED and trace is None:
        raise TraceError("a tensor of a finished trace was used again: a layer must not keep tensors of one call for the next "
                         "(use a Variable, or return the tensor)")
    return mode


class Body:
    """A function under `@operation`: its plain body, and which of its parameters are tensors."""

    def __init__(self, function: Callable[..., Any], tensors: str | None, composite: bool, creates: bool) -> None:
        self.function = function
        self.name = function.__name__
        self.composite = composite
        self.creates = creates
        parameters = list(inspect.signature(function).parameters.values())
        self.names = [p.name for p in parameters if p.kind is not inspect.Parameter.VAR_POSITIONAL]
        self.variadic = next((i for i, p in enumerate(parameters) if p.kind is inspect.Parameter.VAR_POSITIONAL), None)
        if tensors is None:
            leading = [p.name for p in parameters if p.default is inspect.Parameter.empty]
            self.tensors = frozenset(() if creates else leading)
        else:
            self.tensors = frozenset(tensors.split())

    def tensor_position(self, position: int) -> bool:
        """Whether the argument at a position is a tensor (or a structure of tensors)."""
        if self.variadic is not None and position >= self.variadic:
            return True
        return position < len(self.names) and self.names[position] in self.tensors


def operation(function: Function | None = None, *, tensors: str | None = None, composite: bool = False, creates: bool = False) -> Any:
    """Make a function on traced tensors work in a trace, on KerasTensors, and eagerly.

    tensors    the names of the parameters that are tensors; without it, those that have no default. The others are
               static: Python values that the graph is specialised on
    composite  run the body as it is in eager mode too (it calls other operations), instead of tracing it as one graph
    creates    it has no tensor operand (zeros, arange, ...): in a trace it is always traced
    """
    if function is None:
        return functools.partial(operation, tensors=tensors, composite=composite, creates=creates)
    body = Body(function, tensors, composite, creates)

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        mode = mode_of(args)
        if kwargs and mode != SYMBOLIC:
            other = mode_of(kwargs.values())
            mode = other if other != EAGER else mode
        if mode == SYMBOLIC:
            from .operation import record

            return record(body, call, args, kwargs)
        trace = _stack.traces[-1]
        if mode == TRACED or (creates and trace is not None):
            trace.graph.set_source(user_source())  # type: ignore[union-attr]
            return function(*args, **kwargs)
        if composite:
            return function(*args, **kwargs)
        from . import eager

        return eager.run(body, args, kwargs)

    call.body = body  # type: ignore[attr-defined]
    return call
