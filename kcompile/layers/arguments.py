"""Owns the reading of arguments: what a layer is called, built and constructed with."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np

from .. import ops
from ..dtypes import is_float_dtype
from ..tensor import Tensor, TracedTensor, eager_tensor
from ..variables import Variable


def convert_argument(value: Any, autocast: bool, dtype: str) -> Any:
    """A tensor of the compute dtype for a float tensor or array; integer and bool ones keep theirs; other values stay as they are."""
    if not isinstance(value, (TracedTensor, Tensor, Variable)):
        if not hasattr(value, "__array__") or isinstance(value, (bool, int, float, str)):
            return value
        array = np.asarray(value)
        cast = autocast and array.dtype.kind not in "OUSc" and is_float_dtype(array.dtype)
        return eager_tensor(array, dtype if cast else None)
    if not autocast or value.dtype == dtype or not is_float_dtype(value.dtype):
        return value
    mask = getattr(value, "_keras_mask", None)
    converted = ops.cast(value, dtype)
    if mask is not None:
        converted._keras_mask = mask
    return converted


def build_parameters(cls: Any) -> tuple[str, ...]:
    """The names of a layer class's `build` parameters behind self."""
    parameters = list(inspect.signature(cls.build).parameters.values())[1:]
    return tuple(p.name for p in parameters if p.kind not in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD))


def as_shape(shape: Any) -> Any:
    """Lists of sizes, as JSON has them, as tuples; structures of shapes likewise."""
    if isinstance(shape, (list, tuple)) and all(size is None or isinstance(size, (int, np.integer)) for size in shape):
        return tuple(shape)
    if isinstance(shape, dict):
        return {key: as_shape(value) for key, value in shape.items()}
    return [as_shape(value) for value in shape] if isinstance(shape, (list, tuple)) else shape


def legacy_shape(given: dict[str, Any]) -> tuple[Any, ...] | None:
    """The batch shape that input_shape, input_dim, batch_input_shape or batch_shape stands for."""
    if "batch_shape" in given or "batch_input_shape" in given:
        return tuple(given.get("batch_shape") or given["batch_input_shape"])
    if "input_shape" in given:
        shape = given["input_shape"]
        return (None, shape) if isinstance(shape, int) else (None, *shape)
    if "input_dim" in given:
        return (None, given["input_dim"])
    return None


def constructor_config(cls: type, args: tuple[Any, ...], kwargs: dict[str, Any], base: dict[str, Any]) -> dict[str, Any]:
    """What the constructor was called with, beside those of the `base` settings that it takes.

    Raises NotImplementedError for arguments that are no plain data.
    """
    signature = inspect.signature(cls.__init__)  # type: ignore[misc]
    bound = signature.bind(None, *args, **kwargs)
    given: dict[str, Any] = {}
    for name, value in list(bound.arguments.items())[1:]:
        kind = signature.parameters[name].kind
        given.update(value if kind is inspect.Parameter.VAR_KEYWORD else {name: value})
        if kind is inspect.Parameter.VAR_POSITIONAL and value:
            raise NotImplementedError(_says_itself(cls, name, value))
    takes_any = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in signature.parameters.values())
    for name, value in given.items():
        if not _is_plain(value) and name not in base:
            raise NotImplementedError(_says_itself(cls, name, value))
    kept = {name: value for name, value in base.items() if takes_any or name in signature.parameters}
    return {**{name: value for name, value in given.items() if name not in base}, **kept}


def _is_plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_plain(item) for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, (str, bool, int, float))


def _says_itself(cls: type, name: str, value: Any) -> str:
    return (f"{cls.__name__} was constructed with {name}={value!r}, which is no plain data, so it must override `get_config()`: "
            f"return {{**super().get_config(), {name!r}: ...}}.")
