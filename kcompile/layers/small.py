"""Owns the small layers: Identity, ActivityRegularization, Rescaling, Lambda, Masking."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import config, ops, regularizers
from .layer import Layer


class Identity(Layer):
    """What comes in goes out."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True
        self._build_at_init()

    def call(self, inputs: Any) -> Any:
        return inputs

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape


class ActivityRegularization(Layer):
    """What comes in goes out; its absolute values times `l1` and its squares times `l2`, divided by the rows, go into the loss."""

    def __init__(self, l1: float = 0.0, l2: float = 0.0, **kwargs: Any) -> None:
        super().__init__(activity_regularizer=regularizers.L1L2(l1=l1, l2=l2), **kwargs)
        self.supports_masking = True
        self.l1, self.l2 = l1, l2
        self._build_at_init()

    def call(self, inputs: Any) -> Any:
        return inputs

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        base = {name: value for name, value in super().get_config().items() if name != "activity_regularizer"}
        return {**base, "l1": self.l1, "l2": self.l2}


class Rescaling(Layer):
    """y = x * scale + offset, in the compute dtype; scale and offset may be lists, one number a channel (channels first or last,
    as `image_data_format` says)."""

    def __init__(self, scale: Any, offset: Any = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.scale, self.offset = scale, offset
        self.supports_masking = True

    def call(self, inputs: Any) -> Any:
        dtype = self.compute_dtype
        return ops.cast(inputs, dtype) * self._factor(self.scale, dtype) + self._factor(self.offset, dtype)

    def _factor(self, value: Any, dtype: str) -> Any:
        if not np.ndim(value):
            return float(value)
        factor = np.asarray(value)
        if config.image_data_format() == "channels_first" and factor.ndim == 1:
            factor = factor[:, None, None]
        return ops.cast(factor, dtype)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "scale": _plain(self.scale), "offset": _plain(self.offset)}


def _plain(value: Any) -> Any:
    return np.asarray(value).tolist() if hasattr(value, "shape") else value


class Lambda(Layer):
    """Any function of tensors as a layer; it must make no weights. `arguments` are further keywords for it."""

    def __init__(self, function: Callable[..., Any], output_shape: Any = None, mask: Any = None, arguments: dict[str, Any] | None = None,
                 **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.function = function
        self.arguments = dict(arguments or {})
        self._output_shape = output_shape
        self.mask = mask
        self.supports_masking = True
        parameters = inspect.signature(function).parameters
        self._function_takes = frozenset(name for name in ("mask", "training") if name in parameters)

    def call(self, inputs: Any, mask: Any = None, training: Any = None) -> Any:
        given = {"mask": mask, "training": training}
        return self.function(inputs, **self.arguments, **{name: given[name] for name in self._function_takes})

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return self.mask(inputs, mask) if callable(self.mask) else self.mask

    def compute_output_shape(self, input_shape: Any) -> Any:
        if self._output_shape is None:
            return super().compute_output_shape(input_shape)
        if callable(self._output_shape):
            return self._output_shape(input_shape)
        return (input_shape[0], *self._output_shape)

    def get_config(self) -> dict[str, Any]:
        """The configuration, with the function by reference: what a file says never becomes code."""
        optional = {"output_shape": self._output_shape, "mask": self.mask}
        return {**super().get_config(), "function": self.function, "arguments": dict(self.arguments),
                **{name: value for name, value in optional.items() if value is not None}}


    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Lambda:
        """The layer of a configuration; functions are found by name, or, with safe_mode=False, made of the code in it."""
        from ..saving import deserialize_keras_object

        config = dict(config)
        for name in ("function", "output_shape", "mask"):
            kind = config.pop(f"{name}_type", None)  # Keras 2
            config.pop("module" if name == "function" else f"{name}_module", None)
            value = config.get(name)
            if kind == "lambda" and value is not None:
                value = {"class_name": "__lambda__", "config": {"value": value}}
            elif kind == "function" and isinstance(value, str):
                value = {"class_name": "function", "config": value, "registered_name": value}
            if isinstance(value, (dict, str)):
                config[name] = deserialize_keras_object(value)
        return cls(**config)


class Masking(Layer):
    """Masks the steps of x[N, steps, C] whose every element equals `mask_value`, and sets them to 0."""

    def __init__(self, mask_value: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.mask_value = mask_value
        self.supports_masking = True
        self._build_at_init()

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return ops.any(ops.not_equal(inputs, self.mask_value), axis=-1)

    def call(self, inputs: Any) -> Any:
        passes = ops.any(ops.not_equal(inputs, self.mask_value), axis=-1, keepdims=True)
        return inputs * ops.cast(passes, inputs.dtype)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "mask_value": self.mask_value}
