"""The same training in the main thread, in other threads at once, and in a forked child: the same numbers."""

from __future__ import annotations

import multiprocessing
import sys
import threading
from typing import Any

import numpy as np
import pytest

import kcompile as keras
from kcompile import layers

DATA = np.random.default_rng(0)
X, Y = DATA.standard_normal((600, 6), "float32"), DATA.integers(0, 3, 600)


def losses() -> list[float]:
    first, second = keras.initializers.GlorotUniform(1), keras.initializers.GlorotUniform(2)
    model = keras.Sequential([layers.Input((6,)), layers.Dense(32, activation="tanh", kernel_initializer=first),
                              layers.Dense(3, activation="softmax", kernel_initializer=second)])
    model.compile("adam", "sparse_categorical_crossentropy")
    history: dict[str, list[float]] = model.fit(X, Y, batch_size=200, epochs=2, shuffle=False, verbose=0).history
    return history["loss"]


def report(queue: Any) -> None:
    queue.put(losses())


def test_fit_in_several_threads_at_once() -> None:
    expected, found = losses(), {}

    def work(number: int) -> None:
        found[number] = losses()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert found == dict.fromkeys(range(3), expected)


@pytest.mark.skipif(sys.platform != "linux", reason="fork is safe with threads of our own on Linux only")
def test_fit_in_a_forked_child_after_a_fit_and_then_in_the_parent() -> None:
    expected = losses()
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=report, args=(queue,))
    child.start()
    assert queue.get(timeout=60) == expected
    child.join(20)
    assert child.exitcode == 0
    assert losses() == expected
