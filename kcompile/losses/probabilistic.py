"""Loss objects that compare labels with probabilities."""

from __future__ import annotations

from typing import Any

from ..dtypes import DType, standardize_dtype
from .functions import binary_crossentropy, categorical_crossentropy, kl_divergence, poisson, sparse_categorical_crossentropy
from .loss import LossFunctionWrapper


class BinaryCrossentropy(LossFunctionWrapper):
    """Cross-entropy of labels in 0 ... 1 and probabilities (from_logits: logits) of the same shape."""

    def __init__(self, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1,
                 reduction: str | None = "sum_over_batch_size", name: str | None = "binary_crossentropy", dtype: Any = None) -> None:
        super().__init__(binary_crossentropy, name=name, reduction=reduction, dtype=dtype, from_logits=from_logits,
                         label_smoothing=label_smoothing, axis=axis)
        self.from_logits, self.label_smoothing, self.axis = from_logits, label_smoothing, axis


class CategoricalCrossentropy(LossFunctionWrapper):
    """Cross-entropy of one-hot labels and probabilities (from_logits: logits) of the same shape."""

    def __init__(self, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1,
                 reduction: str | None = "sum_over_batch_size", name: str | None = "categorical_crossentropy", dtype: Any = None) -> None:
        super().__init__(categorical_crossentropy, name=name, reduction=reduction, dtype=dtype, from_logits=from_logits,
                         label_smoothing=label_smoothing, axis=axis)
        self.from_logits, self.label_smoothing, self.axis = from_logits, label_smoothing, axis


class SparseCategoricalCrossentropy(LossFunctionWrapper):
    """Cross-entropy of integer labels [batch, ...] and probabilities (from_logits: logits) [batch, ..., classes].

    ignore_class: labels of this class do not count.
    """

    def __init__(self, from_logits: bool = False, ignore_class: int | None = None, reduction: str | None = "sum_over_batch_size",
                 axis: int = -1, name: str | None = "sparse_categorical_crossentropy", dtype: Any = None) -> None:
        super().__init__(sparse_categorical_crossentropy, name=name, reduction=reduction, dtype=dtype, from_logits=from_logits,
                         ignore_class=ignore_class, axis=axis)
        self.from_logits, self.ignore_class, self.axis = from_logits, ignore_class, axis

    def _label_dtype(self, y_true: Any) -> DType:
        """Integer labels stay integers: a float of 24 bits cannot hold every class number."""
        dtype = getattr(y_true, "dtype", None)
        if dtype is not None and standardize_dtype(dtype).is_integer:
            return standardize_dtype(dtype)
        return self._dtype

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "reduction": self.reduction, "from_logits": self.from_logits, "ignore_class": self.ignore_class,
                **({"axis": self.axis} if self.axis != -1 else {})}


class KLDivergence(LossFunctionWrapper):
    """The Kullback-Leibler divergence of y_pred from y_true, two distributions along the last axis."""

    def __init__(self, reduction: str | None = "sum_over_batch_size", name: str | None = "kl_divergence", dtype: Any = None) -> None:
        super().__init__(kl_divergence, name=name, reduction=reduction, dtype=dtype)


class Poisson(LossFunctionWrapper):
    """The negative log-likelihood of counts y_true at Poisson rates y_pred, up to a constant."""

    def __init__(self, reduction: str | None = "sum_over_batch_size", name: str | None = "poisson", dtype: Any = None) -> None:
        super().__init__(poisson, name=name, reduction=reduction, dtype=dtype)
