"""Owns `model.summary()`: the table of layers, output shapes and parameters, in the classic text layout.

    Layer (type)                 Output Shape              Param #
    =================================================================
    dense (Dense)                (None, 10)                650

A model that is no chain gets a fourth column, "Connected to". Cells that do not fit are cut.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from . import tree

if TYPE_CHECKING:
    from .models.model import Model

CHAIN_LENGTH, CHAIN_POSITIONS = 65, (0.45, 0.85, 1.0)
GRAPH_LENGTH, GRAPH_POSITIONS = 98, (0.33, 0.55, 0.67, 1.0)
TRAINABLE_WIDTH = 11


class _Table:
    """Writes rows of cells that end at given columns; rows of nested models stand between bars."""

    def __init__(self, write: Callable[[str], Any], length: int, positions: Sequence[int]) -> None:
        self.write, self.length, self.positions = write, length, positions

    def row(self, cells: Sequence[Any], level: int = 0) -> None:
        line = "|" * level
        for number, (cell, end) in enumerate(zip(cells, self.positions, strict=True)):
            if number:
                line = line[:-1] + " "
            line = (line + str(cell))[:end].ljust(end)
        self.write(line[:self.length - level].ljust(self.length - level) + "|" * level if level else line)

    def rule(self, sign: str, level: int = 0) -> None:
        self.write("|" * level + sign * (self.length - 2 * level) + "|" * level)


def print_summary(model: Model, line_length: int | None = None, positions: Sequence[float] | None = None,
                  print_fn: Callable[[str], Any] | None = None, expand_nested: bool = False, show_trainable: bool = False,
                  layer_range: Any = None) -> None:
    """Print the summary of a model, built or not.

    line_length: width of the table (default 65, or 98 with connections); positions: where the columns end, in characters or as
    parts of the width; print_fn: called with each line; expand_nested: show the layers of nested models; show_trainable: a further
    column; layer_range: (first, last) names, or patterns, of the layers to show. Raises ValueError for a range that matches nothing.
    """
    chain = _is_chain(model)
    length = line_length or (CHAIN_LENGTH if chain else GRAPH_LENGTH)
    ends = list(positions or (CHAIN_POSITIONS if chain else GRAPH_POSITIONS))
    if ends[-1] <= 1:
        ends = [int(length * end) for end in ends]
    heads = ["Layer (type)", "Output Shape", "Param #"] + ([] if chain else ["Connected to"])
    if len(ends) != len(heads):
        raise ValueError(f"`positions` must have {len(heads)} entries, one a column ({', '.join(heads)}). Received: positions={positions}")
    if show_trainable:
        length += TRAINABLE_WIDTH
        ends.append(length)
        heads.append("Trainable")
    table = _Table(print_fn or print, length, [int(end) for end in ends])

    table.write(f'Model: "{model.name}"')
    table.rule("_")
    table.row(heads)
    table.rule("=")
    shown = _in_range(_rows_of(model), layer_range)
    for number, layer in enumerate(shown):
        _write_layer(table, layer, model, chain, expand_nested, show_trainable, 0)
        table.rule("=" if number == len(shown) - 1 else "_")
    if not shown:
        table.rule("=")
    trainable = sum(math.prod(variable.shape) for variable in model.trainable_weights)
    fixed = sum(math.prod(variable.shape) for variable in model.non_trainable_weights)
    table.write(f"Total params: {trainable + fixed:,}")
    table.write(f"Trainable params: {trainable:,}")
    table.write(f"Non-trainable params: {fixed:,}")
    table.rule("_")


def _write_layer(table: _Table, layer: Any, model: Any, chain: bool, expand_nested: bool, show_trainable: bool, level: int) -> None:
    connections = [] if chain else _connections(layer, model)
    cells = [f"{layer.name} ({type(layer).__name__})", _output_shape(layer, model), _params(layer)]
    if not chain:
        cells.append(connections[0] if connections else "")
    if show_trainable:
        cells.append("Y" if getattr(layer, "trainable", True) else "N")
    table.row(cells, level)
    for connection in connections[1:]:
        table.row(["", "", "", connection] + ([""] if show_trainable else []), level)
    nested = _rows_of(layer) if expand_nested and hasattr(layer, "layers") else []
    if nested:
        table.rule("¯", level + 1)
        for inner in nested:
            _write_layer(table, inner, layer, chain, expand_nested, show_trainable, level + 1)
        table.rule("¯", level + 1)


def _graph(model: Any) -> Any:
    """The recorded calls of a functional model, or None."""
    return getattr(model, "_graph", None)


def _rows_of(model: Any) -> list[Any]:
    """What has a row: the layers, and the operations of a functional model."""
    return list(model.operations) if _graph(model) is not None else list(model.layers)


def _is_chain(model: Any) -> bool:
    graph = _graph(model)
    if graph is None:
        return True
    used = [id(tensor) for node in graph.nodes for tensor in node.input_tensors] + [id(tensor) for tensor in graph.outputs]
    operations = [id(node.operation) for node in graph.nodes]
    return (len(graph.inputs) == len(graph.outputs) == 1 and len(used) == len(set(used)) and len(operations) == len(set(operations))
            and all(len(node.input_tensors) == len(node.outputs) == 1 for node in graph.nodes))


def _calls(layer: Any, model: Any) -> list[Any]:
    """The recorded calls of a layer within the model (all of them, when the model is no functional one)."""
    graph = _graph(model) or _graph(getattr(model, "_functional", None))
    return [node for node in layer._inbound_nodes if graph is None or id(node) in graph.node_ids]


def _connections(layer: Any, model: Any) -> list[str]:
    """'name[call][result]' for each tensor that the layer's calls take."""
    graph = _graph(model)
    names = []
    for node in _calls(layer, model):
        for tensor in node.input_tensors:
            operation, node_index, tensor_index = tensor._keras_history
            inside = [other for other in operation._inbound_nodes if graph is None or id(other) in graph.node_ids]
            call = inside.index(operation._inbound_nodes[node_index]) if operation._inbound_nodes[node_index] in inside else node_index
            names.append(f"{operation.name}[{call}][{tensor_index}]")
    return names


def _output_shape(layer: Any, model: Any) -> str:
    """The shape of the outputs; 'multiple' for calls of several shapes, '?' before anything is known."""
    from .layers.input_layer import InputLayer

    if isinstance(layer, InputLayer):
        return str([layer.batch_shape])
    found = [tree.map_structure(lambda tensor: tuple(tensor.shape), node.output_structure) for node in _calls(layer, model)]
    if found:
        return str(found[0]) if all(shape == found[0] for shape in found) else "multiple"
    shapes = getattr(layer, "_shapes_seen", None)
    if not shapes:
        return "?"
    return str(layer.compute_output_shape(*shapes))


def _params(layer: Any) -> str:
    if not hasattr(layer, "count_params"):
        return "0"
    if not layer.built:
        return "unbuilt"
    return str(layer.count_params())


def _in_range(rows: list[Any], layer_range: Any) -> list[Any]:
    if layer_range is None:
        return rows
    if len(layer_range) != 2 or not all(isinstance(bound, str) for bound in layer_range):
        raise ValueError(f"`layer_range` must be a list or tuple of two names. Received: {layer_range}")
    matches = [[number for number, row in enumerate(rows) if re.match(bound, row.name)] for bound in layer_range]
    if not matches[0] or not matches[1]:
        raise ValueError(f"Passed layer_names do not match the layer names in the model. Received: {layer_range}")
    first, last = sorted((min(matches[0]), max(matches[1])))
    return rows[first:last + 1]
