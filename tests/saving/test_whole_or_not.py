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

KILLS = int(os.environ.get("KCOMPILE_KILLS", "3"))  # of each format; 200 take some minutes

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
    model.save(path, zipped=None if path.endswith(("keras", "h5")) else False)
"""


@pytest.mark.parametrize("ending", ["keras", "h5", "folder"])
def test_killed_saves(ending, tmp_path):
    path = tmp_path / f"m.{ending}"
    keras.Sequential([keras.layers.Input((300,)), keras.layers.Dense(300, kernel_initializer="zeros")]).save(
        path, zipped=None if ending != "folder" else False)
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


FULL = """
import errno, os, resource, signal, sys
import numpy as np, kcompile as keras
folder, = sys.argv[1:]
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # writing beyond the limit is then an error, as on a full disk
model = keras.Sequential([keras.layers.Input((300,)), keras.layers.Dense(300, name="d")])
saves = {"m.keras": model.save, "m.h5": model.save, "m.weights.h5": model.save_weights, "w.h5": model.save_weights,
         "m": lambda path: model.save(path, zipped=False),
         "s.weights.json": lambda path: model.save_weights(path, max_shard_size=1)}
for name, save in saves.items():
    save(os.path.join(folder, name))
before = {place: open(place, "rb").read() for where, _, names in os.walk(folder) for place in [os.path.join(where, n) for n in names]}
model.set_weights([w + 1 for w in model.get_weights()])
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
for name, save in saves.items():
    for path in (os.path.join(folder, name), os.path.join(folder, "new" + name)):
        try:
            save(path)
        except OSError as error:
            assert error.errno == errno.EFBIG, error
            assert f"cannot write {folder}" in str(error) and "File too large" in str(error), error
            assert ("unchanged" in str(error)) == ("new" not in path), error
        else:
            raise AssertionError(path)
after = {place: open(place, "rb").read() for where, _, names in os.walk(folder) for place in [os.path.join(where, n) for n in names]}
assert after == before, (sorted(before), sorted(after))
print("whole")
"""


def test_a_full_disk_leaves_the_older_files(tmp_path):
    done = subprocess.run([sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True, check=False, timeout=300)
    assert done.stdout == "whole\n", done.stderr[-2000:]


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
