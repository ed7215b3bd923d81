"""Random whole models, trained by kcompile and by Keras from the same weights over the same batches.

    python -m live.fuzz --judge TF/bin/python --first 0 --count 200          from the folder `tests`; float64 and float32 in turn
    python -m live.fuzz --engine tf --first 17 --count 1 --out FOLDER        one engine alone (what the first form calls)

    python -m live.fuzz --first 0 --count 100                                kcompile with itself: float32 by target, float64

A seed makes a model (random_models.py), weights of samples or classes, and a way to call `fit`, odd last batches included. In float64 both
must agree to 1e-6, which tells another meaning from other roundings; in float32 to 2e-3. What TensorFlow cannot do on a processor
(channels first) is named and not judged. Not faults: rows of an embedding that are repeated in a batch, which TensorFlow squares one by one
(docs/decisions/0006-where-keras-is-not-followed.md); Adam's beta_2, which it rounds to float32 even then (some 1e-6); signs of
gradients that are 0 but for rounding (Lion under a loss that does not feel a scale).
"""

import argparse
import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

import numpy as np

from .data import initial_weights
from .random_models import Maker
from .runner import ENGINES, load_engine, tree_leaves

WITHIN = {"float64": 1e-6, "float32": 2e-3}


def outcome(keras, seed, engine):
    maker = Maker(keras, seed)
    model, compiled, spec, targets = maker.model()
    rng = np.random.default_rng(seed)
    shapes = [tuple(w.shape) for w in model.get_weights()]
    weights = initial_weights(f"fuzz{seed}", shapes)
    model.set_weights(weights)
    if engine != "kcompile":
        compiled.update(run_eagerly=True)
    model.compile(**compiled)
    rows, batch = maker.pick(5, 9, 20, 23, 32, 41), maker.pick(4, 7, 8, 16, 32)
    x = maker.data(spec, rows, rng)
    y = [maker.data(t, rows, rng) for t in targets]
    y = y if len(y) > 1 else y[0]
    fit = dict(epochs=maker.pick(1, 2, 3), batch_size=batch, shuffle=False, verbose=0)
    if maker.chance(0.25):
        if isinstance(y, list):
            fit["sample_weight"] = [rng.uniform(0, 2, rows).astype("float32") for _ in y]
        else:
            fit["sample_weight"] = maker.pick(rng.uniform(0, 2, rows), rng.integers(0, 2, rows)).astype("float32")
    elif maker.chance(0.15) and not isinstance(y, list) and targets[0][0] == "classes":
        fit["class_weight"] = {c: 0.5 + 0.3 * c for c in range(targets[0][1])}
    if maker.chance(0.25):
        fit["validation_split"] = 0.3
    elif maker.chance(0.2):
        fit["validation_data"] = (x[:3], [t[:3] for t in y] if isinstance(y, list) else y[:3])
    if maker.chance(0.1):
        fit["steps_per_epoch"] = 1
    some = 11
    result = {
        "shapes": [list(s) for s in shapes],
        "names": [layer.__class__.__name__ for layer in model.layers],
        "fit": sorted(fit),
        "optimizer": model.optimizer.__class__.__name__,
        "rows": [rows, batch],
        "params": int(model.count_params()),
    }
    arrays = {}
    for n, p in enumerate(tree_leaves(model.predict(x[:some], batch_size=4, verbose=0))):
        arrays[f"before{n}"] = np.asarray(p)
    history = model.fit(x, y, **fit).history
    result["logs"] = {name: [float(v) for v in values] for name, values in history.items()}
    for n, w in enumerate(model.get_weights()):
        arrays[f"weight{n}"] = np.asarray(w)
    for n, p in enumerate(tree_leaves(model.predict(x[:some], batch_size=16, verbose=0))):
        arrays[f"after{n}"] = np.asarray(p)
    weights = {"sample_weight": fit["sample_weight"]} if "sample_weight" in fit else {}
    result["evaluate"] = {k: float(v) for k, v in model.evaluate(x, y, batch_size=6, return_dict=True, verbose=0, **weights).items()}
    result["dtypes"] = {name: str(a.dtype) for name, a in arrays.items()}
    return result, arrays


def run(engine, first, count, out, floatx):
    keras = load_engine(engine)
    keras.config.set_floatx(floatx)
    keras.config.set_dtype_policy(floatx)
    out.mkdir(parents=True, exist_ok=True)
    for seed in range(first, first + count):
        keras.utils.clear_session()
        path = out / f"{seed}.json"
        if path.exists():
            continue
        try:
            result, arrays = outcome(keras, seed, engine)
            np.savez(out / f"{seed}.npz", **arrays)
        except Exception:
            result = {"error": traceback.format_exc(limit=-4)}
        path.write_text(json.dumps(result))


WAYS = ("avx512 1", "avx512 2", "avx2 2", "scalar 1", "avx512 2 direct")  # target, threads, and convolutions without minimal filtering


def alone(first, count):
    """kcompile against itself: float32 on several targets against float64, the same bits on one thread and two; the number of failures."""
    import kcompile as keras
    from kcompile import compiler

    usual, failures = compiler.codegen_options, 0
    compiler.codegen_options = lambda: dataclasses.replace(usual(), single_thread_below=0, small_below=0)

    def one(floatx, seed, target, threads, direct=""):
        os.environ.update(KCOMPILE_TARGET=target, KCOMPILE_THREADS=threads, KCOMPILE_WINOGRAD="0" if direct else "1")
        keras.utils.clear_session()
        keras.config.set_floatx(floatx)
        keras.config.set_dtype_policy(floatx)
        return outcome(keras, seed, "kcompile")

    for seed in range(first, first + count):
        try:
            exact, wide = one("float64", seed, "avx512", "2")
            found = {way: one("float32", seed, *way.split()) for way in WAYS}
        except Exception:
            failures += 1
            print(f"--- seed {seed}: {traceback.format_exc(limit=-5)}", flush=True)
            continue
        wrong = []
        for way, (result, arrays) in found.items():
            far = {name: worst(arrays[name], array) for name, array in wide.items()}
            far |= {
                f"{what} {name}": worst(result[what][name], value) for what in ("logs", "evaluate") for name, value in exact[what].items()
            }
            if not max(far.values()) <= WITHIN["float32"]:
                wrong.append(
                    f"{way}: {', '.join(f'{name} {value:.1e}' for name, value in far.items() if not value <= WITHIN['float32'])[:300]}"
                )
        (one_result, one_thread), (two_result, two_threads) = found[WAYS[0]], found[WAYS[1]]
        if repr(one_result["logs"]) != repr(two_result["logs"]) or any(  # a loss that is no number is unlike itself
            array.tobytes() != two_threads[name].tobytes() for name, array in one_thread.items()
        ):
            wrong.append("other bits on two threads")
        if wrong:
            failures += 1
            print(f"--- seed {seed}: {exact['names']} {exact['optimizer']} fit {exact['fit']} rows {exact['rows']}")
            print("\n".join(f"      {line}" for line in wrong), flush=True)
    print(f"{count} random models from seed {first}, kcompile alone, {failures} failures", flush=True)
    return failures


def worst(a, b):
    a, b = np.asarray(a, "float64"), np.asarray(b, "float64")
    if a.shape != b.shape:
        return np.inf
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    if same.all():
        return 0.0
    with np.errstate(all="ignore"):
        far = np.where(same, 0, np.abs(a - b)).max()
    return float(far / max(np.abs(b[np.isfinite(b)]).max(initial=0.0), 1e-2)) if np.isfinite(far) else np.inf


def complaints(ours, theirs, folder, judge_folder, seed, within):
    if "error" in theirs:
        return []
    if "error" in ours:
        return [ours["error"]]
    wrong = [f"{what}: {ours[what]}, Keras has {theirs[what]}" for what in ("shapes", "dtypes") if ours[what] != theirs[what]]
    for what in ("logs", "evaluate"):
        if list(ours[what]) != list(theirs[what]):
            wrong.append(f"names of {what}: {list(ours[what])}, Keras has {list(theirs[what])}")
        for name in theirs[what]:
            far = worst(ours[what].get(name, np.nan), theirs[what][name])
            if not far <= within:
                wrong.append(f"{what} {name}: {far:.1e} apart: {ours[what].get(name)}, Keras has {theirs[what][name]}")
    with np.load(folder / f"{seed}.npz") as a, np.load(judge_folder / f"{seed}.npz") as b:
        for name in b.files:
            far = worst(a[name], b[name]) if name in a.files else np.inf
            if not far <= within:
                wrong.append(f"{name} {list(b[name].shape)}: {far:.1e} apart")
    return wrong


def last_line(result):
    return result["error"].strip().splitlines()[-1][:150]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", choices=ENGINES)
    parser.add_argument("--judge", help="the python of a Keras on TensorFlow; without it kcompile is compared with itself")
    parser.add_argument("--judge-engine", default="tf", choices=ENGINES)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", type=int, default=50)
    parser.add_argument("--floatx", default="float64,float32")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    if given.engine:
        run(given.engine, given.first, given.count, given.out, given.floatx)
        return
    if not given.judge:
        sys.exit(bool(alone(given.first, given.count)))
    out = given.out or Path(tempfile.mkdtemp())
    failures = 0
    for floatx in given.floatx.split(","):
        folders = {}
        for engine, python in (("kcompile", sys.executable), (given.judge_engine, given.judge)):
            folders[engine] = out / f"{engine}-{floatx}"
            environment = dict(os.environ, PYTHONPATH=os.pathsep.join([str(Path(__file__).parents[2])] if engine == "kcompile" else []))
            for _ in range(20):  # a crash loses one seed
                missing = [s for s in range(given.first, given.first + given.count) if not (folders[engine] / f"{s}.json").exists()]
                if not missing:
                    break
                done = subprocess.run(
                    [
                        python,
                        "-m",
                        "live.fuzz",
                        "--engine",
                        engine,
                        "--first",
                        str(missing[0]),
                        "--count",
                        str(given.first + given.count - missing[0]),
                        "--out",
                        str(folders[engine].absolute()),
                        "--floatx",
                        floatx,
                    ],
                    cwd=Path(__file__).parents[1],
                    env=environment,
                    capture_output=True,
                    text=True,
                )
                if done.returncode:
                    left = [s for s in missing if not (folders[engine] / f"{s}.json").exists()]
                    print(f"{engine} ended with {done.returncode} at seed {left[:1]}\n{done.stderr[-1500:]}", flush=True)
                    if left:
                        (folders[engine] / f"{left[0]}.json").write_text(json.dumps({"error": f"the process ended with {done.returncode}"}))
        said = 0
        for seed in range(given.first, given.first + given.count):
            ours, theirs = (json.loads((folder / f"{seed}.json").read_text()) for folder in folders.values())
            said += "error" not in theirs
            wrong = complaints(ours, theirs, *folders.values(), seed, WITHIN[floatx])
            if "error" in theirs and "error" not in ours:
                print(f"    seed {seed}, {floatx}: only Keras fails: {last_line(theirs)}")
            elif "error" in theirs and floatx == "float64":
                print(f"    seed {seed}: both fail: {last_line(theirs)} | {last_line(ours)}")
            if wrong:
                failures += 1
                print(f"--- seed {seed}, {floatx}:", *(theirs.get(part) for part in ("names", "optimizer", "fit", "rows")))
                print("\n".join(f"      {line}" for line in wrong[:8]), flush=True)
        print(f"{floatx}: {given.count} random models from seed {given.first}, {said} judged, {failures} failures so far", flush=True)
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
