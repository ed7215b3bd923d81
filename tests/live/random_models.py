"""Random whole models: layers, one or two outputs, an optimizer, losses and metrics, and their data; see fuzz.py."""
import numpy as np

from .random_layers import Layers


class Maker(Layers):
    """One random model."""

    def body(self):
        """(inputs, specs of x, value)."""
        L, Input = self.L, self.keras.Input
        kind = self.pick("image", "image", "image", "image", "sequence", "sequence", "flat", "tokens", "masked")
        if kind != "image":
            self.channels_first = False
        if kind == "image":
            h, w, c = self.pick(1, 4, 5, 7, 8, 9, 12, 13, 16), self.pick(3, 4, 6, 8, 10, 16, 17), self.pick(1, 3, 4, 8, 16)
            shape = (c, h, w) if self.channels_first else (h, w, c)
        elif kind == "sequence":
            shape = (self.pick(5, 8, 13, 20, 32), self.pick(1, 3, 8, 16))
        elif kind == "flat":
            shape = (self.pick(1, 3, 8, 13, 40),)
        if kind in ("tokens", "masked"):
            length = self.pick(4, 7, 12)
            if kind == "tokens":
                x = Input((length,), dtype="int32")
                y = L.Embedding(11, self.pick(3, 8, 16), mask_zero=self.chance(0.5))(x)
                spec = ("tokens", (length,))
            else:
                x = Input((length, 3))
                y = L.Masking(0.0)(x)
                spec = ("masked", (length, 3))
            for _ in range(self.rng.randint(0, 2)):
                y = self.pick(
                    lambda: L.Dense(5, activation="tanh"),
                    lambda: L.Dropout(0.0),
                    lambda: L.LayerNormalization(epsilon=0.1),
                    lambda: L.Activation("relu"),
                )()(y)
            y = L.GlobalAveragePooling1D()(y)
            return x, spec, y
        x = Input(shape)
        y = x
        if kind != "flat":
            for _ in range(self.rng.randint(1, 6)):
                y = self.spatial(y)
            y = self.pick(
                lambda: L.Flatten(**self.format),
                lambda: getattr(L, f"GlobalAveragePooling{len(shape) - 1}D")(**self.format),
                lambda: getattr(L, f"GlobalMaxPooling{len(shape) - 1}D")(**self.format),
            )()(y)
        return x, ("normal", shape), y

    def optimizer(self):
        o = self.keras.optimizers
        rate = self.pick(0.01, 0.003)
        if self.chance(0.15):
            s = o.schedules
            rate = self.pick(
                lambda: s.ExponentialDecay(rate, 3, 0.5, staircase=self.chance(0.5)),
                lambda: s.CosineDecay(rate, 10, warmup_steps=2, warmup_target=0.02),
                lambda: s.PiecewiseConstantDecay([2, 4], [0.01, 0.005, 0.002]),
                lambda: s.PolynomialDecay(rate, 5, 0.001, power=2.0),
                lambda: s.InverseTimeDecay(rate, 2, 0.5),
            )()
        extra = {}
        if self.chance(0.15):
            extra.update(self.pick({"clipnorm": 0.5}, {"clipvalue": 0.1}, {"global_clipnorm": 0.7}))
        if self.chance(0.12):
            extra["weight_decay"] = 0.05
        if self.chance(0.08):
            extra.update(use_ema=True, ema_momentum=0.7, ema_overwrite_frequency=self.pick(None, 2, 3))
        if self.chance(0.08):
            extra["gradient_accumulation_steps"] = self.pick(2, 3)
        e = 0.05  # far from a division by next to nothing
        return self.pick(
            lambda: o.SGD(rate, **extra),
            lambda: o.SGD(rate, momentum=0.9, nesterov=self.chance(0.5), **extra),
            lambda: o.Adam(rate, epsilon=e, **extra),
            lambda: o.Adam(rate, epsilon=e, amsgrad=True, beta_2=0.8, **extra),
            lambda: o.RMSprop(rate, epsilon=e, **extra),
            lambda: o.RMSprop(rate, epsilon=e, centered=True, momentum=0.5, **extra),
            lambda: o.Adagrad(rate, epsilon=e, **extra),
            lambda: o.Adadelta(rate, epsilon=e, **extra),
            lambda: o.Adamax(rate, epsilon=e, **extra),
            lambda: o.Nadam(rate, epsilon=e, **extra),
            lambda: o.Lion(rate * 0.1 if isinstance(rate, float) else 0.001, **extra),
            lambda: o.AdamW(rate, epsilon=e, **{"weight_decay": 0.02, **extra}),
        )()

    def head(self, y, name):
        """(output, loss, spec of y, metrics)."""
        L, k = self.L, self.keras
        kind = self.pick("regression", "regression", "classes", "one_hot", "binary")
        if kind == "regression":
            units = self.pick(1, 3, 17)
            loss = self.pick(
                "mse",
                "mae",
                k.losses.Huber(0.7),
                k.losses.LogCosh(),
                k.losses.CosineSimilarity(),
                k.losses.MeanSquaredError(reduction="sum"),
            )
            return (
                L.Dense(units, name=name)(y),
                loss,
                ("normal", (units,)),
                self.metrics("mae", "mse", k.metrics.RootMeanSquaredError(), k.metrics.CosineSimilarity()),
            )
        if kind in ("classes", "one_hot"):
            n = self.pick(3, 5, 10, 17)
            logits = self.chance(0.5)
            out = L.Dense(n, activation=None if logits else "softmax", name=name)(y)
            if kind == "classes":
                return (
                    out,
                    k.losses.SparseCategoricalCrossentropy(from_logits=logits),
                    ("classes", n),
                    self.metrics("accuracy", "sparse_categorical_accuracy", *self.top(k.metrics.SparseTopKCategoricalAccuracy)),
                )
            return (
                out,
                k.losses.CategoricalCrossentropy(from_logits=logits, label_smoothing=self.pick(0.0, 0.1)),
                ("one_hot", n),
                self.metrics(
                    "accuracy",
                    "categorical_accuracy",
                    *self.top(k.metrics.TopKCategoricalAccuracy),
                    "categorical_crossentropy" if not logits else "mse",
                ),
            )
        logits = self.chance(0.5)
        out = L.Dense(self.pick(1, 4), activation=None if logits else "sigmoid", name=name)(y)
        return (
            out,
            k.losses.BinaryCrossentropy(from_logits=logits),
            ("binary", (out.shape[-1],)),
            self.metrics("mae", *(["binary_accuracy", k.metrics.Precision(), k.metrics.Recall()] if not logits else ["mse"])),
        )

    def top(self, metric):
        """TensorFlow's top k wants float32."""
        return [metric(2) if self.keras.config.floatx() == "float32" else None]

    def metrics(self, *known):
        return [metric for metric in self.rng.sample(known, self.rng.randint(0, min(2, len(known)))) if metric is not None]

    def model(self):
        x, spec, y = self.body()
        for _ in range(self.rng.randint(0, 3)):
            y = self.flat(y)
        heads = [self.head(y, "out_b")]
        if self.chance(0.2):
            heads.append(self.head(self.flat(y), "out_a"))
        outputs = [h[0] for h in heads]
        model = self.keras.Model(x, outputs if len(outputs) > 1 else outputs[0])
        compiled = dict(optimizer=self.optimizer(), loss=[h[1] for h in heads] if len(heads) > 1 else heads[0][1])
        metrics = [h[3] for h in heads]
        if len(heads) > 1 and self.chance(0.5):
            compiled["loss_weights"] = [0.7, 0.4]
        key = "weighted_metrics" if self.chance(0.2) else "metrics"
        compiled[key] = metrics if len(heads) > 1 else metrics[0]
        return model, compiled, spec, [h[2] for h in heads]

    def data(self, spec, rows, rng):
        kind, shape = spec
        if kind == "normal":
            return rng.standard_normal((rows, *shape)).astype("float32")
        if kind == "tokens":
            return rng.integers(0, 11, (rows, *shape)).astype("int32")
        if kind == "masked":
            x = rng.standard_normal((rows, *shape)).astype("float32")
            return x * (rng.random((rows, shape[0], 1)) < 0.7).astype("float32")
        if kind == "classes":
            return rng.integers(0, shape, (rows,)).astype("int32")
        if kind == "one_hot":
            return np.eye(shape, dtype="float32")[rng.integers(0, shape, rows)]
        return rng.integers(0, 2, (rows, *shape)).astype("float32")
