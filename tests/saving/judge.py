"""Runs in a real Keras's interpreter: writes every case to files, and reads back what kcompile wrote.

    python judge.py write FOLDER FORMATS [CASE...]    files, predictions, and the weights after one more step
    python judge.py read FOLDER FORMATS [CASE...]     compares files of kcompile's with those; prints one line a failure
"""

from __future__ import annotations

import os
import sys
import traceback

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy as np
from cases import CASES, PREDICT_ONLY, WEIGHTS_ONLY


def library():
    try:
        import keras

        if keras.__version__.startswith("3"):
            return keras
    except ImportError:
        pass
    import tensorflow as tf

    return tf.keras


def predict(model, inputs):
    outputs = model.predict_on_batch(inputs if len(inputs) > 1 else inputs[0])
    return [np.asarray(value) for value in (outputs if isinstance(outputs, list) else [outputs])]


def step(model, inputs, labels):
    """One training step; what the weights are then."""
    model.train_on_batch(inputs if len(inputs) > 1 else inputs[0], labels)
    return [np.asarray(value) for value in model.get_weights()]


SHARDED = ("nested_and_shared", "subclassed")  # the cases whose weights are also spread over files


def formats_of(name, formats):
    chosen = [f for f in formats if f.startswith("weights.")] if name in WEIGHTS_ONLY else formats
    return [f for f in chosen if f not in ("weights.json", "folder") or name in SHARDED]


def save(model, path):
    if path.endswith(".weights.json"):
        model.save_weights(path, max_shard_size=200 / 2**30)
    elif path.endswith(".weights.h5"):
        model.save_weights(path)
    else:
        model.save(path, zipped=False) if path.endswith(".folder") else model.save(path)


def load(keras, name, path):
    if path.endswith((".weights.h5", ".weights.json")):
        pass
    elif path.endswith(".h5") and keras.__name__.startswith("keras"):
        return keras.models.load_model(path, compile=False)  # Keras 3 cannot train on from its own `.h5` files either
    else:
        return keras.models.load_model(path)
    model, _, _ = CASES[name](keras)
    model.optimizer.build(model.trainable_variables)
    model.load_weights(path)
    return model


def write(keras, folder, formats, names):
    for name in names:
        keras.backend.clear_session()
        keras.utils.set_random_seed(7)
        try:
            model, inputs, labels = CASES[name](keras)
        except (AttributeError, TypeError, ValueError):  # this version of Keras does not have it
            continue
        model.run_eagerly = True
        for _ in range(2):
            step(model, inputs, labels)
        for ending in formats_of(name, formats):
            save(model, os.path.join(folder, f"{name}.{ending}"))
        arrays = {f"predicted_{n}": value for n, value in enumerate(predict(model, inputs))}
        arrays.update({f"stepped_{n}": value for n, value in enumerate(step(model, inputs, labels))})
        np.savez(os.path.join(folder, f"{name}.npz"), **arrays)


def differences(model, name, inputs, labels, expected, step_tolerance=1e-5):
    """Sentences on how a loaded model differs from the one that was saved: predictions to 1e-5, weights after a step."""
    found = []
    pairs = [("predicted", predict(model, inputs))]
    if name not in PREDICT_ONLY and getattr(model, "optimizer", None) is not None:
        pairs.append(("stepped", step(model, inputs, labels)))
    for what, values in pairs:
        tolerance = 1e-5 if what == "predicted" else step_tolerance
        wanted = [expected[key] for key in sorted((k for k in expected if k.startswith(what)), key=lambda k: int(k.split("_")[1]))]
        if len(wanted) != len(values):
            found.append(f"{what}: {len(values)} arrays, expected {len(wanted)}")
            continue
        for number, (value, want) in enumerate(zip(values, wanted, strict=True)):
            if value.shape != want.shape or not np.allclose(value, want, rtol=tolerance, atol=tolerance):
                far = np.abs(value - want).max() if value.shape == want.shape else "shape"
                found.append(f"{what} {number} differs by {far}")
    return found


def read(keras, folder, formats, names):
    failures = 0
    for name in names:
        if not os.path.exists(os.path.join(folder, f"{name}.npz")):
            continue
        for ending in formats_of(name, formats):
            try:
                keras.backend.clear_session()
                expected = dict(np.load(os.path.join(folder, f"{name}.npz")))
                _, inputs, labels = CASES[name](keras)
                model = load(keras, name, os.path.join(folder, f"kcompile_{name}.{ending}"))
                model.run_eagerly = True
                problems = differences(model, name, inputs, labels, expected)
            except Exception:
                problems = [traceback.format_exc(limit=-2)]
            failures += bool(problems)
            for problem in problems:
                print(f"FAILED {name}.{ending}: {problem}")
    print(f"DONE {failures} failures")


if __name__ == "__main__":
    action, target, endings, *chosen = sys.argv[1:]
    {"write": write, "read": read}[action](library(), target, endings.split(","), chosen or list(CASES))
