"""A save that is killed at any moment leaves the old file or the new one, and either loads."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import kcompile as keras

KILLS = int(os.environ.get("KCOMPILE_KILLS", "6"))  # of each format; 200 take two minutes

PROGRAM = """
import sys
import numpy as np, kcompile as keras
path = sys.argv[1]
model = keras.Sequential([keras.layers.Input((300,)), keras.layers.Dense(300)])
print("ready", flush=True)
number = 0
while True:
    number += 1
    model.set_weights([np.full(w.shape, number, "float32") for w in model.weights])
    model.save(path)
"""


@pytest.mark.parametrize("ending", ["keras", "h5"])
def test_killed_saves(ending, tmp_path):
    path = tmp_path / f"m.{ending}"
    keras.Sequential([keras.layers.Input((300,)), keras.layers.Dense(300, kernel_initializer="zeros")]).save(path)
    rng = random.Random(3)
    for _ in range(KILLS):
        child = subprocess.Popen([sys.executable, "-c", PROGRAM, str(path)], stdout=subprocess.PIPE, text=True)
        assert child.stdout.readline() == "ready\n"
        time.sleep(rng.uniform(0.0, 0.1))
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
        kernel, bias = keras.models.load_model(path).get_weights()
        assert np.unique(kernel).size == 1  # one save's values, not a mixture
        assert kernel[0, 0] == bias[0]


def test_an_error_leaves_nothing_behind(tmp_path):
    from kcompile.saving.atomic import write_whole

    (tmp_path / "f").write_bytes(b"old")

    def fail(file):
        file.write(b"half")
        raise RuntimeError("disk")

    with pytest.raises(RuntimeError, match="disk"):
        write_whole(tmp_path / "f", fail)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("f", b"old")]
    (tmp_path / "link").symlink_to(tmp_path / "f")
    write_whole(tmp_path / "link", lambda file: file.write(b"new"))
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "f").read_bytes() == b"new"
