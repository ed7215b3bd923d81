"""Owns Sequential: a stack of layers, each called on what the one before gives."""

from __future__ import annotations

from typing import Any

from .. import tree
from ..layers.call_context import CallArguments
from ..layers.input_layer import InputLayer
from ..layers.layer import Layer
from ..layers.serialization import deserialize, serialize
from ..naming import auto_name
from ..suggest import forgotten_call
from ..tensor import KerasTensor
from .functional import Functional
from .model import Model


class Sequential(Model):
    """Layers in a row. The weights come into being when the input shape is known: from an Input (or `input_shape`) in front, by
    `build(input_shape)`, or at the first call or fit.
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        return Layer.__new__(cls, *args, **kwargs)

    def __init__(self, layers: Any = None, trainable: bool = True, name: str | None = None) -> None:
        super().__init__(trainable=trainable, name=name)
        with self._tracker.paused():
            self._sequence: list[Layer] = []  # an InputLayer in front included
            self._functional: Functional | None = None
        if layers is not None:
            for layer in layers if isinstance(layers, (list, tuple)) else [layers]:
                self.add(layer, rebuild=False)
            self._rebuild()

    # -- the stack --------------------------------------------------------------------------------------------
    def add(self, layer: Any, rebuild: bool = True) -> None:
        """Put a layer on top. Raises ValueError for what is no layer, and for a name that is taken."""
        history = getattr(layer, "_keras_history", None)
        if isinstance(layer, KerasTensor) and history is not None and isinstance(history.operation, InputLayer):
            layer = history.operation
        if not isinstance(layer, Layer):
            raise ValueError("Only instances of `keras.Layer` can be added to a Sequential model. "
                             f"Received: {layer!r} (of type {type(layer)}){forgotten_call(layer, Layer)}")
        if any(other.name == layer.name for other in self._sequence):
            raise ValueError("All layers added to a Sequential model should have unique names. "
                             f"Name '{layer.name}' is already the name of a layer in this model. "
                             "Update the `name` argument to pass a unique name.")
        if isinstance(layer, InputLayer) and self._sequence:
            raise ValueError(f"An Input can only be the first in a Sequential model. Model '{self.name}' already has "
                             f"{[other.name for other in self._sequence]}.")
        if not self._sequence and layer._input_shape_argument is not None and not isinstance(layer, InputLayer):
            self._push(InputLayer(batch_shape=layer._input_shape_argument, dtype=layer.compute_dtype))
        self._push(layer)
        if rebuild:
            self._rebuild()
        else:
            self._forget()

    def _push(self, layer: Layer, front: bool = False) -> None:
        self._sequence.insert(0 if front else len(self._sequence), layer)
        self._tracker.unlock()
        self._tracker.add_to("layers", layer)

    def pop(self, rebuild: bool = True) -> Layer:
        """Take the top layer away and return it. Raises IndexError when there is none."""
        if not self.layers:
            raise IndexError(f"there is no layer to pop in Sequential model '{self.name}'")
        layer = self._sequence.pop()
        self._tracker.untrack(layer)
        self._forget()
        if rebuild:
            self._rebuild()
        return layer

    @property  # type: ignore[misc]
    def layers(self) -> list[Layer]:
        """The layers, without the Input."""
        return [layer for layer in self._sequence if not isinstance(layer, InputLayer)]

    # -- building ---------------------------------------------------------------------------------------------
    def _forget(self) -> None:
        self.built = False
        with self._tracker.paused():
            self._functional = None

    def _rebuild(self) -> None:
        """Build if the input shape is known."""
        self._forget()
        shape = self._known_shape()
        if shape is not None:
            self.build(shape)

    def _known_shape(self) -> tuple[int | None, ...] | None:
        """That of an Input with layers behind it, or of a first layer that is a model and knows its own."""
        first = self._sequence[0] if self._sequence else None
        if isinstance(first, InputLayer):
            return first.batch_shape if len(self._sequence) > 1 else None
        shape = getattr(first, "input_shape", None) if isinstance(first, Model) and first.built else None
        return shape if isinstance(shape, tuple) else None

    def build(self, input_shape: Any = None) -> None:
        """Make the weights for inputs of this batch shape. Raises ValueError for another shape than the Input's."""
        first = self._sequence[0] if self._sequence else None
        if isinstance(first, InputLayer):
            if input_shape is not None and tuple(input_shape) != first.batch_shape:
                raise ValueError(f"Sequential model '{self.name}' has already been configured to use input shape {first.batch_shape}. "
                                 f"You cannot build it with input_shape {tuple(input_shape)}")
            self._define(first)
            return
        if input_shape is None:
            raise ValueError("You must provide an `input_shape` argument.")
        if first is None:
            raise ValueError(f"Sequential model {self.name} cannot be built because it has no layers. Call `model.add(layer)`.")
        if not tree.is_shape(input_shape):
            return  # several inputs: the first layer is called on all of them, layer by layer
        shape = tuple(input_shape) if not self._in_call else (None, *input_shape[1:])
        entry = InputLayer(batch_shape=shape, dtype=self._entry_dtype or first.compute_dtype)
        entry.enforces_shape = False
        self._define(entry)
        self._push(entry, front=True)  # only now: where a layer does not take this shape, another may follow

    _entry_dtype: str | None = None

    def _build_for(self, arguments: CallArguments) -> None:
        if not self.built:
            # indices must not pass through floats on their way to a first layer that takes them as they are (Embedding)
            dtype = getattr(arguments.first, "dtype", None)
            takes_any = bool(self._sequence) and not self._sequence[0].autocast
            self._entry_dtype = str(dtype) if takes_any and dtype is not None else None
        super()._build_for(arguments)

    def _define(self, entry: InputLayer) -> None:
        x = inputs = entry.output
        for layer in self.layers:
            x = layer(x)
            for tensor in tree.flatten(x):
                if isinstance(tensor, KerasTensor):
                    history = tensor._keras_history  # type: ignore[attr-defined]
                    history.operation._inbound_nodes[history.node_index].source = layer._source
        auto_name("functional")  # Keras's inner model takes one: those that a program makes later are numbered alike
        with self._tracker.paused():
            self._functional = Functional(inputs, x, name=self.name)

    def call(self, inputs: Any, training: Any = None, mask: Any = None, **kwargs: Any) -> Any:
        if self._functional is not None:
            return self._functional.call(inputs, training=training, mask=mask)
        for layer in self.layers:
            inputs = layer(inputs)
        return inputs

    def _converted(self, value: Any) -> Any:
        return value  # the Input decides which dtype the model starts with

    def _refuse_values(self, args: tuple[Any, ...]) -> None:
        return

    # -- structure --------------------------------------------------------------------------------------------
    def _defined(self) -> Functional:
        if self._functional is None:
            raise AttributeError(f"Sequential model '{self.name}' has no defined inputs and outputs yet: its input shape is not known. "
                                 "Call it on data, build it, or put an Input in front.")
        return self._functional

    @property
    def inputs(self) -> list[KerasTensor]:
        return self._defined().inputs

    @property
    def outputs(self) -> list[KerasTensor]:
        return self._defined().outputs

    @property
    def input(self) -> Any:
        return self._defined().input

    @property
    def output(self) -> Any:
        return self._defined().output

    @property
    def input_shape(self) -> Any:
        return self._defined().input_shape

    @property
    def output_shape(self) -> Any:
        return self._defined().output_shape

    @property
    def input_names(self) -> list[str]:
        return self._defined().input_names

    @property
    def output_names(self) -> list[str]:
        return self._defined().output_names

    @property
    def input_dtype(self) -> str:
        """The dtype of the Input, or of the first layer."""
        if self._sequence and isinstance(self._sequence[0], InputLayer):
            return str(self._sequence[0].dtype)
        return super().input_dtype

    # -- configuration ----------------------------------------------------------------------------------------
    def get_config(self) -> dict[str, Any]:
        """Name, layers in order (an Input in front included) and, when built, the input shape."""
        config = {**Layer.get_config(self), "layers": [serialize(layer) for layer in self._sequence]}
        if self._functional is not None:
            config["build_input_shape"] = self.input_shape
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Any:
        model = cls(name=config.get("name"))
        for record in config["layers"]:
            if model._known_shape() is not None:
                auto_name("functional")  # Keras builds anew for each layer; to do so would take time that grows with their square
            model.add(deserialize(record, custom_objects), rebuild=False)
        model._rebuild()
        shape = config.get("build_input_shape")
        if not model.built and shape is not None and model._sequence:
            model.build(tuple(shape))
        return model
