"""A whole training run has the same bits on any number of threads."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from kcompile.codegen.executable import Executable
from kcompile.codegen.runtime import layout
from kcompile.codegen.runtime.pool import pool
from kcompile.compiler import codegen_options

from .models import TABLE, trained

CASES = [(name, "adam") for name in TABLE] + [("cnn", "sgd"), ("batch_normalization", "rmsprop")]
TESTS = Path(__file__).parents[1]


@pytest.mark.parametrize(("name", "optimizer"), CASES)
def test_same_bits_on_any_number_of_threads(name: str, optimizer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """However little work a step is: the threshold below which one thread does it alone is taken away."""
    def on(threads: int) -> dict[str, bytes]:
        monkeypatch.setattr(Executable, "threads_for", lambda self, symbols: threads)
        return trained(name, optimizer)

    alone = on(1)
    for threads in (2, 4):
        assert _different(on(threads), alone) == [], f"on {threads} threads"
    assert pool(codegen_options()).started >= 3


@pytest.mark.parametrize("name", ["cnn", "strided", "depthwise", "layer_normalization"])
def test_same_bits_where_calls_go_through_samples_together(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of any number of samples at a time, and whatever is left for a thread."""
    taken = set()

    def calls(self: Executable, symbols: object) -> npt.NDArray[np.int64]:
        taken.update(call.together for call in self.code.calls)
        few = self.calls.copy()
        words = few[layout.STEPS_HEAD:layout.STEPS_HEAD + layout.STEP_WORDS * few[0]].reshape(-1, layout.STEP_WORDS)
        words[:, layout.STEP_SAMPLES] = np.minimum(words[:, layout.STEP_SAMPLES], at_a_time)
        kept.append(few)
        return few

    kept: list[npt.NDArray[np.int64]] = []
    monkeypatch.setattr(Executable, "threads_for", lambda self, symbols: 1)
    monkeypatch.setattr(Executable, "calls_for", lambda self, symbols: self.calls_apart)
    apart = trained(name, batch=29)
    monkeypatch.setattr(Executable, "calls_for", calls)
    for threads, at_a_time in ((1, 1), (2, 3), (3, 1000), (4, 2)):
        monkeypatch.setattr(Executable, "threads_for", lambda self, symbols, threads=threads: threads)
        assert _different(trained(name, batch=29), apart) == [], f"{at_a_time} at a time on {threads} threads"
    assert max(taken) > 1


def test_same_bits_in_a_second_run() -> None:
    assert _different(trained("cnn"), trained("cnn")) == []


def test_the_variable_of_the_environment() -> None:
    """KCOMPILE_THREADS, each value in a process of its own: a step with enough work for several threads, trained alike."""
    program = ("import json, kcompile as keras, numpy as np, zlib\n"
               "from kcompile.codegen import executable\n"
               "seen = set()\n"
               "usual = executable.Executable.threads_for\n"
               "executable.Executable.threads_for = lambda self, symbols: seen.add(usual(self, symbols)) or usual(self, symbols)\n"
               "keras.utils.set_random_seed(1)\n"
               "model = keras.Sequential([keras.Input((300,)), keras.layers.Dense(256, activation='relu'), keras.layers.Dropout(0.2),\n"
               "                          keras.layers.BatchNormalization(), keras.layers.Dense(10)])\n"
               "model.compile(optimizer='adam', loss='mse')\n"
               "rng = np.random.default_rng(0)\n"
               "x, y = rng.standard_normal((300, 300)).astype('float32'), rng.standard_normal((300, 10)).astype('float32')\n"
               "losses = model.fit(x, y, batch_size=64, epochs=2, verbose=0).history['loss']\n"
               "bits = [zlib.crc32(np.asarray(w).tobytes()) for w in model.get_weights()]\n"
               "print(json.dumps([sorted(seen), losses, bits]))\n")

    def on(threads: int) -> list[object]:
        environment = {**os.environ, "KCOMPILE_THREADS": str(threads), "PYTHONPATH": str(TESTS.parent)}
        done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
        seen, *bits = json.loads(done.stdout)
        assert max(seen) == threads
        return bits

    alone = on(1)
    assert on(2) == alone
    assert on(4) == alone


def _different(found: dict[str, bytes], reference: dict[str, bytes]) -> list[str]:
    assert list(found) == list(reference)
    return [name for name, bits in found.items() if bits != reference[name]]
