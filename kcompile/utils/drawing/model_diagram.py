"""From a model to its diagram: a box for each layer, an arrow for each tensor that goes from one to another."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ... import tree
from ...models.functional import Functional
from ...models.sequential import Sequential
from .diagram import HEAD_SIZE, Box, Cell, Diagram, Group


@dataclass(frozen=True)
class Shown:
    """What the boxes say."""

    shapes: bool = False
    dtype: bool = False
    names: bool = True
    activations: bool = False
    trainable: bool = False


def diagram_of(model: Any, shown: Shown, expand_nested: bool, layer_range: Any = None) -> Diagram:
    """The diagram of a model that is built; a model without a recorded graph is one box.

    layer_range: (first, last), names or patterns of layers: only those, and what lies between, are shown. Raises ValueError for a model
    that is not built, and for a range that matches nothing.
    """
    if not getattr(model, "built", False):
        raise ValueError(f"model '{getattr(model, 'name', model)}' is not built, so that its layers are not known yet: call "
                         "build(input_shape), or call the model on data, before it is drawn")
    return _Drawer(shown, expand_nested).diagram(model, layer_range)


def graph_of(model: Any) -> Any:
    """The recorded calls of a functional or sequential model; None for others."""
    inner = model._functional if isinstance(model, Sequential) else model
    return inner._graph if isinstance(inner, Functional) else None


class _Drawer:
    def __init__(self, shown: Shown, expand: bool) -> None:
        self.shown, self.expand = shown, expand
        self.boxes: dict[int, Box] = {}

    def diagram(self, model: Any, layer_range: Any) -> Diagram:
        root = Group(str(model.name))
        found = Diagram(root)
        if graph_of(model) is None:
            root.children.append(self._box(model))
            return found
        layers = _in_range(_operations(model), layer_range)
        self._fill(root, layers)
        order = {id(box): number for number, box in enumerate(self.boxes.values())}  # branches stand side by side as they were written
        for source, target in sorted(self._arrows(model), key=lambda ends: (order[id(ends[0])], order[id(ends[1])])):
            found.connect(source, target)
        return found

    def _fill(self, group: Group, layers: list[Any]) -> None:
        for layer in layers:
            if self._opened(layer):
                inner = Group(str(layer.name))
                self._fill(inner, _operations(layer))
                group.children.append(inner)
            else:
                group.children.append(self._box(layer))

    def _opened(self, layer: Any) -> bool:
        return self.expand and graph_of(layer) is not None

    def _box(self, layer: Any) -> Box:
        box = Box(str(layer.name), list(_rows(layer, self.shown)))
        self.boxes[id(layer)] = box
        return box

    def _arrows(self, model: Any) -> Iterator[tuple[Box, Box]]:
        """Source and target of every tensor, those inside opened models included. A sequential model's Input has no box."""
        graph = graph_of(model)
        for node in graph.nodes:
            for position, tensor in enumerate(node.input_tensors):
                source, target = self._giver(tensor), self._taker(node.operation, position)
                if source is not None and target is not None:
                    yield source, target
        for layer in _operations(model):
            if self._opened(layer):
                yield from self._arrows(layer)

    def _giver(self, tensor: Any) -> Box | None:
        """The box that a tensor comes out of."""
        operation, _, position = tensor._keras_history
        while self._opened(operation):
            operation, _, position = graph_of(operation).outputs[position]._keras_history
        return self.boxes.get(id(operation))

    def _taker(self, operation: Any, position: int) -> Box | None:
        """The box that the tensor at a position of an operation's arguments goes into."""
        while self._opened(operation):
            given = graph_of(operation).inputs
            tensor = given[min(position, len(given) - 1)]
            if isinstance(operation, Sequential):
                operation, position = _operations(operation)[0], 0
            else:
                operation, position = tensor._keras_history.operation, 0
        return self.boxes.get(id(operation))


def _operations(model: Any) -> list[Any]:
    """What has a box: layers and operations of a functional model, the layers of a sequential one without its Input."""
    return list(model.layers) if isinstance(model, Sequential) else list(graph_of(model).operations)


def _rows(layer: Any, shown: Shown) -> Iterator[list[Cell]]:
    kind = type(layer).__name__
    yield [Cell("", f"{layer.name} ({kind})" if shown.names else kind, "black", "white", HEAD_SIZE)]
    activation = getattr(layer, "activation", None)
    if shown.activations and activation is not None:
        name = getattr(activation, "name", None) or getattr(activation, "__name__", None) or str(activation)
        yield [Cell("Activation: ", str(name))]
    cells = []
    if shown.shapes:
        if kind != "InputLayer":
            cells.append(Cell("Input shape: ", _shapes(layer, "input")))
        cells.append(Cell("Output shape: ", _shapes(layer, "output")))
    if shown.dtype:
        cells.append(Cell("Output dtype: ", _text(layer, "output", lambda tensor: str(tensor.dtype))))
    if shown.trainable and getattr(layer, "weights", None):
        fill, text = ("forestgreen", "Trainable") if layer.trainable else ("firebrick", "Non-trainable")
        cells.append(Cell("", text, fill, "white"))
    if cells:
        yield cells


def _shapes(layer: Any, side: str) -> str:
    return _text(layer, side, lambda tensor: _Shape(tensor.shape))


class _Shape:
    """A shape that is a leaf of a structure, and prints as a tuple."""

    def __init__(self, shape: Any) -> None:
        self.shape = tuple(shape)

    def __repr__(self) -> str:
        return str(self.shape)


def _text(layer: Any, side: str, what: Any) -> str:
    """What is to be said of a layer's inputs or outputs, in their structure; "?" where they are not recorded."""
    try:
        found = tree.map_structure(what, getattr(layer, side))
    except (AttributeError, ValueError):
        return "?"
    if isinstance(found, dict):
        return ", ".join(f"{key}: {value}" for key, value in found.items())
    return str(found)


def _in_range(layers: list[Any], layer_range: Any) -> list[Any]:
    if layer_range is None:
        return layers
    if isinstance(layer_range, str) or len(layer_range) != 2 or not all(isinstance(bound, str) for bound in layer_range):
        raise ValueError(f"`layer_range` must be a list of two layer names or patterns, received layer_range={layer_range!r}")
    places = []
    for bound, pick in zip(layer_range, (min, max), strict=True):
        matches = [number for number, layer in enumerate(layers) if re.match(bound, layer.name)]
        if not matches:
            raise ValueError(f"`layer_range`: no layer is called {bound!r}; there are {', '.join(layer.name for layer in layers)}")
        places.append(pick(matches))
    return layers[min(places):max(places) + 1]
