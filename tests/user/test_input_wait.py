"""Waiting for data shows in the progress bar; memory-mapped data stays on the disk."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kcompile as keras
from kcompile import layers
from kcompile.data import Dataset

X, Y = np.ones((64, 3), "float32"), np.ones((64, 1), "float32")


def model() -> Any:
    made = keras.Sequential([layers.Input((3,)), layers.Dense(1)])
    made.compile("sgd", "mse")
    return made


def slow(x: Any, y: Any) -> Any:
    time.sleep(0.02)
    return x.numpy(), y


def generator() -> Any:
    for _ in range(8):
        time.sleep(0.03)
        yield X, Y


@pytest.mark.parametrize("source", [lambda: Dataset.from_tensor_slices((X, Y)).batch(4).map(slow), generator])
def test_a_slow_pipeline_shows(source: Any, capsys: pytest.CaptureFixture[str]) -> None:
    made = model()
    made.fit(X, Y, verbose=0)  # compiled before, so that the time of the epoch is that of the input
    history = made.fit(source(), verbose=2).history
    shares = re.findall(r"input wait: (\d+)%", capsys.readouterr().out)
    assert shares and int(shares[-1]) >= 30
    assert set(history) == {"loss"}, "no metric of its own"


def test_fast_input_does_not(capsys: pytest.CaptureFixture[str]) -> None:
    model().fit(Dataset.from_tensor_slices((X, Y)).batch(4), verbose=2)
    assert "input wait" not in capsys.readouterr().out


@pytest.mark.parametrize("options", [["--shuffle"], ["--dtype", "float64"], ["--dataset", "--shuffle"]])
def test_a_fit_from_a_memory_map_holds_little_memory(options: list[str]) -> None:
    """A smaller form of the benchmark, whose array of 4 GB would take long: 1 GB, of which nothing may be copied."""
    command = Path(__file__).resolve().parents[2] / "benchmarks" / "memory_mapped.py"
    done = subprocess.run([sys.executable, str(command), "--gigabytes", "1", *options], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found = re.search(r"(\d+) MB of anonymous memory before the fit, at most (\d+) MB", done.stdout)
    assert found and int(found[2]) - int(found[1]) < 150
