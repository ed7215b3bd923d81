"""Training steps of models of real sizes, native against the numpy interpreter in float64: weights, moments, loss and metrics."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import kcompile as keras
from kcompile import layers
from kcompile.executor import Runner
from kcompile.ir.evaluate import evaluate
from kcompile.ir.passes.differentiate import differentiate
from kcompile.ir.passes.widen import widen
from kcompile.training.data import as_batch
from kcompile.training.steps import trace_step


def _digits() -> list[Any]:
    return [keras.Input((784,)), layers.Dense(512, activation="relu"), layers.Dropout(0.2), layers.Dense(10, activation="softmax")]


def _convolutional() -> list[Any]:
    return [keras.Input((28, 28, 1)), layers.Conv2D(32, 3, activation="relu"), layers.MaxPooling2D(),
            layers.Conv2D(64, 3, activation="relu"), layers.MaxPooling2D(), layers.Flatten(), layers.Dense(10, activation="softmax")]


def _normalized() -> list[Any]:
    return [keras.Input((16, 16, 24)), layers.Conv2D(40, 3, padding="same", use_bias=False), layers.BatchNormalization(), layers.ReLU(),
            layers.Conv2D(48, 1, strides=2, use_bias=False), layers.BatchNormalization(), layers.AveragePooling2D(2),
            layers.GlobalAveragePooling2D(), layers.Dense(100), layers.LayerNormalization(),
            layers.Dense(10, activation="softmax", kernel_regularizer="l2")]


WITHIN = 1e-5  # of the largest element

MODELS: dict[str, tuple[Callable[[], list[Any]], tuple[int, ...]]] = {  # layers, sizes of the batches of two steps
    "digits": (_digits, (32, 7)),
    "convolutional": (_convolutional, (32, 5)),
    "normalized": (_normalized, (16, 3)),
}


def _wide(arrays: dict[str, Any]) -> dict[str, Any]:
    return {name: array.astype("float64") if array.dtype.kind == "f" else array for name, array in arrays.items()}


@pytest.mark.parametrize("name", MODELS)
def test_two_steps(name: str) -> None:
    stack, batches = MODELS[name]
    keras.utils.clear_session()
    keras.utils.set_random_seed(3)
    model = keras.Sequential(stack())
    model.compile(optimizer=keras.optimizers.SGD(0.1, momentum=0.9), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    rng = np.random.default_rng(1)
    shape = model.inputs[0].shape[1:]
    runner = None
    for rows in batches:
        batch = as_batch(rng.standard_normal((rows, *shape)).astype("float32"), rng.integers(0, 10, rows).astype("int64"), None)
        if runner is None:
            runner = Runner(trace_step(model, "train", batch.spec))
        graph = runner.step.graph
        params = {key: np.asarray(batch.arrays[key]).astype(value.dtype.numpy) for key, value in graph.params.items()}
        states = {path: runner.step.variables[path].array.copy() for path in graph.states}
        _, wanted = evaluate(widen(differentiate(graph)), _wide(params), _wide(states))
        runner.run(batch)
        for path, value in wanted.items():
            got = runner.step.variables[path].array
            if got.dtype.kind != "f":
                np.testing.assert_array_equal(got, value, err_msg=path)
                continue
            size = max(float(np.abs(value).max()), 1e-6)
            assert float(np.abs(got - value).max()) <= WITHIN * size, f"{path} after a batch of {rows}"
