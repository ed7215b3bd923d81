"""Every float made float64: the same computation with rounding errors too small to see, as an oracle for native code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..graph import Graph, Node, Value
from ..rebuild import rebuild
from ..types import DType, TensorType, f64


def widen(graph: Graph) -> Graph:
    """A copy in which params, states, constants and casts of any float type are float64."""
    def change(new: Graph, node: Node, inputs: tuple[Value, ...]) -> Sequence[Value]:
        return new.add(node.op, inputs, {name: _wide(value) for name, value in node.attrs.items()})

    return rebuild(graph, change)


def _wide(value: Any) -> Any:
    if isinstance(value, DType):
        return f64 if value.is_float else value
    return value.with_dtype(_wide(value.dtype)) if isinstance(value, TensorType) else value
