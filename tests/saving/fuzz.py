"""A mutation fuzzer over valid files of each format: `python tests/saving/fuzz.py [--mutants 100000] [--seed 0] [--seconds 0]`.

Each mutant is loaded in this very process. Allowed ends: the model, or one ValueError (of which ModelFileError is one). Anything else,
2 seconds or more, a file opened by name or a program started is a finding; the mutant that caused it is kept in --keep. Mutants
are made of flipped bits, spliced and repeated ranges, extreme numbers, truncation, and changed configurations behind a valid zip or
HDF5 shell.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import random
import struct
import sys
import tempfile
import time
import warnings
import zipfile
from collections import Counter
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[2]), str(Path(__file__).resolve().parent)]

import numpy as np  # noqa: E402

SLOWEST = 2.0
NUMBERS = [0, 1, 7, 8, 255, 65535, 2**31 - 1, 2**31, 2**32 - 1, 2**48, 2**63 - 1, 2**63, 2**64 - 1]
VALUES = [None, True, -1, 0, 1, 2**31, 2**62, 1e308, float("nan"), "", "relu", "../../etc/passwd", "__lambda__", [], [[]], {},
          [None],
          {"class_name": "__lambda__", "config": {"code": "4wAA", "defaults": None, "closure": None}},
          {"class_name": "Dense", "config": {}},
          {"module": "os", "class_name": "system", "config": "true", "registered_name": "system"}]


def seeds():
    """{name: bytes} of valid files of every format."""
    import kcompile as keras

    keras.utils.set_random_seed(0)
    layers = keras.layers
    plain = keras.Sequential([layers.Input((4,)), layers.Dense(3, activation="relu"), layers.Dropout(0.2), layers.BatchNormalization(),
                              layers.Dense(2)])
    given = keras.Input((6, 2))
    joined = keras.Model(given, layers.Add()([layers.Dense(2)(layers.Flatten()(given)), keras.ops.mean(given, axis=1)]))
    files = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, model in (("plain", plain), ("joined", joined)):
            model.compile("adam", "mse", metrics=["mae"])
            model.optimizer.build(model.trainable_variables)
            for ending in ("keras", "h5", "weights.h5"):
                path = os.path.join(folder, f"{name}.{ending}")
                model.save_weights(path) if ending == "weights.h5" else model.save(path)
                files[f"{name}.{ending}"] = Path(path).read_bytes()
            path = os.path.join(folder, f"{name}.weights.json")
            model.save_weights(path, max_shard_size=300 / 2**30)
            files.update({part.name: part.read_bytes() for part in Path(folder).glob(f"{name}_0*")})
            files[f"{name}.weights.json"] = Path(path).read_bytes()
            path = os.path.join(folder, f"{name}_old.h5")
            model.save_weights(path)
            files[f"{name}_old.h5"] = Path(path).read_bytes()
    return files, {"plain": plain, "joined": joined}


def mutate_bytes(data, rng):
    data = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 4, 16))):
        place, kind = rng.randrange(max(len(data), 1)), rng.randrange(7)
        if kind == 0:
            data[place] ^= 1 << rng.randrange(8)
        elif kind == 1:
            data[place] = rng.randrange(256)
        elif kind == 2:
            size = rng.choice((2, 4, 8))
            data[place:place + size] = struct.pack("<Q", rng.choice(NUMBERS))[:size]
        elif kind == 3:
            other, size = rng.randrange(len(data)), rng.randrange(64)
            data[place:place + size] = data[other:other + size]
        elif kind == 4:
            size = rng.choice((2, 4, 8))
            here = int.from_bytes(data[place:place + size], "little")
            data[place:place + size] = ((here + rng.randrange(-9, 10)) % (1 << 8 * size)).to_bytes(size, "little")
        elif kind == 5 and rng.random() < 0.3:
            del data[place:]
        else:
            del data[place:place + rng.randrange(16)]
        if not data:
            break
    return bytes(data)


def mutate_value(value, rng, depth=0):
    """The same structure with one part changed."""
    if isinstance(value, dict) and value and (rng.random() < 0.9 or not depth):
        key = rng.choice(list(value))
        kind = rng.random()
        if kind < 0.08:
            return {name: item for name, item in value.items() if name != key}
        if kind < 0.12:
            return {**value, rng.choice(["x", "call", "fn", "path", "vocabulary", "module"]): rng.choice(VALUES)}
        return {**value, key: mutate_value(value[key], rng, depth + 1)}
    if isinstance(value, list) and value and rng.random() < 0.9:
        place = rng.randrange(len(value))
        if rng.random() < 0.1:
            return value[:place] + value[place + 1:] if rng.random() < 0.5 else value + value
        return [*value[:place], mutate_value(value[place], rng, depth + 1), *value[place + 1:]]
    if isinstance(value, (int, float)) and not isinstance(value, bool) and rng.random() < 0.6:
        return rng.choice([value + 1, -value, value * 1000, 2**40, 0, float(value)])
    return rng.choice(VALUES)


def mutant(name, data, rng):
    """A changed file: of its bytes, or, where the file holds a configuration, of that."""
    if rng.random() < 0.5 or name.endswith("weights.h5") or "_old" in name:
        return mutate_bytes(data, rng)
    if name.endswith(".json"):
        return json.dumps(mutate_value(json.loads(data), rng)).encode()
    if name.endswith(".keras"):
        out = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
            for member in old.namelist():
                content = old.read(member)
                if member == "config.json":
                    content = json.dumps(mutate_value(json.loads(content), rng)).encode()
                elif rng.random() < 0.2:
                    content = mutate_bytes(content, rng)
                new.writestr(member, content)
        return out.getvalue()
    import h5py

    out = io.BytesIO(data)
    with h5py.File(out, "r+") as file:
        key = rng.choice(("model_config", "model_config", "training_config"))
        file.attrs[key] = json.dumps(mutate_value(json.loads(file.attrs[key]), rng))
    return out.getvalue()


class Watch:
    """Notes files opened and programs started while a mutant is loaded, by Python's audit events."""

    def __init__(self):
        self.path, self.events = None, []
        sys.addaudithook(self.hook)

    def is_shard(self, path):
        """Whether a file is one that the index in hand may refer to: beside it, and named as a shard is."""
        return self.path.endswith(".json") and os.path.dirname(path) == os.path.dirname(self.path) and path.endswith(".weights.h5")

    def hook(self, event, arguments):
        if self.path is None:
            return
        if event in ("os.system", "subprocess.Popen", "os.exec", "os.posix_spawn", "socket.connect", "pickle.find_class") or \
                (event == "open" and isinstance(arguments[0], str) and arguments[0] != self.path and not self.is_shard(arguments[0])
                 and not arguments[0].endswith((".py", ".pyc", ".so"))):
            self.events.append((event, str(arguments[:1])[:200]))


def load(name, path, models):
    import kcompile as keras

    if ".weights." in name or "_old" in name:
        models[name.split(".")[0].removesuffix("_old")].load_weights(path)
    else:
        keras.models.load_model(path)


def fuzz(mutants, seed=0, seconds=0.0, keep=None, report=print):
    """Counts by outcome. The findings are under names that begin with 'FOUND'."""
    rng = random.Random(seed)
    files, models = seeds()
    counts: Counter[str] = Counter()
    watch = Watch()
    slowest, begin = 0.0, time.monotonic()
    from kcompile.saving import lambdas

    made = lambdas.lambda_of  # the one place where code in a file could run
    lambdas.lambda_of = lambda config: watch.events.append(("code", "a lambda's body"))
    memory = "/dev/shm" if os.path.isdir("/dev/shm") else None  # the disk would be most of the time
    with tempfile.TemporaryDirectory(dir=memory) as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in sorted(files, key=len):
            Path(folder, name).write_bytes(files[name])
        for name in list(files):  # imports happen now, not under watch
            if "_0" in name:
                del files[name]  # a shard, for its index
                continue
            load(name, os.path.join(folder, name), models)
        for number in range(mutants):
            if seconds and time.monotonic() - begin > seconds:
                break
            name = rng.choice(list(files))
            data = mutant(name, files[name], rng)
            path = os.path.join(folder, f"mutant.{name.split('.', 1)[1]}")
            Path(path).write_bytes(data)
            problem = None
            start = time.monotonic()
            watch.path, watch.events = path, []
            try:
                load(name, path, models)
                outcome = "loaded"
            except (ValueError, NotImplementedError) as error:
                outcome = "refused"
                if len(str(error)) > 20000:
                    problem = f"an error of {len(str(error))} characters"
            except Exception as error:
                outcome, problem = "failed", f"{type(error).__name__}: {error}"
            finally:
                watch.path = None
            took = time.monotonic() - start
            if took > SLOWEST:  # was it the mutant, or a busy machine? Only what is slow again, by its own work, counts
                start = time.process_time()
                with contextlib.suppress(Exception):
                    load(name, path, models)
                took = time.process_time() - start
            slowest = max(slowest, took)
            if took > SLOWEST:
                problem = f"took {took:.1f} s"
            if watch.events:
                problem = f"reached outside: {watch.events[:3]}"
            counts[outcome] += 1
            if problem:
                counts[f"FOUND {problem[:160]}"] += 1
                report(f"{number} {name}: {problem}", flush=True)
                if keep:
                    Path(keep).mkdir(parents=True, exist_ok=True)
                    (Path(keep) / f"{seed}_{number}.{name}").write_bytes(data)
            if number % 500 == 0:
                if number % 5000 == 0:
                    report(f"{number} after {time.monotonic() - begin:.0f} s", flush=True)
                import kcompile as keras

                keras.backend.clear_session()
                random.seed(number)
                np.random.seed(number)
    lambdas.lambda_of = made
    counts["slowest, ms"] = int(slowest * 1000)
    return counts


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mutants", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=0.0)
    parser.add_argument("--keep", default=None)
    options = parser.parse_args()
    begin = time.monotonic()
    counts = fuzz(options.mutants, options.seed, options.seconds, options.keep)
    for what, count in sorted(counts.items()):
        print(f"{count:8d}  {what}")
    print(f"{time.monotonic() - begin:.0f} s")
    return int(any(what.startswith("FOUND") for what in counts))


if __name__ == "__main__":
    sys.exit(main())
