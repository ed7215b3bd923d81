"""Loss objects: a function of (y_true, y_pred), with a reduction, weights and masks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import config, naming, ops, tree
from ..dtypes import DType, standardize_dtype
from .reduction import as_tensor, mask_of, reduce_weighted, same_rank, standardize_reduction


class Loss:
    """The base of losses. Subclasses define call(y_true, y_pred) -> one value a sample.

    reduction: 'sum_over_batch_size' (the mean over all values), 'sum', 'mean', 'mean_with_sample_weight', 'none';
    dtype: what is computed in, default floatx.
    """

    def __init__(self, name: str | None = None, reduction: str | None = "sum_over_batch_size", dtype: Any = None) -> None:
        self.name = name or naming.auto_name(type(self).__name__)
        self.reduction = standardize_reduction(reduction)
        self._dtype = standardize_dtype(getattr(dtype, "compute_dtype", dtype) or config.floatx())

    @property
    def dtype(self) -> DType:
        return self._dtype

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """The reduced loss. y_true, y_pred: tensors, or nested structures of them where `call` takes these; masks that y_pred
        (or the values) carry take part. Raises ValueError for shapes that do not go together."""
        mask = mask_of(y_pred)
        y_pred = tree.map_structure(lambda y: as_tensor(y, self._dtype), y_pred)
        y_true = tree.map_structure(lambda y: as_tensor(y, self._label_dtype(y)), y_true)
        values = self.call(y_true, y_pred)
        own = mask_of(values)
        if mask is not None and own is not None:
            mask = ops.logical_and(ops.cast(mask, "bool"), ops.cast(own, "bool"))
        return reduce_weighted(values, sample_weight, own if mask is None else mask, self.reduction, self._dtype)

    def _label_dtype(self, y_true: Any) -> DType:
        return self._dtype

    def call(self, y_true: Any, y_pred: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} must define call(y_true, y_pred)")

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "reduction": self.reduction}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Loss:
        return cls(**config)


class LossFunctionWrapper(Loss):
    """A loss made of a function (y_true, y_pred, **kwargs) -> one value a sample."""

    def __init__(self, fn: Callable[..., Any], reduction: str | None = "sum_over_batch_size", name: str | None = None, dtype: Any = None,
                 **kwargs: Any) -> None:
        super().__init__(name=name or getattr(fn, "__name__", None), reduction=reduction, dtype=dtype)
        self.fn = fn
        self._fn_kwargs = kwargs

    def call(self, y_true: Any, y_pred: Any) -> Any:
        if not tree.is_nested(y_pred) and not tree.is_nested(y_true):
            y_true, y_pred = same_rank(y_true, y_pred)
        return self.fn(y_true, y_pred, **self._fn_kwargs)

    def get_config(self) -> dict[str, Any]:
        own = {"fn": self.fn} if type(self) is LossFunctionWrapper else {}
        return {**super().get_config(), **own, **self._fn_kwargs}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> LossFunctionWrapper:
        from ..saving import deserialize_keras_object

        config = dict(config)
        if "fn" in config:
            config["fn"] = deserialize_keras_object(config["fn"])
        return cls(**config)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}({self.fn}, kwargs={self._fn_kwargs})>"
