"""Names that plain callables get in results, as Keras gives them."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

import kcompile as keras
from kcompile import layers, ops


def scaled(y_true: Any, y_pred: Any, factor: float = 1.0) -> Any:
    return ops.mean(ops.abs(y_true - y_pred) * factor, axis=-1)


def CamelCase(y_true: Any, y_pred: Any) -> Any:
    return ops.mean(y_pred, axis=-1)


class OfAnInstance:
    def __call__(self, y_true: Any, y_pred: Any) -> Any:
        return ops.mean(y_pred)


def test_partials_instances_lambdas_and_camel_case() -> None:
    model = keras.Sequential([layers.Input((3,)), layers.Dense(2, kernel_initializer="ones")])
    metrics = [functools.partial(scaled, factor=3.0), OfAnInstance(), CamelCase, lambda a, b: ops.mean(b), lambda a, b: ops.max(b)]
    model.compile("sgd", functools.partial(scaled, factor=2.0), metrics=metrics)
    history = model.fit(np.ones((4, 3)), np.zeros((4, 2)), verbose=0).history
    assert list(history) == ["camel_case", "lambda", "lambda_1", "loss", "of_an_instance", "partial"]
    assert history["partial"] == [9.0] and history["loss"] == [6.0]
