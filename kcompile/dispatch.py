"""The decorator of operations: one body, run in a trace, recorded on KerasTensors, or evaluated eagerly."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar, overload

from .symbols import SymbolicSize
from .tensor import KerasTensor, TracedTensor
from .trace_state import TraceError, stack, user_source

Function = TypeVar("Function", bound=Callable[..., Any])
TRACED, SYMBOLIC, EAGER = "traced", "symbolic", "eager"
_PLAIN = frozenset({int, float, bool, str, type(None)})  # of which many are given and none says how to run


def mode_of(values: Any) -> str:
    """How to run on these arguments: SYMBOLIC if a KerasTensor is among them, TRACED if something of the trace is."""
    trace = stack.traces[-1]
    mode = EAGER
    for value in values:
        kind = type(value)
        if kind in _PLAIN:
            continue
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

    def __init__(self, function: Callable[..., Any], tensors: str | None, remembers: bool) -> None:
        self.function = function
        self.name = function.__name__
        self.remembers = remembers
        parameters = list(inspect.signature(function).parameters.values())
        self.names = [p.name for p in parameters if p.kind is not inspect.Parameter.VAR_POSITIONAL]
        self.variadic = next((i for i, p in enumerate(parameters) if p.kind is inspect.Parameter.VAR_POSITIONAL), None)
        if tensors is None:
            leading = [p.name for p in parameters if p.default is inspect.Parameter.empty]
            self.tensors = frozenset(leading)
        else:
            self.tensors = frozenset(tensors.split())

    def tensor_position(self, position: int) -> bool:
        """Whether the argument at a position is a tensor (or a structure of tensors)."""
        if self.variadic is not None and position >= self.variadic:
            return True
        return position < len(self.names) and self.names[position] in self.tensors


@overload
def operation(function: Function) -> Function: ...


@overload
def operation(function: None = None, *, tensors: str | None = None, composite: bool = False, creates: bool = False,
              remembers: bool = False, host: Callable[..., Any] | None = None) -> Callable[[Function], Function]: ...


def operation(function: Any = None, *, tensors: str | None = None, composite: bool = False, creates: bool = False,
              remembers: bool = False, host: Callable[..., Any] | None = None) -> Any:
    """Make a function on traced tensors work in a trace, on KerasTensors, and eagerly.

    tensors    the names of the parameters that are tensors; without it, those that have no default. The others are
               static: Python values that the graph is specialised on
    composite  run the body as it is in eager mode too (it calls other operations), instead of tracing it as one graph
    creates    it has no tensor operand (zeros, arange, ...): in a trace it is always traced
    remembers  it looks at what an operand was computed from (`_keras_logits`)
    host       what to call in eager mode instead, with numpy arrays for tensors: where numpy has a better algorithm
    """
    if function is None:
        return functools.partial(operation, tensors=tensors, composite=composite, creates=creates, remembers=remembers, host=host)
    body = Body(function, "" if creates and tensors is None else tensors, remembers)

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        mode = mode_of(args)
        if kwargs and mode != SYMBOLIC:
            other = mode_of(kwargs.values())
            mode = other if other != EAGER else mode
        if mode == SYMBOLIC:
            from .operation import record

            return record(body, call, args, kwargs)
        trace = stack.traces[-1]
        if mode == TRACED or (creates and trace is not None):
            trace.graph.set_source(user_source())  # type: ignore[union-attr]
            return function(*args, **kwargs)
        if composite:
            return function(*args, **kwargs)
        from . import eager

        return eager.run(body, args, kwargs) if host is None else eager.run_host(body, host, args, kwargs)

    call.body = body  # type: ignore[attr-defined]
    return call


def body_of(function: Any) -> Body:
    """What `operation` knows of a function it has decorated."""
    body: Body = function.body
    return body
