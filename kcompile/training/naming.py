"""What a loss or metric given to `compile` means, once the shapes of labels and predictions are known."""

from __future__ import annotations

from typing import Any

from .. import losses, metrics, tree
from ..losses.loss import Loss, LossFunctionWrapper
from ..naming import to_snake_case

_ACCURACY = ("accuracy", "acc")
_CROSSENTROPY = ("crossentropy", "ce")


def check_names(given: Any, kind: str) -> None:
    """Raises ValueError for names that mean nothing, before any shape is known."""
    for identifier in tree.flatten(given):
        if isinstance(identifier, str) and identifier.lower() not in (*_ACCURACY, *_CROSSENTROPY):
            (losses if kind == "loss" else metrics).get(identifier)


def _kind(y_true: Any, y_pred: Any) -> str:
    """'binary' for predictions of one number, 'sparse' for class numbers, else 'categorical'."""
    if not len(y_pred.shape) or y_pred.shape[-1] == 1:
        return "binary"
    return "sparse" if len(y_true.shape) < len(y_pred.shape) or y_true.shape[-1] == 1 else "categorical"


def metric_for(identifier: Any, y_true: Any, y_pred: Any) -> metrics.Metric:
    """The metric of an identifier: 'accuracy' and 'crossentropy' by the shapes; functions are averaged. Raises ValueError."""
    word = identifier.lower() if isinstance(identifier, str) else ""
    found: Any
    if word in _ACCURACY:
        found = {"binary": metrics.BinaryAccuracy, "sparse": metrics.SparseCategoricalAccuracy,
                 "categorical": metrics.CategoricalAccuracy}[_kind(y_true, y_pred)](name=identifier)
    elif word in _CROSSENTROPY:
        found = {"binary": metrics.BinaryCrossentropy, "sparse": metrics.SparseCategoricalCrossentropy,
                 "categorical": metrics.CategoricalCrossentropy}[_kind(y_true, y_pred)](name=identifier)
    else:
        found = metrics.get(identifier)
    if not isinstance(found, metrics.Metric):
        found = metrics.MeanMetricWrapper(found, name=_name_of(found))
    if isinstance(identifier, str):
        found.name = identifier
    metric: metrics.Metric = found
    return metric


def _name_of(function: Any) -> str:
    """What results call a plain callable: its own name in snake case (a lambda is "lambda"), or that of its class."""
    return str(getattr(function, "name", None) or to_snake_case(getattr(function, "__name__", None) or type(function).__name__))


def loss_for(identifier: Any, y_true: Any, y_pred: Any) -> Any:
    """The Loss of an identifier; functions are wrapped, 'crossentropy' is chosen by the shapes. Raises ValueError."""
    word = identifier.lower() if isinstance(identifier, str) else ""
    if word in _CROSSENTROPY:
        found: Any = {"binary": losses.binary_crossentropy, "sparse": losses.sparse_categorical_crossentropy,
                      "categorical": losses.categorical_crossentropy}[_kind(y_true, y_pred)]
    else:
        found = losses.get(identifier)
    if isinstance(found, Loss):
        return found
    name = identifier if isinstance(identifier, str) else _name_of(found)
    if found is losses.sparse_categorical_crossentropy:
        return losses.SparseCategoricalCrossentropy(name=name)
    return LossFunctionWrapper(found, name=name)
