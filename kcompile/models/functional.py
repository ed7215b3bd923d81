"""Owns Functional: a model defined by symbolic inputs and outputs."""

from __future__ import annotations

from typing import Any

from .. import ops, tracing, tree
from ..common.users_code import warn
from ..conversion import as_array
from ..layers.call_context import entered
from ..layers.input_layer import InputLayer
from ..layers.layer import Layer
from ..operation import Node
from ..tensor import KerasTensor, Tensor, TracedTensor, eager_tensor
from ..variables import Variable
from .function_graph import FunctionGraph, is_intermediate
from .model import Model


class Functional(Model):
    """The calls between `inputs` and `outputs` (tensors, or structures of them) as a model.

    Inputs may be results of layers: the calls behind them are then recorded again from fresh inputs, with the same layers.
    Raises ValueError for inputs given twice, outputs that the inputs do not lead to, and repeated names.
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        return Layer.__new__(cls, *args, **kwargs)

    def __init__(self, inputs: Any, outputs: Any, name: str | None = None, **kwargs: Any) -> None:
        for title, structure in (("inputs", inputs), ("outputs", outputs)):
            for leaf in tree.flatten(structure):
                if not isinstance(leaf, KerasTensor):
                    raise ValueError(f"All `{title}` values must be KerasTensors. Received: {title}={structure} including invalid value "
                                     f"{leaf} of type {type(leaf)}")
        flat_inputs: list[Any]
        flat_outputs: list[Any]
        flat_inputs, flat_outputs = tree.flatten(inputs), tree.flatten(outputs)
        if len({id(tensor) for tensor in flat_inputs}) != len(flat_inputs):
            raise ValueError("The list of inputs passed to the model contains the same input multiple times. "
                             f"All inputs should only appear once. Received: inputs={inputs}")
        flat_inputs, flat_outputs = recorded_again(flat_inputs, flat_outputs)
        super().__init__(name=name, **kwargs)
        graph = FunctionGraph(flat_inputs, flat_outputs)
        with self._tracker.paused():
            self._graph = graph
            self._inputs_struct = tree.pack_sequence_as(inputs, flat_inputs)
            self._outputs_struct = tree.pack_sequence_as(outputs, flat_outputs)
            self.input_names = [tensor._keras_history.operation.name for tensor in flat_inputs]
            self.output_names = [tensor._keras_history.operation.name for tensor in flat_outputs]
        for operation in graph.operations:
            if isinstance(operation, Layer):
                self._tracker.add_to("layers", operation)
        if not self.trainable:
            self.trainable = False  # now that the layers are known
        self.supports_masking = True
        self._convert_input_args = False  # inputs take the dtype of their Input, not of the model
        self.built = True

    # -- structure --------------------------------------------------------------------------------------------
    @property  # type: ignore[misc]
    def layers(self) -> list[Layer]:
        """The layers between inputs and outputs, in order of depth."""
        return [operation for operation in self._graph.operations if isinstance(operation, Layer)]

    @property
    def inputs(self) -> list[KerasTensor]:
        return list(self._graph.inputs)

    @property
    def outputs(self) -> list[KerasTensor]:
        return list(self._graph.outputs)

    @property
    def input(self) -> Any:
        """The symbolic inputs, in the structure they were given in."""
        return self._inputs_struct

    @property
    def output(self) -> Any:
        return self._outputs_struct

    @property
    def input_shape(self) -> Any:
        shapes = [tuple(tensor.shape) for tensor in self._graph.inputs]
        return shapes[0] if len(shapes) == 1 else shapes

    @property
    def output_shape(self) -> Any:
        shapes = [tuple(tensor.shape) for tensor in self._graph.outputs]
        return shapes[0] if len(shapes) == 1 else shapes

    @property
    def operations(self) -> list[Any]:
        """Layers and recorded operations, in order of depth."""
        return list(self._graph.operations)

    # -- calling ----------------------------------------------------------------------------------------------
    def build(self, input_shape: Any = None) -> None:
        """Nothing is left to build."""

    def call(self, inputs: Any, training: Any = None, mask: Any = None, **kwargs: Any) -> Any:
        values = self._standardized(inputs)
        if mask is not None:
            for value, one in zip(values, tree.flatten(mask), strict=True):
                if value is not None and one is not None:
                    value._keras_mask = one
        if training is None:
            return self._run(values)
        with entered(self, training):
            return self._run(values)

    def _run(self, values: list[Any]) -> Any:
        flat = self._graph.run(values, call_node)
        return tree.pack_sequence_as(self._outputs_struct, flat)

    def compute_mask(self, inputs: Any, previous_mask: Any) -> None:
        """The outputs carry the masks that their layers gave them."""
        return

    def _standardized(self, inputs: Any) -> list[Any]:
        """One tensor an Input, in order: found by name or position, of the Input's dtype and rank. Raises ValueError."""
        values = self._matched(inputs)
        return [self._fitted(value, position) for position, value in enumerate(values)]

    def _matched(self, inputs: Any) -> list[Any]:
        expected = self._inputs_struct
        if isinstance(inputs, dict):
            keys = sorted(expected) if isinstance(expected, dict) else self.input_names
            missing = [key for key, tensor in zip(keys, self._graph.inputs, strict=False) if key not in inputs and not _optional(tensor)]
            if missing and isinstance(expected, dict) and all(name in inputs for name in self.input_names):
                return [inputs[name] for name in self.input_names]
            if missing:
                raise ValueError(f'Missing data for input "{missing[0]}". You passed a data dictionary with keys {list(inputs)}. '
                                 f"Expected the following keys: {list(keys)}")
            if not isinstance(expected, dict) or not any(tree.is_nested(value) for value in expected.values()):
                return [inputs.get(key) for key in keys]
            inputs = {key: inputs[key] for key in keys}
        values = tree.flatten(inputs)
        if len(values) != len(self._graph.inputs):
            shapes = [tuple(value.shape) for value in values if hasattr(value, "shape")]
            raise ValueError(f"Model '{self.name}' expects {len(self._graph.inputs)} input(s) named {self.input_names}, but it received "
                             f"{len(values)} input tensors of shapes {shapes}.")
        if isinstance(expected, dict) and not isinstance(inputs, dict) and len(values) > 1:
            warn(f"Model '{self.name}' was defined with a dict of inputs but called with a {type(inputs).__name__}; "
                 f"taken in the order {sorted(expected)}.")
        return values

    def _fitted(self, value: Any, position: int) -> Any:
        expected = self._graph.inputs[position]
        name = self.input_names[position]
        if value is None:
            if not _optional(expected):
                raise ValueError(f"Input {position} with name '{name}' of model '{self.name}' is None, but the Input is not optional.")
            return None
        if not isinstance(value, (Tensor, TracedTensor, Variable)):
            value = as_array(value)
            if value.dtype.kind in "cSUmM" or value.dtype.names:  # a cast would take a text's digits, or drop an imaginary part
                raise TypeError(f"Input {position} with name '{name}' of model '{self.name}' has dtype {value.dtype}; expected floats, "
                                f"integers or booleans. Turn strings and dates into numbers first")
            value = eager_tensor(value, expected.dtype)
        mask = getattr(value, "_keras_mask", None)
        fitted = _of_rank(value, expected.shape)
        if str(fitted.dtype) != str(expected.dtype):
            fitted = ops.cast(fitted, expected.dtype)
        shape, wanted = tuple(fitted.shape), tuple(expected.shape)
        sizes_bind = expected._keras_history.operation.enforces_shape  # type: ignore[attr-defined]
        if len(shape) != len(wanted) or (sizes_bind and any(None not in (m, n) and m != n for m, n in zip(shape, wanted, strict=True))):
            raise ValueError(f"Input {position} with name '{name}' of layer '{self.name}' is incompatible with the layer: "
                             f"expected shape={wanted}, found shape={tuple(value.shape)}"
                             + (". One dimension is missing: of samples one at a time? A data set puts them together with "
                                ".batch(batch_size), and x[None] makes a batch of one" if len(shape) == len(wanted) - 1 else ""))
        if mask is not None:
            fitted._keras_mask = mask
        return fitted

    # -- configuration ----------------------------------------------------------------------------------------
    def get_config(self) -> dict[str, Any]:
        """Layers, their configurations and the calls between them, in Keras 3's form."""
        from .functional_config import functional_config

        return functional_config(self)


def _optional(tensor: Any) -> bool:
    return bool(getattr(tensor._keras_history.operation, "optional", False))


def _of_rank(value: Any, wanted: Any) -> Any:
    """A value with a last axis of 1 added or taken away where the Input's rank asks for it."""
    if len(value.shape) == len(wanted) + 1 and value.shape[-1] == 1:
        return ops.squeeze(value, axis=-1)
    if len(value.shape) == len(wanted) - 1 and wanted[-1] == 1:
        return ops.expand_dims(value, axis=-1)
    return value


def call_node(node: Node, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Compute one recorded call; in a trace, its nodes name the line on which the user wrote the call."""
    trace = tracing.current_trace()
    if trace is None:
        return node.operation(*args, **kwargs)
    with trace.line(node.source):
        return node.operation(*args, **kwargs)


def recorded_again(inputs: list[Any], outputs: list[Any]) -> tuple[list[Any], list[Any]]:
    """Inputs and outputs; where inputs are results of layers, the calls from there on are recorded again from fresh Inputs."""
    if not any(is_intermediate(tensor) for tensor in inputs):
        return inputs, outputs
    graph = FunctionGraph(inputs, outputs)
    fresh: list[KerasTensor] = []
    for tensor in inputs:
        if is_intermediate(tensor):
            tensor = InputLayer(batch_shape=tensor.shape, dtype=tensor.dtype, name=f"{tensor.name}CLONE").output
        fresh.append(tensor)

    def call(node: Node, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        results = node.operation(*args, **kwargs)
        node.operation._inbound_nodes[-1].source = node.source
        return results

    return fresh, graph.run(fresh, call)


