"""Whether memory grows: over many fits, many predictions, and many models that are built, trained and dropped.

    python benchmarks/leaks.py                                  10,000 fits, 1,000,000 predictions, 1,000 models; exit code 1 for growth
    python benchmarks/leaks.py --fits 300 --predictions 20000 --models 30

Resident memory is read after a tenth of each (caches are full by then) and at the end.
"""

from __future__ import annotations

import argparse
import gc
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

import kcompile
from kcompile import layers

ALLOWED = 4.0  # megabytes between the two readings: what an allocator's fragments may come to


def resident() -> float:
    """Megabytes of this process in memory."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def built(units: int = 16):
    model = kcompile.Sequential([
        kcompile.Input((8,)), layers.Dense(units, activation="relu"), layers.BatchNormalization(), layers.Dense(2),
    ])
    model.compile("adam", "mse", metrics=["mae"])
    return model


def growth(action: Callable[[int], None], count: int) -> tuple[float, float]:
    """(megabytes after a tenth, megabytes at the end)."""
    first = max(1, count // 10)
    for number in range(first):
        action(number)
    before = resident()
    for number in range(first, count):
        action(number)
    return before, resident()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fits", type=int, default=10_000)
    parser.add_argument("--predictions", type=int, default=1_000_000)
    parser.add_argument("--models", type=int, default=1_000)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    x, y = rng.random((64, 8), "float32"), rng.random((64, 2), "float32")
    model = built()

    def fit(number: int) -> None:
        model.fit(x, y, batch_size=32, verbose=0)

    def predict(number: int) -> None:
        model.predict_on_batch(x[:1 + number % 24])

    def rebuild(number: int) -> None:
        one = built(8 + number % 4)
        one.fit(x, y, batch_size=32, verbose=0)
        one.predict(x, verbose=0)
        kcompile.backend.clear_session()
    grown = False
    for what, action, count in (("fits", fit, options.fits), ("predictions", predict, options.predictions),
                                ("models built and dropped", rebuild, options.models)):
        if not count:
            continue
        started = time.monotonic()
        before, after = growth(action, count)
        grown = grown or after - before > ALLOWED
        print(f"{count} {what}: {before:.1f} MB after {count // 10}, {after:.1f} MB at the end ({after - before:+.1f}), "
              f"{time.monotonic() - started:.0f} s", flush=True)
    raise SystemExit(1 if grown else 0)


if __name__ == "__main__":
    main()
