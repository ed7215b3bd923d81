"""Owns Model: what subclassed, functional and Sequential models share besides training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import tree
from ..layers.input_layer import InputLayer
from ..layers.layer import Layer
from ..tensor import KerasTensor
from ..training.trainer import Trainer


def defines_a_function(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether constructor arguments are those of a functional model: inputs and outputs."""
    return len(args) == 2 or (len(args) == 1 and "outputs" in kwargs) or ("inputs" in kwargs and "outputs" in kwargs)


class Model(Trainer, Layer):
    """Layers put together, with `fit`, `evaluate` and `predict`.

    `Model(inputs, outputs)` makes a functional model from symbolic tensors; a subclass makes its layers in `__init__` and
    computes in `call(inputs, training=None, mask=None)`.
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        if cls is Model and defines_a_function(args, kwargs):
            from .functional import Functional

            return Functional.__new__(Functional, *args, **kwargs)
        return super().__new__(cls, *args, **kwargs)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if defines_a_function(args, kwargs):
            from .functional import Functional

            _put_in_place_of_model(type(self), Functional)
            Functional.__init__(self, *args, **kwargs)  # type: ignore[arg-type]
            return
        if "inputs" in kwargs or "outputs" in kwargs:
            raise TypeError(f"a functional model needs both `inputs` and `outputs`; received {', '.join(map(repr, kwargs))} only")
        Trainer.__init__(self)
        Layer.__init__(self, *args, **kwargs)

    _is_model = True

    # -- structure --------------------------------------------------------------------------------------------
    @property
    def layers(self) -> list[Layer]:
        """The layers directly in this model."""
        return list(self._flatten_layers(include_self=False, recursive=False))

    @layers.setter
    def layers(self, value: Any) -> None:
        raise AttributeError("`Model.layers` attribute is reserved and should not be used. Please use another name.")

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """A layer by name or position. Raises ValueError when there is none."""
        layers = self.layers
        if name is None and index is None:
            raise ValueError("Provide either a layer name or layer index at `get_layer`.")
        if name is not None and index is not None:
            raise ValueError(f"Provide only a layer name or a layer index. Received: index={index}, name={name}.")
        if index is not None:
            if index >= len(layers):
                raise ValueError(f"Was asked to retrieve layer at index {index} but model only has {len(layers)} layers.")
            return layers[index]
        for layer in layers:
            if layer.name == name:
                return layer
        raise ValueError(f"No such layer: {name}. Existing layers are: {[layer.name for layer in layers]}.")

    @property
    def fixed_batch_size(self) -> int | None:
        """The batch size that an Input of the model was given, or None when any will do."""
        for layer in self._flatten_layers(include_self=False, recursive=False):
            if isinstance(layer, InputLayer) and layer.enforces_shape and layer.batch_shape and layer.batch_shape[0] is not None:
                return layer.batch_shape[0]
        return None

    # -- building and calling ---------------------------------------------------------------------------------
    def build(self, input_shape: Any) -> None:
        """Make all weights for inputs of this shape (or structure of shapes) by a call that is thrown away.

        Raises ValueError when `call` cannot be run on inputs of the compute dtype: call the model on data then.
        """
        if self._in_call:
            return
        inputs = tree.map_shape_structure(lambda shape: KerasTensor(shape, dtype=self.compute_dtype), input_shape)
        self.compute_output_spec(inputs)
        self._clear_losses()

    def call(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(f"Model {type(self).__name__} does not have a `call()` method implemented.")

    def summary(self, line_length: int | None = None, positions: list[float] | None = None, print_fn: Callable[[str], Any] | None = None,
                expand_nested: bool = False, show_trainable: bool = False, layer_range: Any = None) -> None:
        """Print the layers, their output shapes and numbers of parameters. See kcompile/summary.py for the arguments."""
        from ..summary import print_summary

        print_summary(self, line_length, positions, print_fn, expand_nested, show_trainable, layer_range)

    def show(self, stage: str = "simplified", step: str | None = None, names: bool = True, locations: bool = False) -> None:
        """Print a stage of the train, test or predict step, from the traced graph to assembly; `kcompile list stages` names them."""
        from ..inspection import show

        print(show(self, stage, step, names, locations))

    def memory_plan(self, batch: int = 32, step: str | None = None) -> Any:
        """The exact memory of a step at a batch size, before anything runs; `print` it for a table. Raises ValueError."""
        from ..tools.memory import memory_plan

        return memory_plan(self, batch, step)

    def verify(self, batch: int = 5, step: str | None = None, seed: int = 0) -> Any:
        """Check this model's native code: each op and the fused step against float64, gradients against finite differences.

        The result's `passed` says whether all agree; `print` it for the worst error of each layer. Nothing of the model changes.
        """
        from ..tools.verify import verify_model

        return verify_model(self, batch, step, seed)

    # -- into files and back ----------------------------------------------------------------------------------
    def save(self, filepath: Any, overwrite: bool = True, zipped: bool | None = None, **kwargs: Any) -> None:
        """Write architecture, weights, compile configuration and optimizer state to `x.keras` or `x.h5`; whole or not at all."""
        from ..saving import api

        api.save_model(self, filepath, overwrite, zipped, **kwargs)

    def save_weights(self, filepath: Any, overwrite: bool = True, max_shard_size: Any = None, **kwargs: Any) -> None:
        """Write the weights to `x.weights.h5`, or in Keras 2's layout to `x.h5`."""
        from ..saving import api

        api.save_weights(self, filepath, overwrite, max_shard_size, **kwargs)

    def load_weights(self, filepath: Any, skip_mismatch: bool = False, **kwargs: Any) -> None:
        """Take the weights of a `.weights.h5`, `.h5` or `.keras` file. Raises ModelFileError naming every layer that does not fit."""
        from ..saving import api

        api.load_weights(self, filepath, skip_mismatch, **kwargs)

    def export(self, filepath: Any, format: str = "tf_saved_model", verbose: Any = None, input_signature: Any = None,
               **kwargs: Any) -> None:
        """Not done here: the formats that Keras exports to are graphs of other frameworks. Raises NotImplementedError."""
        raise NotImplementedError(f"models are not exported to '{format}', which holds another framework's graph. Save the model to a "
                                  "`.keras` file: `keras.models.load_model` of Keras itself reads it, and exports it")

    def to_json(self, **kwargs: Any) -> str:
        """The architecture, without weights, as a JSON string."""
        from ..saving import api

        return api.model_to_json(self, **kwargs)

    # -- configuration ----------------------------------------------------------------------------------------
    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Any:
        """The model of a configuration, without weights. Raises ValueError for unknown layers."""
        from .functional import Functional
        from .functional_config import functional_from_config, is_functional_config

        if is_functional_config(config) and (cls in (Model, Functional) or issubclass(cls, Functional)):
            return functional_from_config(cls if issubclass(cls, Functional) else Functional, config, custom_objects)
        return cls(**config)


def _put_in_place_of_model(cls: type, replacement: type) -> None:
    """Let a subclass of Model that calls super().__init__(inputs, outputs) inherit from Functional."""
    if cls is Model or issubclass(cls, replacement):
        return
    for base in cls.__bases__:
        if base is not object and issubclass(base, Model) and base is not Model:
            _put_in_place_of_model(base, replacement)
    cls.__bases__ = tuple(replacement if base is Model else base for base in cls.__bases__)
