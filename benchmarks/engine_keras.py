"""kcompile, and Keras on its back ends: the workloads through `fit`, `predict_on_batch` and the engine's own faster call."""

from __future__ import annotations

import importlib
import math
import os
import time

import numpy as np
from worker import latencies, timed
from workloads import EPOCHS, epochs, workload

BACKENDS = {"keras-tensorflow": "tensorflow", "keras-tensorflow-xla": "tensorflow", "keras-jax": "jax", "keras-torch": "torch"}
FEW_BYTES = 4 << 20  # of rows to predict: they count as memory of the engine, and others are given one batch again and again


def session(engine: str, name: str):
    if engine in BACKENDS:
        os.environ.update(KERAS_BACKEND=BACKENDS[engine], TF_CPP_MIN_LOG_LEVEL="3")
    started = time.perf_counter()
    keras = importlib.import_module("kcompile" if engine == "kcompile" else "keras")
    imported = time.perf_counter()
    builder, batch, trained = workload(name)
    keras.utils.set_random_seed(0)
    model, data, arguments = builder(keras)
    if BACKENDS.get(engine) == "tensorflow":
        arguments["jit_compile"] = engine.endswith("xla")
    model.compile(**arguments)
    times = {"import_s": imported - started, "build_s": time.perf_counter() - imported}
    return Training(keras, model, data, batch, EPOCHS[name], times) if trained else Prediction(engine, model, data, batch, times)


class Training:
    """`measure` times whole epochs of one `fit`, from the hook at their beginning to that at their end."""

    def __init__(self, keras, model, data, batch, steps, times) -> None:
        self.model, self.batch, self.steps = model, batch, steps
        x, y = data(batch, np.random.default_rng(0))

        def one() -> None:
            model.fit(x, y, batch_size=batch, verbose=0)
        self.started = {**times, "first_step_s": timed(one), "again_s": min(timed(one) for _ in range(3))}
        marks = self.marks = []

        class Clock(keras.callbacks.Callback):
            def on_epoch_begin(self, epoch, logs=None):
                marks.append(time.perf_counter())

            def on_epoch_end(self, epoch, logs=None):
                marks.append(time.perf_counter())
                losses.append(logs["loss"])

        losses = self.losses = []
        self.clock = Clock
        self.arrays = data(steps * batch, np.random.default_rng(1))
        self.one_epoch = self._epochs(1)[0]

    def _epochs(self, count) -> list[float]:
        """Seconds of each epoch but the first of the fit, which may prepare something."""
        self.marks.clear()
        self.model.fit(*self.arrays, batch_size=self.batch, epochs=1 + count, verbose=0, callbacks=[self.clock()])
        return [end - begin for begin, end in zip(self.marks[2::2], self.marks[3::2], strict=True)]

    def measure(self, seconds: float) -> dict[str, list[float]]:
        found = self._epochs(epochs(seconds, self.one_epoch))
        if not math.isfinite(self.losses[-1]):
            raise SystemExit("the loss is not finite: nothing here counts")
        return {"fit": [1e3 * one / self.steps for one in found]}


class Prediction:
    """`measure` times `predict_on_batch` and, where there is one, the engine's faster public call, batch after batch."""

    def __init__(self, engine, model, data, batch, times) -> None:
        x, _ = data(batch, np.random.default_rng(0))
        self.calls = {"predict_on_batch": lambda: model.predict_on_batch(x)}
        first = timed(self.calls["predict_on_batch"])
        if not np.isfinite(model.predict_on_batch(x)).all():
            raise SystemExit("the prediction is not finite: nothing here counts")
        self.started = {**times, "first_step_s": first, "again_s": min(timed(self.calls["predict_on_batch"]) for _ in range(3))}
        self.many = None
        if engine == "kcompile":
            self.calls["model(x)"] = lambda: model(x, training=False)
            self.many = (model, x, batch)
        else:
            self.calls.update(own_call(engine, model, x))

    def measure(self, seconds: float) -> dict[str, list[float]]:
        found = {name: latencies(call, seconds / (len(self.calls) + 1)) for name, call in self.calls.items()}
        if self.many is not None:
            found["predict, back to back"] = self._back_to_back(seconds / 3, min(found["predict_on_batch"]) / 1e3)
        return found

    def _back_to_back(self, seconds: float, once: float) -> list[float]:
        """`predict` over many batches, as the native loop runs them; what a call of it costs beside is shared out among them."""
        model, x, batch = self.many
        steps = max(4, min(int(seconds / 3 / once), int(FEW_BYTES / x.nbytes)))
        rows = np.concatenate([x] * steps)

        def many() -> None:
            model.predict(rows, batch_size=batch, verbose=0)
        many()
        times = max(3, min(20, int(seconds / steps / once))) if once < seconds else 1
        return [1e3 * timed(many) / steps for _ in range(times)]


def own_call(engine, model, x):
    """{name: call} of a faster public way to run the model."""
    if BACKENDS[engine] == "tensorflow":
        import tensorflow as tf
        function = tf.function(lambda given: model(given, training=False), jit_compile=engine.endswith("xla"))
        tensor = tf.constant(x)
        return {"tf.function": lambda: function(tensor).numpy()}
    if BACKENDS[engine] == "jax":
        import jax
        # copies: predict_on_batch gives the originals away
        trained, others = ([jax.numpy.array(v.value) for v in variables]
                           for variables in (model.trainable_variables, model.non_trainable_variables))
        function = jax.jit(lambda given: model.stateless_call(trained, others, given, training=False)[0])
        return {"jax.jit": lambda: np.asarray(function(x))}
    import torch
    tensor = torch.from_numpy(x)

    def call():
        with torch.inference_mode():
            return model(tensor, training=False).numpy()
    return {"model(x)": call}
