"""What kcompile costs beside its kernels: a `fit`, a step of a `fit`, a prediction and a call of a model, each against native code alone.

    python benchmarks/small_costs.py                       a table; run it alone on the machine
    python benchmarks/small_costs.py --workload tabular mlp resnet20 --rounds 9

`native`: one step, its arrays bound before, called from Python over and over (which costs half a microsecond by itself); beside a step
of a long fit as many such calls, since the best of single calls would meet a better moment than any long fit does.
`beside`: what is left of the time before it when that is taken off. Figures are medians of the rounds, each the best of its calls.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
from report import table
from workloads import PREDICT, workload

import kcompile

STEPS = 2000  # of an epoch
MOST_BYTES = 64 << 20  # of its rows


def best(action: Callable[[], object], seconds: float) -> float:
    """Microseconds of the fastest of the calls that fit the time, three at least."""
    times: list[float] = []
    end = time.perf_counter() + seconds
    while len(times) < 3 or time.perf_counter() < end:
        started = time.perf_counter()
        action()
        times.append(time.perf_counter() - started)
    return 1e6 * min(times)


def native_step(model, kind: str, batch) -> Callable[[], None]:
    """A step of a model that has run before, on arrays that stay."""
    runner = model._runner(kind, batch.spec)
    arrays = runner._fixed()
    for name, dtype in runner._params.items():
        arrays[name] = np.ascontiguousarray(batch.arrays[name], dtype)
    for name in runner.batch_outputs:
        kind_of = runner._outputs[name]
        arrays[runner._buffers[name]] = np.empty([d if isinstance(d, int) else batch.rows for d in kind_of.shape], kind_of.dtype.numpy)
    return runner.executable.prepare(arrays, (), {"B": batch.rows}).run


def training(name: str, rounds: int, seconds: float) -> list[list[str]]:
    from kcompile.training.data import as_batch

    builder, batch, _ = workload(name)
    model, data, arguments = builder(kcompile)
    model.compile(**arguments)
    x, y = data(batch, np.random.default_rng(0))
    steps = max(2, min(STEPS, MOST_BYTES // (x.nbytes + y.nbytes)))
    many = data(steps * batch, np.random.default_rng(1))
    model.fit(x, y, batch_size=batch, verbose=0)
    step = native_step(model, "train", as_batch(x, y))

    def epoch() -> None:
        for _ in range(steps):
            step()
    one: list[float] = []
    alone: list[float] = []
    each: list[float] = []
    alike: list[float] = []
    for _ in range(rounds):
        alone.append(best(step, seconds))
        one.append(best(lambda: model.fit(x, y, batch_size=batch, verbose=0), seconds))
        alike.append(best(epoch, seconds) / steps)
        each.append(best(lambda: model.fit(*many, batch_size=batch, verbose=0), seconds) / steps)
    return [row(name, "fit of one batch", one, alone), row(name, f"a step of a fit of {steps}", each, alike)]


def prediction(name: str, rounds: int, seconds: float) -> list[list[str]]:
    from kcompile.training.data import as_batch

    builder, batch, _ = workload(name)
    model, data, _ = builder(kcompile)
    x, _ = data(batch, np.random.default_rng(0))
    model.predict_on_batch(x)
    step = native_step(model, "predict", as_batch(x))
    calls = {"predict_on_batch": lambda: model.predict_on_batch(x), "model(x)": lambda: model(x),
             "predict": lambda: model.predict(x, batch_size=batch, verbose=0)}
    times: dict[str, list[float]] = {what: [] for what in calls}
    alone: list[float] = []
    for _ in range(rounds):
        alone.append(best(step, seconds))
        for what, call in calls.items():
            times[what].append(best(call, seconds))
    return [row(name, what, found, alone) for what, found in times.items()]


def row(name: str, what: str, times: list[float], alone: list[float]) -> list[str]:
    whole, kernels = statistics.median(times), statistics.median(alone)
    beside = statistics.median(t - a for t, a in zip(times, alone, strict=True))
    return [name, what, f"{whole:.1f}", f"{kernels:.1f}", f"{beside:.1f}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workload", nargs="+", default=["tabular", "mlp", "predict_mlp"], metavar="NAME")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.3, help="for each figure of a round")
    options = parser.parse_args()
    rows: list[list[str]] = []
    for name in options.workload:
        rows += (prediction if name in PREDICT else training)(name, options.rounds, options.seconds)
    print(table(["workload", "what", "µs", "native, µs", "beside, µs"], rows))


if __name__ == "__main__":
    main()
