"""Owns what one layer call knows: its bound arguments, and the chain of calls it happens in (for `training` and losses)."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from .. import tree
from ..tensor import KerasTensor, Tensor
from ..variables import Variable


def is_tensor(value: Any) -> bool:
    """Symbolic, traced, eager tensors and variables."""
    return isinstance(value, (KerasTensor, Tensor, Variable))


def holds_tensor(value: Any) -> bool:
    """Whether any leaf of a structure is a tensor or a variable."""
    return any(is_tensor(leaf) for leaf in tree.flatten(value))


@dataclass(frozen=True)
class CallSignature:
    """The parameters of a layer's `call`."""

    signature: inspect.Signature
    names: frozenset[str]
    takes_any_keyword: bool

    @staticmethod
    def of(call: Callable[..., Any]) -> CallSignature:
        signature = inspect.signature(call)
        kinds = {name: p.kind for name, p in signature.parameters.items()}
        named = frozenset(n for n, kind in kinds.items() if kind not in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD))
        return CallSignature(signature, named, inspect.Parameter.VAR_KEYWORD in kinds.values())

    def accepts(self, name: str) -> bool:
        return name in self.names


class CallArguments:
    """The arguments of one call, bound to the names of `call`; knows which of them hold tensors."""

    def __init__(self, signature: CallSignature, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        bound = signature.signature.bind(*args, **kwargs)  # a wrong call is a TypeError here
        self.given = dict(bound.arguments)
        bound.apply_defaults()
        self.values: dict[str, Any] = {}
        for name, value in bound.arguments.items():
            if signature.signature.parameters[name].kind is inspect.Parameter.VAR_KEYWORD:
                self.values.update(value)
            else:
                self.values[name] = value
        self.tensors = {name: value for name, value in self.values.items() if holds_tensor(value)}

    @property
    def first(self) -> Any:
        """The first argument of the call, whatever it is."""
        return next(iter(self.values.values()), None)

    def shapes(self) -> dict[str, Any]:
        """{argument name + '_shape': its shape, or its structure of shapes} for the arguments that hold tensors."""
        return {f"{name}_shape": shapes_of(value) for name, value in self.tensors.items()}


def shapes_of(value: Any) -> Any:
    """The structure of `value` with each tensor replaced by its shape (a tuple), None staying None."""
    return tree.map_structure(lambda leaf: tuple(leaf.shape) if hasattr(leaf, "shape") else None, value)


@dataclass
class Call:
    """One layer call in progress."""

    layer: Any
    training: Any


class _Stack(threading.local):
    def __init__(self) -> None:
        self.calls: list[Call] = []


_STACK = _Stack()


def current_training() -> Any:
    """The `training` that the innermost enclosing call has settled on, or None."""
    return _STACK.calls[-1].training if _STACK.calls else None


def inside_a_call() -> bool:
    """Whether a layer is being called in this thread."""
    return bool(_STACK.calls)


@contextmanager
def entered(layer: Any, training: Any) -> Iterator[Call]:
    """Put one call on the chain for as long as it lasts."""
    call = Call(layer, training)
    _STACK.calls.append(call)
    try:
        yield call
    finally:
        _STACK.calls.pop()
