"""Intersection over union of classes: of what is, or is taken for, a class, how much is both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import config, ops
from ..common.users_code import warn
from ..losses.reduction import as_tensor
from .metric import Metric


class IoU(Metric):
    """The mean over `target_class_ids` of true positives / (true positives + false positives + false negatives).

    Labels and predictions are classes 0 ... num_classes - 1, or with sparse_y_true=False, sparse_y_pred=False scores of them along
    `axis`, of which the largest counts. ignore_class: labels of this class do not count. What lies out of range does not count either.
    Raises ValueError for target classes that do not exist.
    """

    _direction = "up"

    def __init__(self, num_classes: int, target_class_ids: Sequence[int], name: str | None = None, dtype: Any = None,
                 ignore_class: int | None = None, sparse_y_true: bool = True, sparse_y_pred: bool = True, axis: int = -1) -> None:
        super().__init__(name=name, dtype=dtype or "int64")
        if max(target_class_ids) >= num_classes:
            raise ValueError(f"Target class id {max(target_class_ids)} is out of range, which is [0, {num_classes}).")
        self.num_classes, self.target_class_ids, self.ignore_class = num_classes, list(target_class_ids), ignore_class
        self.sparse_y_true, self.sparse_y_pred, self.axis = sparse_y_true, sparse_y_pred, axis
        self.total_cm = self.add_variable((num_classes, num_classes), "zeros", self.dtype, name="total_confusion_matrix")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        if not self.sparse_y_true:
            y_true = ops.argmax(as_tensor(y_true), axis=self.axis)
        if not self.sparse_y_pred:
            y_pred = ops.argmax(as_tensor(y_pred), axis=self.axis)
        labels, found = (ops.reshape(as_tensor(value, self.dtype), (-1,)) for value in (y_true, y_pred))
        counts = ops.ones_like(labels)
        if sample_weight is not None:
            weights = as_tensor(sample_weight)
            if weights.dtype.is_floating and self.dtype.is_integer:
                warn("You are passing weight as `float`, but dtype is `int`. This may result in an incorrect weight due to type casting "
                     "Consider using integer weights.", UserWarning)
            counts = counts * ops.reshape(ops.cast(weights, self.dtype), (-1,) if len(weights.shape) else ())
        inside = ops.logical_and(ops.logical_and(labels >= 0, labels < self.num_classes),
                                 ops.logical_and(found >= 0, found < self.num_classes))
        if self.ignore_class is not None:
            inside = ops.logical_and(inside, ops.not_equal(labels, self.ignore_class))
        cells = ops.where(inside, ops.cast(labels, "int32") * self.num_classes + ops.cast(found, "int32"), -1)
        counted = ops.segment_sum(counts, cells, self.num_classes * self.num_classes)  # -1 is left out
        self.total_cm.assign_add(ops.reshape(counted, (self.num_classes, self.num_classes)))

    def result(self) -> Any:
        matrix = ops.convert_to_tensor(self.total_cm)
        right = ops.diag(matrix)
        union = ops.sum(matrix, axis=0) + ops.sum(matrix, axis=1) - right
        right, union = (ops.take(ops.cast(value, "float32"), self.target_class_ids, axis=0) for value in (right, union))
        occurs = union > 1e-9
        shares = ops.where(occurs, right / (union + config.epsilon()), ops.zeros_like(union))
        return ops.sum(shares) / (ops.sum(ops.cast(occurs, "float32")) + config.epsilon())

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "num_classes": self.num_classes, "target_class_ids": self.target_class_ids,
                "ignore_class": self.ignore_class, "sparse_y_true": self.sparse_y_true, "sparse_y_pred": self.sparse_y_pred,
                "axis": self.axis}

    def _config_of(self, *names: str) -> dict[str, Any]:
        whole = IoU.get_config(self)
        return {name: whole[name] if name in whole else getattr(self, name) for name in names}


class BinaryIoU(IoU):
    """IoU of two classes told apart by a threshold."""

    def __init__(self, target_class_ids: Sequence[int] = (0, 1), threshold: float = 0.5, name: str | None = None,
                 dtype: Any = None) -> None:
        super().__init__(2, target_class_ids, name=name, dtype=dtype)
        self.threshold = threshold

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        super().update_state(y_true, ops.cast(as_tensor(y_pred, "float32") >= self.threshold, self.dtype), sample_weight)

    def get_config(self) -> dict[str, Any]:
        return self._config_of("target_class_ids", "threshold", "name", "dtype")


class MeanIoU(IoU):
    """The mean of the IoU of all classes that occur."""

    def __init__(self, num_classes: int, name: str | None = None, dtype: Any = None, ignore_class: int | None = None,
                 sparse_y_true: bool = True, sparse_y_pred: bool = True, axis: int = -1) -> None:
        super().__init__(num_classes, range(num_classes), name, dtype, ignore_class, sparse_y_true, sparse_y_pred, axis)

    def get_config(self) -> dict[str, Any]:
        return self._config_of("num_classes", "name", "dtype", "ignore_class", "sparse_y_true", "sparse_y_pred", "axis")


class OneHotIoU(IoU):
    """IoU of one-hot labels and scores of classes."""

    def __init__(self, num_classes: int, target_class_ids: Sequence[int], name: str | None = None, dtype: Any = None,
                 ignore_class: int | None = None, sparse_y_pred: bool = False, axis: int = -1) -> None:
        super().__init__(num_classes, target_class_ids, name, dtype, ignore_class, False, sparse_y_pred, axis)

    def get_config(self) -> dict[str, Any]:
        return self._config_of("num_classes", "target_class_ids", "name", "dtype", "ignore_class", "sparse_y_pred", "axis")


class OneHotMeanIoU(MeanIoU):
    """The mean of the IoU of all classes that occur, for one-hot labels and scores of classes."""

    def __init__(self, num_classes: int, name: str | None = None, dtype: Any = None, ignore_class: int | None = None,
                 sparse_y_pred: bool = False, axis: int = -1) -> None:
        super().__init__(num_classes, name, dtype, ignore_class, False, sparse_y_pred, axis)

    def get_config(self) -> dict[str, Any]:
        return self._config_of("num_classes", "name", "dtype", "ignore_class", "sparse_y_pred", "axis")
