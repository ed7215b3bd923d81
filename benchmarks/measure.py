"""Time one workload under one engine in this process; print one line of JSON.

    python benchmarks/measure.py kcompile mlp
    KERAS_BACKEND=jax python benchmarks/measure.py keras mlp         (in an environment that has Keras)
"""

from __future__ import annotations

import importlib
import itertools
import json
import resource
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from workloads import WORKLOADS

SECONDS = 1.0  # of one measured epoch
EPOCHS = 4


def measure(engine: str, workload: str) -> dict[str, float | str]:
    started = time.perf_counter()
    keras = importlib.import_module(engine)
    imported = time.perf_counter()
    builder, batch = WORKLOADS[workload]
    model, data, arguments = builder(keras)
    model.compile(**arguments)
    x, y = data(batch, np.random.default_rng(0))
    ready = time.perf_counter()
    model.fit(x, y, batch_size=batch, verbose=0)
    first = time.perf_counter() - ready

    def epoch(steps: int) -> float:
        inputs, targets = data(steps * batch, np.random.default_rng(1))
        begun = time.perf_counter()
        model.fit(inputs, targets, batch_size=batch, verbose=0)
        return time.perf_counter() - begun

    steps = 8
    while (seconds := epoch(steps)) < 0.2 * SECONDS and steps * batch < 60000:
        steps *= 3
    steps = max(4, min(int(SECONDS * steps / seconds), 60000 // batch))
    inputs, targets = data(steps * batch, np.random.default_rng(1))
    marks: list[float] = []

    class Clock(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            marks.append(time.perf_counter())

    model.fit(inputs, targets, batch_size=batch, epochs=EPOCHS + 1, verbose=0, callbacks=[Clock()])
    per_step = [(b - a) / steps for a, b in itertools.pairwise(marks)]
    return {
        "engine": engine, "workload": workload,
        "step_ms": round(1e3 * min(per_step), 5), "median_ms": round(1e3 * float(np.median(per_step)), 5),
        "import_s": round(imported - started, 3), "first_step_s": round(first, 3),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
    }


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], sys.argv[2])))
