"""Counts of right and wrong decisions at thresholds, and the ratios made of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import ops
from ..losses.reduction import as_tensor, same_rank
from ..variables import Variable
from .metric import Metric

_OUTCOMES = ("true_positives", "true_negatives", "false_positives", "false_negatives")


NOTHING = -1e10  # the score of what is not among the top k: below every threshold


def _thresholds(thresholds: Any) -> list[float]:
    values = [0.5 if thresholds is None else thresholds] if not isinstance(thresholds, (list, tuple)) else list(thresholds)
    for value in values:
        if value is None or not 0 <= value <= 1:
            raise ValueError(f"Argument `thresholds` must hold numbers in 0 ... 1. Received: thresholds={thresholds}")
    return [float(value) for value in values]


class Decisions(Metric):
    """Counts some of the four outcomes of y_pred > threshold, for every threshold. Predictions and labels lie in 0 ... 1.

    class_id: only this entry of the last axis is looked at; top_k: only the k largest of the last axis may be taken for positive, and
    without thresholds all of them are.
    """

    def __init__(self, outcomes: Sequence[str], thresholds: Any, class_id: int | None, name: str | None, dtype: Any,
                 top_k: int | None = None) -> None:
        super().__init__(name=name, dtype=dtype)
        self.init_thresholds = thresholds
        self.thresholds = [NOTHING] if thresholds is None and top_k is not None else _thresholds(thresholds)
        self.class_id, self.top_k = class_id, top_k
        self._counted: dict[str, Variable] = {
            outcome: self.add_variable((len(self.thresholds),), "zeros", name=outcome) for outcome in outcomes}

    def _count(self, y_true: Any, y_pred: Any, sample_weight: Any) -> None:
        dtype = next(iter(self._counted.values())).dtype
        y_true, y_pred = same_rank(as_tensor(y_true, dtype), as_tensor(y_pred, dtype))
        if self.top_k is not None:
            _, places = ops.top_k(y_pred, self.top_k, sorted=False)
            among = ops.sum(ops.one_hot(places, y_pred.shape[-1], axis=-1, dtype=dtype), axis=-2)
            y_pred = y_pred * among + NOTHING * (1.0 - among)
        if self.class_id is not None:
            y_true, y_pred = y_true[..., self.class_id], y_pred[..., self.class_id]
        weights: Any = 1.0
        if sample_weight is not None:
            weights = as_tensor(sample_weight, dtype)
            y_pred, weights = same_rank(y_pred, weights)
            while len(weights.shape) < len(y_pred.shape):
                weights = ops.expand_dims(weights, -1)
        right = ops.cast(ops.cast(y_true, "bool"), dtype)
        for outcome, variable in self._counted.items():
            sums = []
            for threshold in self.thresholds:
                decided = ops.cast(y_pred > threshold, dtype)
                truth = right if outcome in ("true_positives", "false_negatives") else 1.0 - right
                chosen = decided if outcome.endswith("positives") else 1.0 - decided
                sums.append(ops.sum(truth * chosen * weights))
            variable.assign_add(ops.stack(sums))

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        self._count(y_true, y_pred, sample_weight)

    def _shown(self, value: Any) -> Any:
        """A scalar where there is one threshold."""
        return value[0] if len(self.thresholds) == 1 else value

    def result(self) -> Any:
        (variable,) = self._counted.values()
        return self._shown(ops.convert_to_tensor(variable))

    def reset_state(self) -> None:
        for variable in self._counted.values():
            variable.assign(np.zeros(tuple(variable.shape), variable.array.dtype))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "thresholds": self.init_thresholds}


class TruePositives(Decisions):
    """How many are positive and were taken for it."""

    _direction = "up"

    def __init__(self, thresholds: Any = None, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(("true_positives",), thresholds, None, name, dtype)


class TrueNegatives(Decisions):
    """How many are negative and were taken for it."""

    _direction = "up"

    def __init__(self, thresholds: Any = None, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(("true_negatives",), thresholds, None, name, dtype)


class FalsePositives(Decisions):
    """How many are negative and were taken for positive."""

    _direction = "down"

    def __init__(self, thresholds: Any = None, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(("false_positives",), thresholds, None, name, dtype)


class FalseNegatives(Decisions):
    """How many are positive and were taken for negative."""

    _direction = "down"

    def __init__(self, thresholds: Any = None, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(("false_negatives",), thresholds, None, name, dtype)


class _Ratio(Decisions):
    """true positives / (true positives + another outcome)."""

    _direction = "up"
    _other = ""

    def __init__(self, thresholds: Any = None, top_k: int | None = None, class_id: int | None = None, name: str | None = None,
                 dtype: Any = None) -> None:
        super().__init__(("true_positives", self._other), thresholds, class_id, name, dtype, top_k)
        self.true_positives = self._counted["true_positives"]
        setattr(self, self._other, self._counted[self._other])

    def result(self) -> Any:
        hits, others = self._counted["true_positives"], self._counted[self._other]
        return self._shown(ops.divide_no_nan(hits, hits + others))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "top_k": self.top_k, "class_id": self.class_id}


class Precision(_Ratio):
    """The share of what was taken for positive that is positive."""

    _other = "false_positives"


class Recall(_Ratio):
    """The share of the positives that was found."""

    _other = "false_negatives"
