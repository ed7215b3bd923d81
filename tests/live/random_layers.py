"""Random layers: convolutions of every kind, normalizations, activations, pooling, merges, shared and nested parts."""
import random

import numpy as np

CHANNELS = (1, 2, 3, 4, 5, 6, 8, 12, 16, 17, 20, 32, 33, 40)


class Layers:
    """Every choice comes from the seed alone, so that all engines make the same."""

    def __init__(self, keras, seed):
        self.keras, self.L, self.seed = keras, keras.layers, seed
        self.rng = random.Random(seed)
        self.channels_first = self.rng.random() < 0.15

    def pick(self, *choices):
        return self.rng.choice(choices)

    def chance(self, p):
        return self.rng.random() < p

    # -- parts of layers
    def activation(self):
        return self.pick(
            None,
            None,
            "relu",
            "relu",
            "tanh",
            "sigmoid",
            "elu",
            "gelu",
            "silu",
            "selu",
            "softplus",
            "relu6",
            "leaky_relu",
            "hard_sigmoid",
            "softsign",
            "exponential" if self.chance(0.1) else "mish",
        )

    def kernel_extras(self, name="kernel"):
        r, c = self.keras.regularizers, self.keras.constraints
        extra = {}
        if self.chance(0.12):
            extra[f"{name}_regularizer"] = self.pick(r.L2(0.01), r.L1(0.003), r.L1L2(0.002, 0.01), "l2")
        if self.chance(0.1):
            extra[f"{name}_constraint"] = self.pick(
                c.MaxNorm(0.9, axis=0), c.NonNeg(), c.UnitNorm(axis=0), c.MinMaxNorm(0.3, 0.8, rate=0.7)
            )
        if self.chance(0.06):
            extra["activity_regularizer"] = r.L2(0.001)
        if self.chance(0.1):
            extra["trainable"] = False
        return extra

    def window(self, rank, sizes):
        """(kernel, strides, dilation, padding) that fit the sizes."""
        kernel = [self.pick(1, 2, 3, 3, 3, 4, 5, 7) for _ in range(rank)]
        padding = self.pick("same", "same", "valid")
        strides, dilation = 1, 1
        if self.chance(0.3):
            strides = self.pick(2, 2, 3)
        elif self.chance(0.15):
            dilation = self.pick(2, 3)
        if padding == "valid":
            kernel = [min(k, s) for k, s in zip(kernel, sizes, strict=True)]
            if any((k - 1) * dilation + 1 > s for k, s in zip(kernel, sizes, strict=True)):
                dilation = 1
        return (tuple(kernel) if rank > 1 else kernel[0]), strides, dilation, padding

    def sizes(self, x):
        shape = x.shape[1:]
        return (shape[1:], shape[0]) if self.channels_first else (shape[:-1], shape[-1])

    @property
    def format(self):
        return {"data_format": "channels_first"} if self.channels_first else {}

    @property
    def axis(self):
        return 1 if self.channels_first else -1

    # -- layers on images and sequences
    def spatial(self, x):
        L, rank = self.L, len(x.shape) - 2
        sizes, channels = self.sizes(x)
        big = int(np.prod(sizes))
        kind = self.pick(
            "conv",
            "conv",
            "conv",
            "conv",
            "depthwise",
            "separable",
            "transpose",
            "norm",
            "norm",
            "activation",
            "pool",
            "drop",
            "pad",
            "shared",
            "residual",
            "residual",
            "dense",
            "nested",
            "branch",
            "gate",
        )
        kernel, strides, dilation, padding = self.window(rank, sizes)
        bias, activation = self.chance(0.7), self.activation()
        name = f"{rank}D"
        if kind == "conv":
            groups = self.pick(*[g for g in (2, 3, 4, 5, 8) if channels % g == 0] or [1]) if self.chance(0.2) else 1
            filters = groups * self.pick(1, 2, 3, 4, 8) if groups > 1 else self.pick(*CHANNELS)
            if rank == 1 and self.chance(0.3) and not self.channels_first:
                padding = "causal"
            if big * filters * channels * int(np.prod(kernel)) > 3_000_000:
                filters = 4
            if self.channels_first:
                groups = 1
            return getattr(L, f"Conv{name}")(
                filters,
                kernel,
                strides=strides,
                dilation_rate=dilation,
                padding=padding,
                groups=groups,
                use_bias=bias,
                activation=activation,
                **self.format,
                **self.kernel_extras(),
            )(x)
        if kind == "depthwise":
            return getattr(L, f"DepthwiseConv{name}")(
                kernel if rank == 1 else kernel[0] if padding == "same" else min(kernel),
                strides=strides if dilation == 1 else 1,
                dilation_rate=dilation,
                padding=padding,
                use_bias=bias,
                depth_multiplier=self.pick(1, 1, 2, 3) if channels < 30 else 1,
                activation=activation,
                **self.format,
                **self.kernel_extras("depthwise"),
            )(x)
        if kind == "separable":
            return getattr(L, f"SeparableConv{name}")(
                self.pick(*CHANNELS[2:]),
                kernel if rank == 1 else kernel[0] if padding == "same" else min(kernel),
                strides=strides,
                padding=padding,
                use_bias=bias,
                depth_multiplier=self.pick(1, 1, 2),
                activation=activation,
                **self.format,
            )(x)
        if kind == "transpose":
            if big > 200:
                return L.Activation(activation or "relu")(x)
            strides = self.pick(1, 2, 2, 3)
            extra = {}
            if strides > 1 and self.chance(0.3) and int(np.min(kernel)) > strides:
                extra["output_padding"] = self.rng.randrange(strides)
            return getattr(L, f"Conv{name}Transpose")(
                self.pick(*CHANNELS[1:9]),
                kernel,
                strides=strides,
                padding=padding,
                use_bias=bias,
                activation=activation,
                **self.format,
                **extra,
                **self.kernel_extras(),
            )(x)
        if kind == "norm":
            which = self.pick("batch", "batch", "batch", "layer")
            if which == "batch":
                return L.BatchNormalization(
                    axis=self.axis,
                    momentum=self.pick(0.99, 0.9, 0.6),
                    epsilon=self.pick(1e-3, 0.1),
                    center=self.chance(0.8),
                    scale=self.chance(0.8),
                    trainable=not self.chance(0.1),
                )(x)
            return L.LayerNormalization(axis=self.axis, epsilon=self.pick(1e-3, 0.1), center=self.chance(0.8), scale=self.chance(0.8))(x)
        if kind == "activation":
            return self.activation_layer(x)
        if kind == "pool":
            if min(sizes) < 2:
                return self.activation_layer(x)
            pool = self.pick(2, 2, 3) if min(sizes) > 2 else 2
            return getattr(L, self.pick("MaxPooling", "AveragePooling") + name)(
                pool, strides=self.pick(None, 1, 2), padding=self.pick("same", "valid"), **self.format
            )(x)
        if kind == "drop":
            return self.pick(L.Dropout, L.SpatialDropout2D if rank == 2 and not self.channels_first else L.Dropout, L.GaussianNoise)(0.0)(x)
        if kind == "pad":
            which = self.pick("ZeroPadding", "Cropping", "UpSampling")
            if which == "Cropping" and min(sizes) > 3:
                return (
                    getattr(L, f"Cropping{name}")(((1, 0), (0, 2)) if rank == 2 else (1, 1), **(self.format if rank == 2 else {}))(x)
                    if not (self.channels_first and rank == 1)
                    else x
                )
            if which == "UpSampling" and big < 150 and not (self.channels_first and rank == 1):
                return getattr(L, f"UpSampling{name}")(
                    2, **(self.format if rank == 2 else {}), **({"interpolation": self.pick("nearest", "bilinear")} if rank == 2 else {})
                )(x)
            return getattr(L, f"ZeroPadding{name}")(((1, 0), (0, 2)) if rank == 2 else (1, 2), **self.format)(x)
        if kind == "shared":
            conv = getattr(L, f"Conv{name}")(channels, 3, padding="same", activation=activation, **self.format)
            return conv(conv(x))
        if kind == "residual":
            y = getattr(L, f"Conv{name}")(channels, self.pick(1, 3, 5), padding="same", use_bias=bias, **self.format)(x)
            if self.chance(0.6):
                y = L.BatchNormalization(axis=self.axis, epsilon=0.05)(y)
            if self.chance(0.5):
                y = L.Activation("relu")(y)
            y = self.pick(L.Add, L.Add, L.Subtract, L.Average, L.Maximum, L.Minimum, L.Multiply)()([x, y])
            return L.Activation(self.pick("relu", "linear", "tanh"))(y)
        if kind == "dense" and not self.channels_first:
            return L.Dense(self.pick(*CHANNELS), use_bias=bias, activation=activation)(x)
        if kind == "nested":
            inner = self.keras.Sequential(
                [
                    getattr(L, f"Conv{name}")(self.pick(4, 8, 20), 3, padding="same", activation="relu", **self.format),
                    L.BatchNormalization(axis=self.axis, epsilon=0.1),
                ]
            )
            return inner(x)
        if kind == "branch":
            a = getattr(L, f"Conv{name}")(self.pick(2, 5, 16), 1, padding="same", activation=activation, **self.format)(x)
            b = getattr(L, f"Conv{name}")(self.pick(3, 8, 17), 3, padding="same", strides=1, **self.format)(x)
            return L.Concatenate(axis=self.axis)([a, b, x][: self.pick(2, 3)])
        if kind == "gate" and not self.channels_first:
            s = getattr(L, f"GlobalAveragePooling{name}")(keepdims=True)(x)
            s = L.Dense(channels, activation="sigmoid")(s)
            return L.Multiply()([x, s])
        return self.activation_layer(x)

    def activation_layer(self, x):
        L = self.L
        return self.pick(
            lambda: L.Activation(self.activation() or "relu"),
            lambda: L.ReLU(max_value=self.pick(None, 1.0), negative_slope=self.pick(0.0, 0.1)),
            lambda: L.LeakyReLU(0.2),
            lambda: L.ELU(0.7),
            lambda: L.PReLU(),
            lambda: L.Rescaling(0.5, 0.1),
        )()(x)

    def flat(self, x):
        L = self.L
        kind = self.pick("dense", "dense", "dense", "norm", "activation", "drop", "residual", "cross", "reshape")
        if kind == "dense":
            return L.Dense(
                self.pick(1, 3, 5, 8, 16, 17, 33, 64, 100), use_bias=self.chance(0.8), activation=self.activation(), **self.kernel_extras()
            )(x)
        if kind == "norm":
            return self.pick(
                lambda: L.BatchNormalization(epsilon=self.pick(1e-3, 0.1), momentum=0.8), lambda: L.LayerNormalization(epsilon=0.01)
            )()(x)
        if kind == "drop":
            return L.Dropout(0.0)(x)
        if kind == "residual":
            y = L.Dense(x.shape[-1], activation=self.activation())(x)
            return self.pick(L.Add, L.Multiply, L.Concatenate, L.Maximum)()([x, y])
        if kind == "cross":
            a, b = L.Dense(7)(x), L.Dense(7, activation="tanh")(x)
            return L.Concatenate()([L.Dot(axes=1)([a, b]), x])
        if kind == "reshape" and x.shape[-1] % 2 == 0:
            y = L.Reshape((x.shape[-1] // 2, 2))(x)
            return L.Flatten()(self.pick(L.Permute((2, 1)), L.Dense(3), L.Cropping1D((0, 0)))(y))
        return self.activation_layer(x)
