"""Steps while other processes load the machine: how much slower than the fair share of the processors would make them.

    python benchmarks/load.py                          exit code 1 where a step takes more than twice the fair share
    python benchmarks/load.py --workload mlp --busy 4

`busy` processes that do nothing but compute run beside a `fit`. With T threads and K such processes on C processors each thread gets
C / (T + K) of one, so that a step should take (T + K) / C times as long as alone; `of the share` is how many times longer it took.
Means over the time, not best times: a collapse is a matter of the worst ones.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time

import numpy as np
from report import table
from workloads import WORKLOADS, workload

import kcompile

MOST_BYTES = 64 << 20  # of an epoch's rows
ALLOWED = 2.0


class Steps:
    """A model that trains for as long as one asks."""

    def __init__(self, name: str) -> None:
        builder, self.batch, _ = workload(name)
        self.model, data, arguments = builder(kcompile)
        self.model.compile(**arguments)
        x, y = data(self.batch, np.random.default_rng(0))
        rows = self.batch * max(2, min(2000, MOST_BYTES // (x.nbytes + y.nbytes)))
        self.data = data(rows, np.random.default_rng(1))
        self.model.fit(x, y, batch_size=self.batch, verbose=0)
        runner, = self.model._runners.values()
        self.threads = runner.executable.threads_for({"B": self.batch})

    def microseconds(self, seconds: float) -> float:
        """The mean of the steps that fit the time."""
        started = time.perf_counter()

        class Stop(kcompile.callbacks.Callback):
            def on_epoch_end(self, epoch, logs=None):
                self.model.stop_training = time.perf_counter() - started > seconds
        history = self.model.fit(*self.data, batch_size=self.batch, epochs=1_000_000, verbose=0, callbacks=[Stop()])
        steps = len(history.epoch) * (len(self.data[0]) // self.batch)
        return 1e6 * (time.perf_counter() - started) / steps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workload", nargs="+", default=["tabular", "mlp", "cnn_b32"], choices=WORKLOADS, metavar="NAME")
    parser.add_argument("--busy", type=int, default=None, help="processes beside the fit; as many as processors by default")
    parser.add_argument("--seconds", type=float, default=2.0)
    options = parser.parse_args()
    from kcompile.codegen.host import usable_cores
    cores = usable_cores()
    busy = cores if options.busy is None else options.busy
    rows, worst = [], 0.0
    for name in options.workload:
        steps = Steps(name)
        alone = steps.microseconds(options.seconds)
        others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(busy)]
        try:
            time.sleep(0.3)
            beside = steps.microseconds(options.seconds)
        finally:
            for other in others:
                other.kill()
                other.wait()
        share = max(1.0, (steps.threads + busy) / cores)
        worst = max(worst, beside / alone / share)
        rows.append([name, str(steps.threads), f"{alone:.1f}", f"{beside:.1f}", f"{beside / alone:.2f}", f"{share:.2f}",
                     f"{beside / alone / share:.2f}"])
    print(table(["workload", "threads", "alone, µs", f"beside {busy} busy processes, µs", "times", "fair share", "of the share"], rows))
    raise SystemExit(1 if worst > ALLOWED else 0)


if __name__ == "__main__":
    main()
