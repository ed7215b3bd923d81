"""A save that is killed at any moment leaves the old file or the new one, and either loads."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

KILLS = int(os.environ.get("KCOMPILE_KILLS", "10"))  # of each format

PROGRAM = """
import os, random, signal, sys, time
import numpy as np, kcompile as keras
path, kills, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
model = keras.Sequential([keras.layers.Input((300,)), keras.layers.Dense(300, kernel_initializer="zeros")])
read = keras.models.clone_model(model)
save = {"keras": model.save, "h5": model.save, "folder": lambda path: model.save(path, zipped=False),
        "json": lambda path: model.save_weights(path, max_shard_size=0.00034)}[path.rsplit(".", 1)[1]]
save(path)
rng, numbers = random.Random(seed), set()
for _ in range(kills):
    ready, tell = os.pipe()
    child = os.fork()
    if not child:
        number = rng.randrange(1000)
        while True:
            number += 1
            model.set_weights([np.full(w.shape, number, "float32") for w in model.weights])
            save(path)
            os.write(tell, b".")
    os.read(ready, 1)  # the first save is done, and the child is in one of those that follow
    time.sleep(rng.uniform(0.0, 0.03))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(ready), os.close(tell)
    if path.endswith("json"):
        read.load_weights(path)
    else:
        read = keras.models.load_model(path)
    kernel, bias = read.get_weights()
    assert np.unique(kernel).size == 1 and kernel[0, 0] == bias[0] != 0, "a mixture of two saves"
    numbers.add(float(bias[0]))
print(kills, "kills,", len(numbers), "different saves found")
"""


@pytest.mark.parametrize("name", ["m.keras", "m.h5", "m.folder", "m.weights.json"])
def test_killed_saves(name, tmp_path):
    """At every moment the older save or the newer one is there, and loads; never a mixture."""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", PROGRAM, str(tmp_path / name), str(KILLS), "3"], capture_output=True,
                          text=True, check=False, timeout=1200)
    assert done.stdout.startswith(f"{KILLS} kills"), done.stderr[-2000:]
    print(name, done.stdout)


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
