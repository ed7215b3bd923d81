"""Penalties on weights or outputs that are added to the loss: L1, L2, both, orthogonality."""

from __future__ import annotations

import math
from typing import Any

from . import ops
from .identifiers import deserialize_object, find_object, serialize_object
from .suggest import suggest_names


class Regularizer:
    """Called with a tensor, gives a scalar. Subclasses define `__call__` and `get_config`."""

    def __call__(self, x: Any) -> Any:
        return 0.0

    def get_config(self) -> dict[str, Any]:
        raise NotImplementedError(f"{self} does not implement get_config()")

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Regularizer:
        return cls(**config)


def _factor(value: Any, name: str) -> float:
    """A finite, non-negative number (None is 0). Raises ValueError."""
    if value is None:
        return 0.0
    if isinstance(value, bool) or not hasattr(value, "__float__") or not math.isfinite(float(value)) or float(value) < 0:
        raise ValueError(f"Invalid value for argument {name}: expected a non-negative float. Received: {name}={value}")
    return float(value)


class L1L2(Regularizer):
    """l1 * sum(|x|) + l2 * sum(x^2)."""

    def __init__(self, l1: float = 0.0, l2: float = 0.0) -> None:
        self.l1, self.l2 = _factor(l1, "l1"), _factor(l2, "l2")

    def __call__(self, x: Any) -> Any:
        penalty: Any = 0.0
        if self.l1:
            penalty = self.l1 * ops.sum(ops.absolute(x))
        if self.l2:
            squares = self.l2 * ops.sum(ops.square(x))
            penalty = squares if not self.l1 else penalty + squares
        return ops.convert_to_tensor(penalty) if isinstance(penalty, float) else penalty

    def get_config(self) -> dict[str, Any]:
        return {"l1": self.l1, "l2": self.l2}


class L1(Regularizer):
    """l1 * sum(|x|)."""

    def __init__(self, l1: float = 0.01) -> None:
        self.l1 = 0.01 if l1 is None else _factor(l1, "l1")

    def __call__(self, x: Any) -> Any:
        return self.l1 * ops.sum(ops.absolute(x))

    def get_config(self) -> dict[str, Any]:
        return {"l1": self.l1}


class L2(Regularizer):
    """l2 * sum(x^2)."""

    def __init__(self, l2: float = 0.01) -> None:
        self.l2 = 0.01 if l2 is None else _factor(l2, "l2")

    def __call__(self, x: Any) -> Any:
        return self.l2 * ops.sum(ops.square(x))

    def get_config(self) -> dict[str, Any]:
        return {"l2": self.l2}


class OrthogonalRegularizer(Regularizer):
    """factor times the mean |cosine| between different rows (or columns) of a matrix. Raises ValueError for another rank."""

    def __init__(self, factor: float = 0.01, mode: str = "rows") -> None:
        if mode not in ("rows", "columns"):
            raise ValueError(f'Invalid value for argument `mode`. Expected one of {{"rows", "columns"}}. Received: mode={mode}')
        self.factor, self.mode = _factor(factor, "factor"), mode

    def __call__(self, inputs: Any) -> Any:
        if len(inputs.shape) != 2:
            raise ValueError(f"Inputs to OrthogonalRegularizer must have rank 2. Received: inputs.shape={tuple(inputs.shape)}")
        axis = 1 if self.mode == "rows" else 0
        unit = ops.normalize(inputs, axis=axis, epsilon=1e-6)
        size = int(inputs.shape[1 - axis])
        products = ops.matmul(unit, ops.transpose(unit)) if self.mode == "rows" else ops.matmul(ops.transpose(unit), unit)
        others = products * (1.0 - ops.eye(size, dtype=products.dtype))
        pairs = size * (size - 1.0) / 2.0
        return self.factor * 0.5 * ops.sum(ops.absolute(others)) / pairs

    def get_config(self) -> dict[str, Any]:
        return {"factor": self.factor, "mode": self.mode}


l1, l2, l1_l2, orthogonal_regularizer = L1, L2, L1L2, OrthogonalRegularizer

_CLASSES: dict[str, Any] = {cls.__name__: cls for cls in (L1, L2, L1L2, OrthogonalRegularizer)}
_KNOWN: dict[str, Any] = {**_CLASSES, "l1": L1, "l2": L2, "l1_l2": L1L2, "orthogonal_regularizer": OrthogonalRegularizer}


def get(identifier: Any) -> Any:
    """A regularizer from a name, class, record or function; None stays None. Raises ValueError."""
    return find_object(identifier, "regularizer", _KNOWN)


def serialize(regularizer: Any) -> Any:
    """The record of a regularizer: module, class_name, config."""
    return serialize_object(regularizer, "keras.regularizers", _CLASSES)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The regularizer of a record or name. Raises ValueError for an unknown one."""
    return deserialize_object(config, "regularizer", _KNOWN, custom_objects)


suggest_names(__name__)
