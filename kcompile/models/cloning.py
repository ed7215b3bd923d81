"""Owns clone_model: the same architecture with new layers and new weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import tree
from ..layers.input_layer import InputLayer
from ..layers.layer import Layer
from ..metrics import Metric
from ..operation import Node
from ..optimizers import Optimizer
from ..tensor import KerasTensor
from .functional import Functional
from .model import Model
from .sequential import Sequential


def clone_model(model: Any, input_tensors: Any = None, clone_function: Callable[[Any], Any] | None = None,
                call_function: Callable[..., Any] | None = None, recursive: bool = False, **kwargs: Any) -> Any:
    """A new model of the same layers, freshly initialised, and compiled as the model is.

    input_tensors: symbolic tensors to build a functional model on; clone_function(layer) makes each new layer (default: from its
    configuration); call_function(layer, *args, **kwargs) calls it; recursive: clone nested models layer by layer too.
    Raises ValueError for a subclassed model without a configuration of its own.
    """
    if kwargs:
        raise ValueError(f"clone_model: unexpected arguments {sorted(kwargs)}")
    make = clone_function or _from_config
    if recursive:
        def make_all(layer: Any) -> Any:
            if isinstance(layer, (Functional, Sequential)):
                return clone_model(layer, clone_function=clone_function, call_function=call_function, recursive=True)
            return (clone_function or _from_config)(layer)

        make = make_all
    if isinstance(model, Sequential):
        if call_function is not None:
            raise ValueError("`call_function` argument is not supported with Sequential models.")
        return _compiled_like(model, _clone_sequential(model, input_tensors, make))
    if isinstance(model, Functional):
        return _compiled_like(model, _clone_functional(model, input_tensors, make, call_function))
    if isinstance(model, Model) and clone_function is None:
        return type(model).from_config(model.get_config())
    raise ValueError(f"Cannot clone {model!r}: only Sequential and functional models can be cloned layer by layer")


def _from_config(item: Any) -> Any:
    return type(item).from_config(item.get_config())


def _compiled_like(model: Any, clone: Any) -> Any:
    """The clone, with an optimizer and metrics of its own: what has a state is not shared."""
    if model.compiled:
        given = tree.map_structure(lambda value: _from_config(value) if isinstance(value, (Optimizer, Metric)) else value,
                                   model._compile_config)
        clone.compile(**given, auto_scale_loss=model.auto_scale_loss, debug=model.debug)
        if clone.built:
            clone.optimizer.build(clone.trainable_variables)
    return clone


def _clone_sequential(model: Sequential, input_tensors: Any, make: Callable[[Any], Any]) -> Sequential:
    clone = type(model)(name=model.name)
    tensors = tree.flatten(input_tensors) if input_tensors is not None else []
    if len(tensors) > 1:
        raise ValueError(f"Argument `input_tensors` must contain a single tensor. Received: {input_tensors}")
    if tensors:
        clone.add(tensors[0], rebuild=False)
    for layer in model._sequence:
        if isinstance(layer, InputLayer):
            if not tensors:
                clone.add(_from_config(layer), rebuild=False)
        else:
            clone.add(make(layer), rebuild=False)
    clone._rebuild()
    if not clone.built and model._functional is not None:
        clone.build(model.input_shape)
    return clone


def _clone_functional(model: Functional, input_tensors: Any, make: Callable[[Any], Any],
                      call_function: Callable[..., Any] | None) -> Functional:
    if input_tensors is None:
        inputs = [_from_config(tensor._keras_history.operation).output  # type: ignore[attr-defined]
                  for tensor in model.inputs]
    else:
        inputs = tree.flatten(input_tensors)
        if not all(isinstance(tensor, KerasTensor) for tensor in inputs):
            raise ValueError(f"All entries in `input_tensors` must be KerasTensors. Received: {input_tensors}")
    made: dict[int, Any] = {}

    def call(node: Node, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        operation: Any = node.operation
        if isinstance(operation, Layer):
            if id(operation) not in made:
                made[id(operation)] = make(operation)
            operation = made[id(operation)]
            if call_function is not None:
                return call_function(operation, *args, **kwargs)
            return operation(*args, **kwargs)
        results = type(operation).function(*args, **kwargs)
        tree.flatten(results)[0]._keras_history.operation.name = operation.name
        return results

    outputs = model._graph.run(inputs, call)
    return type(model)(tree.pack_sequence_as(model._inputs_struct, inputs), tree.pack_sequence_as(model._outputs_struct, outputs),
                       name=model.name)
