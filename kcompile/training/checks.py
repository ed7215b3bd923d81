"""Values that a step may not be given: labels and table indices out of range. Looked for once, before the first step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..ir.graph import Graph, Node, Value
from ..losses import SparseCategoricalCrossentropy
from ..tensor import TracedTensor
from .data import Array


@dataclass(frozen=True)
class Range:
    """Values of a param must lie in 0 ... limit - 1 (after truncation); `ignored` is also allowed."""

    param: str
    limit: int
    why: str
    ignored: int | None = None

    def check(self, array: Array, what: str = "") -> None:
        """Raises ValueError that names the argument and the first offending sample."""
        low, high = array.min(), array.max()
        if low > -1 and high < self.limit:  # NaN fails both
            return
        wrong = ~((array > -1) & (array < self.limit))
        if self.ignored is not None:
            wrong &= array != self.ignored
        if wrong.any():
            place = tuple(int(n) for n in np.argwhere(wrong)[0])
            raise ValueError(f"{what}`{self.param}`: value {array[place]} of sample {place[0]} is outside 0 ... {self.limit - 1}: "
                             f"{self.why}")


def check_ranges(ranges: Sequence[Range], arrays: Mapping[str, Array], what: str = "") -> None:
    """Check every array that has a range. Raises ValueError."""
    for one in ranges:
        if one.param in arrays:
            one.check(arrays[one.param], what)


def label_ranges(losses: Sequence[Any], labels: Sequence[Any], predictions: Sequence[Any]) -> list[Range]:
    """From losses on class numbers: the label must name one of the classes that the output has."""
    found = []
    for loss, label, prediction in zip(losses, labels, predictions, strict=True):
        if type(loss) is not SparseCategoricalCrossentropy or not isinstance(label, TracedTensor):
            continue
        node = label.value.node
        classes = prediction.shape[loss.axis]
        if node.op.name == "param" and classes is not None:
            found.append(Range(node.attrs["name"], classes, f"the output has {classes} classes", loss.ignore_class))
    return found


def index_ranges(graph: Graph) -> list[Range]:
    """From look-ups in a table of weights: an index that comes straight from the data must name one of its rows."""
    found: dict[tuple[str, int], Range] = {}
    for node in graph.links:
        if node.op.name != "take" or node.attrs["axis"] != 0 or node.inputs[0].node.op.name not in ("state", "cast"):
            continue
        param, limit = _origin(node.inputs[1]), node.inputs[0].shape[0]
        if param is not None and isinstance(limit, int):
            name = param.attrs["name"]
            where = f" of layer '{node.path}'" if node.path else ""
            found[name, limit] = Range(name, limit, f"the table{where} has {limit} rows")
    return list(found.values())


def _origin(value: Value) -> Node | None:
    """The param whose values these are, only moved, cast or counted from the end; None for anything computed."""
    while True:
        node = value.node
        if node.op.name == "param":
            return node
        if node.op.name in ("cast", "reshape", "transpose", "broadcast", "stop_gradient"):
            value = node.inputs[0]
        elif node.op.name == "select" and _counts_from_end(node):
            value = node.inputs[2]
        else:
            return None


def _counts_from_end(node: Node) -> bool:
    """select(i < 0, i + size, i), as ops.take makes it."""
    condition, shifted, index = node.inputs
    return condition.node.op.name == "lt" and condition.node.inputs[0] == index and shifted.node.op.name == "add" \
        and shifted.node.inputs[0] == index
