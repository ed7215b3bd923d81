"""ONNX Runtime on a file that Keras exported: inference alone.

    KERAS_BACKEND=torch python benchmarks/engine_onnxruntime.py FOLDER predict_mlp ...     writes FOLDER/predict_mlp.onnx and .npz

The folder is named by KCOMPILE_BENCHMARK_ONNX when a session starts.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import numpy as np
from worker import latencies, timed
from workloads import workload


def session(engine: str, name: str):
    started = time.perf_counter()
    import onnxruntime
    imported = time.perf_counter()
    file = Path(os.environ["KCOMPILE_BENCHMARK_ONNX"]) / f"{name}.onnx"
    if not file.is_file():
        raise SystemExit(f"{engine} needs {file.name}, which was not exported")
    kept = np.load(file.with_suffix(".npz"))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = len(os.sched_getaffinity(0))
    runtime = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    given = {runtime.get_inputs()[0].name: kept["x"]}
    times = {"import_s": imported - started, "build_s": time.perf_counter() - imported}
    return Prediction(lambda: runtime.run(None, given)[0], kept["y"], times)


class Prediction:
    def __init__(self, call, wanted, times) -> None:
        self.call = call
        self.started = {**times, "first_step_s": timed(call), "again_s": timed(call)}
        if not np.allclose(np.reshape(call(), wanted.shape), wanted, atol=1e-3):
            raise SystemExit("the prediction differs from that of Keras: nothing here counts")

    def measure(self, seconds: float) -> dict[str, list[float]]:
        return {"session.run": latencies(self.call, seconds)}


def export(folder: Path, names: list[str]) -> None:
    import keras
    for name in names:
        builder, batch, _ = workload(name)
        keras.utils.set_random_seed(0)
        model, data, _ = builder(keras)
        x, _ = data(batch, np.random.default_rng(0))
        np.savez(folder / f"{name}.npz", x=x, y=np.asarray(model.predict_on_batch(x)))
        signature = [keras.InputSpec(shape=x.shape, dtype=str(x.dtype), name="x")]
        model.export(str(folder / f"{name}.onnx"), format="onnx", verbose=False, input_signature=signature)


if __name__ == "__main__":
    export(Path(sys.argv[1]), sys.argv[2:])
