"""How much anonymous memory a fit from a large memory-mapped array holds.

    python benchmarks/memory_mapped.py [--gigabytes 4] [--dtype float32] [--shuffle]

The array is a sparse file in a temporary folder: it takes no room on the disk. Prints the most anonymous memory (RssAnon) that the process
held before and during the fit, and fails above 500 MB.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
from pathlib import Path

import numpy as np

COLUMNS = 1024
LIMIT_MB = 500


def anonymous_mb() -> float:
    """Anonymous memory of this process now."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) / 1024
    raise OSError("/proc/self/status has no RssAnon")


class Watch(threading.Thread):
    """Looks at the memory again and again."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.most = anonymous_mb()
        self.done = threading.Event()

    def run(self) -> None:
        while not self.done.wait(0.02):
            self.most = max(self.most, anonymous_mb())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=4.0)
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--shuffle", action="store_true", help="rows in random order, as fit does by default")
    parser.add_argument("--dataset", action="store_true", help="through Dataset.from_tensor_slices")
    options = parser.parse_args()

    import kcompile as keras

    rows = int(options.gigabytes * 2**30) // (COLUMNS * np.dtype(options.dtype).itemsize)
    with tempfile.TemporaryDirectory() as folder:
        x = np.memmap(Path(folder) / "x.data", options.dtype, "w+", shape=(rows, COLUMNS))
        y = np.zeros(rows, np.uint8)
        model = keras.Sequential([keras.Input((COLUMNS,)), keras.layers.Dense(8, "relu"), keras.layers.Dense(2)])
        model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        before = anonymous_mb()
        watch = Watch()
        watch.start()
        if options.dataset:
            data = keras.data.Dataset.from_tensor_slices((x, y))
            model.fit((data.shuffle(10000) if options.shuffle else data).batch(1024), verbose=2)
        else:
            model.fit(x, y, batch_size=1024, shuffle=options.shuffle, verbose=2)
        watch.done.set()
        watch.join()
    print(f"{x.nbytes / 2**30:.2f} GB of {options.dtype}, {rows} rows: {before:.0f} MB of anonymous memory before the fit, "
          f"at most {watch.most:.0f} MB during it")
    return 0 if watch.most < LIMIT_MB else 1


if __name__ == "__main__":
    sys.exit(main())
