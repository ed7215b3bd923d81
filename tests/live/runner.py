"""Runs cases in one engine. In a process of its own, from the folder `tests`:

    python -m live.runner --engine tf --out FOLDER [--only PART_OF_A_NAME ...]

writes NAME.json and NAME.npz for every case as soon as it is done, so that a crash loses one
case and names it. In the same process: `outcome(keras, case)`. An outcome is a dict:

    shapes         of get_weights(), in its order
    before, after  predictions with the initial weights and after training: lists of arrays
    logs           what training reported: name -> one number per step, or per epoch of `fit`
    evaluate       name -> number; evaluate_list: the same call without return_dict
    weights        get_weights() after training
    error          instead of all this, the traceback
"""
import argparse
import json
import os
import traceback
from pathlib import Path

import numpy as np

from .cases import CASES
from .data import initial_weights, make, rng_for, take
from .spec import BATCH, ROWS, STEPS

ENGINES = ("tf", "jax", "kcompile")
ARRAYS = ("before", "after", "weights")
PREDICTED = 2 * BATCH


def load_engine(engine):
    """The module to be called `keras`."""
    if engine == "kcompile":
        import kcompile
        return kcompile
    os.environ["KERAS_BACKEND"] = {"tf": "tensorflow", "jax": "jax"}[engine]
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras
    return keras


def prepared(keras, case):
    """A compiled model with the case's initial weights, and its data as arrays."""
    model, compiled, data = case.build(keras)
    shapes = [tuple(w.shape) for w in model.get_weights()]
    model.set_weights(initial_weights(case.seed, shapes))
    model.compile(**compiled)
    return model, shapes, arrays_of(case, data)


def arrays_of(case, data):
    """The data of a case with arrays in place of specifications."""
    data = dict(data)
    rows = data.get("rows", ROWS)
    for part in ("x", "y", "sample_weight"):
        spec = data.get(part)
        data[part] = make(spec, rng_for(case.seed, part), rows)
        data[f"validation_{part}"] = make(spec, rng_for(case.seed, part, "validation"), rows)
    return data


def train_by_batches(model, data):
    """20 calls of train_on_batch, round and round the rows."""
    logs = {}
    batches = len(tree_leaves(data["x"])[0]) // BATCH
    for step in range(STEPS):
        rows = slice(step % batches * BATCH, (step % batches + 1) * BATCH)
        weights = {} if data["sample_weight"] is None else dict(sample_weight=take(data["sample_weight"], rows))
        if "class_weight" in data:
            weights["class_weight"] = data["class_weight"]
        result = model.train_on_batch(take(data["x"], rows), take(data["y"], rows), return_dict=True, **weights)
        for name, value in result.items():
            logs.setdefault(name, []).append(float(value))
    return logs


def train_by_fit(model, data, **arguments):
    """One call of fit, in the order of the rows; the History."""
    if data.get("class_weight"):
        arguments["class_weight"] = data["class_weight"]
    if data["sample_weight"] is not None:
        arguments["sample_weight"] = data["sample_weight"]
    if data.get("validation"):
        parts = [data["validation_x"], data["validation_y"], data["validation_sample_weight"]]
        arguments["validation_data"] = tuple(parts[:2] if parts[2] is None else parts)
    history = model.fit(data["x"], data["y"], batch_size=BATCH, shuffle=False, verbose=0, **arguments)
    return {name: [float(v) for v in values] for name, values in history.history.items()}


def outcome(keras, case):
    """Run one case."""
    model, shapes, data = prepared(keras, case)
    some = slice(PREDICTED)
    x = take(data["x"], some)
    result = {"shapes": [list(shape) for shape in shapes]}
    predict = data.get("predict", True)
    result["before"] = predictions(model, x) if predict else []
    result["logs"] = train_by_fit(model, data, **data["fit"]) if "fit" in data else train_by_batches(model, data)
    result["weights"] = [np.asarray(w) for w in model.get_weights()]
    result["after"] = predictions(model, x) if predict else []
    if data.get("evaluate", True):
        y, weights = take(data["y"], some), take(data["sample_weight"], some)
        arguments = dict(sample_weight=weights, batch_size=BATCH, verbose=0)
        result["evaluate"] = {k: float(v) for k, v in model.evaluate(x, y, return_dict=True, **arguments).items()}
        values = model.evaluate(x, y, **arguments)
        result["evaluate_list"] = [float(v) for v in (values if isinstance(values, (list, tuple)) else [values])]
    return result


def predictions(model, x):
    return [np.asarray(y, "float32") for y in tree_leaves(model.predict(x, batch_size=BATCH, verbose=0))]


def tree_leaves(nest):
    """Leaves, those of a dict in the order of its sorted keys."""
    if isinstance(nest, dict):
        return [leaf for key in sorted(nest) for leaf in tree_leaves(nest[key])]
    if isinstance(nest, (list, tuple)):
        return [leaf for part in nest for leaf in tree_leaves(part)]
    return [nest]


def attempt(keras, case):
    """The outcome of a case, or its traceback."""
    try:
        return outcome(keras, case)
    except Exception:
        return {"error": traceback.format_exc(limit=-6)}


def save(folder, name, result):
    arrays = {f"{part}_{i}": array for part in ARRAYS for i, array in enumerate(result.get(part, []))}
    np.savez(Path(folder) / f"{name}.npz", **arrays)
    text = json.dumps({key: value for key, value in result.items() if key not in ARRAYS}, indent=1)
    (Path(folder) / f"{name}.json").write_text(text + "\n")


def load(folder, name):
    """What `save` wrote; an error where it wrote nothing."""
    path = Path(folder) / f"{name}.json"
    if not path.exists():
        return {"error": "the engine's process ended before this case was done"}
    result = json.loads(path.read_text())
    with np.load(path.with_suffix(".npz")) as arrays:
        for part in ARRAYS:
            result[part] = [arrays[f"{part}_{i}"] for i in range(sum(k.startswith(part + "_") for k in arrays.files))]
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", choices=ENGINES, required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--only", nargs="*", help="only the cases with one of these in their names")
    arguments = parser.parse_args()
    keras = load_engine(arguments.engine)
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name, case in CASES.items():
        if not arguments.only or any(part in name for part in arguments.only):
            save(arguments.out, name, attempt(keras, case))


if __name__ == "__main__":
    main()
