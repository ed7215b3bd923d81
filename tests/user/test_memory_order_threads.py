"""Weights in panels while other threads read, write and train: nobody sees memory on its way from one order to another."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kcompile as keras
from kcompile import layers, memory_order, ops, optimizers

from .test_memory_order import (
    DATA,
    FEATURES,
    ROWS,
    UNITS,
    X,
    Y,
    fit,
    kernel_of,
    panels_on_every_machine,  # noqa: F401
    shared,
)


def equal_rows() -> Any:
    """A model whose large kernel has equal rows and keeps them on data with equal columns."""
    model = keras.Sequential([keras.Input((FEATURES,)), layers.Dense(UNITS, use_bias=False, kernel_initializer="zeros", name="large")])
    model.get_layer("large").kernel.assign(np.tile(np.random.default_rng(2).standard_normal(UNITS).astype("float32"), (FEATURES, 1)))
    model.compile(optimizers.SGD(1e-6, momentum=0.5), "mse")
    return model


READS: dict[str, Callable[[Any], np.ndarray]] = {
    "numpy": lambda model: model.get_layer("large").kernel.numpy(),
    "get_weights": lambda model: model.get_weights()[0],
    "asarray": lambda model: np.asarray(model.get_layer("large").kernel),
    "value": lambda model: np.asarray(model.get_layer("large").kernel.value),
    "momentum": lambda model: model.optimizer.variables[2].numpy(),
    "operation": lambda model: np.asarray(model.get_layer("large").kernel + 0.0),
    "product": lambda model: np.asarray(ops.matmul(np.eye(FEATURES, dtype="float32"), model.get_layer("large").kernel)),
    "call": lambda model: np.asarray(model(np.eye(FEATURES, dtype="float32"))),
    "predict_on_batch": lambda model: model.predict_on_batch(np.eye(FEATURES, dtype="float32")),
    "predict": lambda model: model.predict(np.eye(FEATURES, dtype="float32"), verbose=0, batch_size=FEATURES),
}


@pytest.mark.parametrize("read", READS)
def test_who_reads_while_another_thread_trains_sees_whole_values(read: str) -> None:
    model = equal_rows()
    x = np.ones((ROWS, FEATURES), "float32") * DATA.standard_normal((ROWS, 1)).astype("float32")
    y = np.tile(Y[:, :1], (1, UNITS))
    model.fit(x, y, verbose=0)
    READS[read](model)  # everything is compiled
    stop, failed = threading.Event(), []

    def train() -> None:
        try:
            while not stop.is_set():
                model.train_on_batch(x, y)
        except BaseException as error:
            failed.append(error)
    thread = threading.Thread(target=train)
    thread.start()
    try:
        found = [READS[read](model) for _ in range(40)]
    finally:
        stop.set()
        thread.join(60)
    assert not failed and not thread.is_alive()
    for value in found:
        assert np.isfinite(value).all()
        np.testing.assert_array_equal(value, np.broadcast_to(value[:1], value.shape))
    final = model.get_layer("large").kernel.numpy()
    np.testing.assert_array_equal(final, np.broadcast_to(final[:1], final.shape))


@pytest.fixture
def trains_at_once(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The moment after this thread has brought memory back, another one wants it in panels, as a thread that trains would."""
    real, others = memory_order.MemoryOrder.settle, []

    def settle(order: Any, memory: Any, columns: int) -> None:
        real(order, memory, columns)
        if columns == 0 and threading.current_thread() is threading.main_thread():
            others.append(threading.Thread(target=real, args=(order, memory, 32)))
            others[-1].start()
            others[-1].join(0.05)  # it waits for who holds the lock
    monkeypatch.setattr(memory_order.MemoryOrder, "settle", settle)
    yield
    monkeypatch.undo()
    for other in others:
        other.join(60)
    assert others and not any(other.is_alive() for other in others)


def with_different_rows() -> Any:
    model = equal_rows()
    kernel_of(model).assign(np.random.default_rng(6).standard_normal((FEATURES, UNITS), "float32"))
    model.fit(X, np.tile(Y[:, :1], (1, UNITS)), verbose=0)
    return model


@pytest.mark.parametrize("read", READS)
def test_nobody_moves_what_is_read(read: str, request: pytest.FixtureRequest) -> None:
    model = with_different_rows()
    wanted = READS[read](model)
    for variable in (kernel_of(model), model.optimizer.variables[2]):
        variable.in_panels(32)
    request.getfixturevalue("trains_at_once")
    np.testing.assert_array_equal(READS[read](model), wanted)


NEW = np.random.default_rng(8).standard_normal((FEATURES, UNITS), "float32")
WRITES: dict[str, Callable[[Any, np.ndarray, Path], Any]] = {
    "assign": lambda model, old, folder: kernel_of(model).assign(NEW),
    "assign_add": lambda model, old, folder: kernel_of(model).assign_add(NEW - old),
    "set_weights": lambda model, old, folder: model.set_weights([NEW]),
    "load_weights": lambda model, old, folder: model.load_weights(folder / "new.weights.h5"),
}


@pytest.mark.parametrize("write", WRITES)
def test_nobody_moves_what_is_written(write: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    model = with_different_rows()
    old = kernel_of(model).numpy()
    kernel_of(model).assign(NEW)
    model.save_weights(tmp_path / "new.weights.h5")
    kernel_of(model).assign(old)
    kernel_of(model).in_panels(32)
    request.getfixturevalue("trains_at_once")
    WRITES[write](model, old, tmp_path)
    np.testing.assert_array_equal(kernel_of(model).numpy(), old + (NEW - old) if write == "assign_add" else NEW)


@pytest.mark.parametrize("saved", ["w.weights.h5", "m.keras"])
def test_nobody_moves_what_is_saved(saved: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    model = with_different_rows()
    wanted = kernel_of(model).numpy()
    kernel_of(model).in_panels(32)
    other = equal_rows()
    request.getfixturevalue("trains_at_once")
    (model.save if saved == "m.keras" else model.save_weights)(tmp_path / saved)
    if saved == "m.keras":
        other = keras.models.load_model(tmp_path / saved)
    else:
        other.load_weights(tmp_path / saved)
    np.testing.assert_array_equal(kernel_of(other).numpy(), wanted)


def test_writing_while_another_thread_trains() -> None:
    model = equal_rows()
    kernel = model.get_layer("large").kernel
    x = np.ones((ROWS, FEATURES), "float32") * DATA.standard_normal((ROWS, 1)).astype("float32")
    model.fit(x, np.tile(Y[:, :1], (1, UNITS)), verbose=0)
    thread = threading.Thread(target=lambda: model.fit(x, np.tile(Y[:, :1], (1, UNITS)), verbose=0, epochs=60))
    thread.start()
    row = np.arange(UNITS, dtype=np.float32) * 1e-3
    while thread.is_alive():
        kernel.assign(np.tile(row, (FEATURES, 1)))
    thread.join(60)
    final = kernel.numpy()
    np.testing.assert_array_equal(final, np.broadcast_to(final[:1], final.shape))


def test_two_threads_train_one_model_each_on_a_shared_layer() -> None:
    first, second = shared()
    fit(first, epochs=1)
    fit(second, epochs=1)
    threads = [threading.Thread(target=fit, args=(model, 10)) for model in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not any(thread.is_alive() for thread in threads)
    assert all(np.isfinite(weight).all() for weight in [*first.get_weights(), *second.get_weights()])
    assert first.evaluate(X, Y, verbose=0) < 2 * float(np.square(Y).mean())
