"""Models that both kcompile and real Keras build, each from the `keras` it is given; between them every layer, loss, optimizer and metric.

A case is a function keras -> (model, inputs, labels). Random layers have rate 0 where a training step is compared.
"""

from __future__ import annotations

import numpy as np

CASES = {}
WEIGHTS_ONLY = {"subclassed", "subclassed_with_metric"}  # cannot be described: only their weights go into files
PREDICT_ONLY = {"random_layers"}  # two libraries draw different numbers
UNJUDGED = {"Layer": "a base", "Loss": "a base", "Metric": "a base", "Optimizer": "a base",
            "LearningRateSchedule": "a base", "LossFunctionWrapper": "a base", "MeanMetricWrapper": "a base",
            "Mean": "of values, not of labels", "Sum": "of values, not of labels", "Lambda": "code", "Wrapper": "a base",
            "categorical_generalized_cross_entropy": "has no name in Keras's table"}


def case(function):
    CASES[function.__name__] = function
    return function


def data(*shape, seed=0, classes=None):
    generator = np.random.default_rng(seed)
    if classes:
        return generator.integers(0, classes, shape).astype("int32")
    return generator.uniform(-1, 1, shape).astype("float32")


def compiled(model, optimizer, loss="mse", **kwargs):
    model.compile(optimizer, loss, **kwargs)
    return model


@case
def vector_layers(keras):
    L = keras.layers
    model = keras.Sequential([
        L.Input((6,), name="given"),
        L.Dense(8, activation="tanh", kernel_regularizer="l2", bias_regularizer=keras.regularizers.L1L2(0.01, 0.02),
                kernel_constraint=keras.constraints.MaxNorm(1.5), kernel_initializer=keras.initializers.HeNormal(seed=3), name="first"),
        L.BatchNormalization(momentum=0.9), L.LayerNormalization(), L.ELU(0.7), L.Dense(7, use_bias=False), L.LeakyReLU(0.1),
        L.Dense(6, activity_regularizer=keras.regularizers.L2(0.01)), L.PReLU(), L.Activation("sigmoid"), L.Dropout(0.0),
        L.GaussianNoise(0.0), L.GaussianDropout(0.0), L.ReLU(max_value=4.0, negative_slope=0.1), L.Identity(), L.Dense(3), L.Softmax()])
    compiled(model, keras.optimizers.Adam(0.01), "categorical_crossentropy", metrics=["accuracy"])
    return model, [data(9, 6)], np.eye(3, dtype="float32")[data(9, classes=3)]


@case
def image_layers(keras):
    L = keras.layers
    model = keras.Sequential([
        L.Input((12, 12, 3)), L.Rescaling(0.5, offset=0.1), L.ZeroPadding2D(((1, 0), (0, 1))),
        L.Conv2D(4, 3, padding="same", activation="relu"),
        L.MaxPooling2D(2), L.Conv2D(6, (2, 3), strides=(1, 2), groups=2), L.SpatialDropout2D(0.0), L.UpSampling2D(2), L.AveragePooling2D(2),
        L.Cropping2D(((1, 0), (0, 0))), L.BatchNormalization(), L.Conv2D(4, 2, dilation_rate=1, use_bias=False), L.Flatten(), L.Dense(2)])
    return compiled(model, keras.optimizers.SGD(0.05, momentum=0.9)), [data(5, 12, 12, 3)], data(5, 2, seed=1)


@case
def convolved_images(keras):
    L = keras.layers
    model = keras.Sequential([
        L.Input((6, 6, 2)), L.DepthwiseConv2D(3, depth_multiplier=2, padding="same", depthwise_regularizer="l2"),
        L.SeparableConv2D(5, 3, strides=2, padding="same", pointwise_constraint="max_norm"),
        L.Conv2DTranspose(3, 3, strides=2, padding="same", output_padding=1, activation="relu"), L.Reshape((3, 4, 3, 3)),
        L.Conv3D(4, 2, padding="same"), L.Conv3DTranspose(2, (1, 2, 2), strides=(1, 2, 1)), L.Reshape((12, -1)),
        L.Conv1DTranspose(4, 3), L.DepthwiseConv1D(3), L.SeparableConv1D(3, 3), L.Flatten(), L.Dense(2)])
    return compiled(model, "adam"), [data(4, 6, 6, 2)], data(4, 2, seed=1)


@case
def pooled_images(keras):
    L = keras.layers
    given = keras.Input((6, 6, 2))
    x = L.Conv2D(3, 2, kernel_initializer="glorot_normal", bias_initializer=keras.initializers.Constant(0.1))(given)
    outputs = L.Concatenate()([L.GlobalMaxPooling2D()(x), L.GlobalAveragePooling2D()(x)])
    return compiled(keras.Model(given, L.Dense(2)(outputs)), "rmsprop"), [data(4, 6, 6, 2)], data(4, 2, seed=1)


@case
def normalized_images(keras):
    L = keras.layers
    model = keras.Sequential([
        L.Input((7, 6, 2)), L.Conv2D(4, 2), L.GroupNormalization(2, beta_regularizer="l2"), L.UpSampling2D(2, interpolation="bilinear"),
        L.RMSNormalization(), L.SpectralNormalization(L.Conv2D(4, 2, activation="tanh"), power_iterations=2), L.UnitNormalization(axis=[1]),
        L.Resizing(6, 5), L.CenterCrop(4, 5), L.ActivityRegularization(l1=0.01), L.AlphaDropout(0.0), L.Flatten(), L.Dense(2)])
    return compiled(model, keras.optimizers.SGD(0.05)), [data(4, 7, 6, 2)], data(4, 2, seed=1)


@case
def volumes(keras):
    L = keras.layers
    given = keras.Input((4, 5, 4, 2))
    x = L.Cropping3D(((1, 0), (0, 1), (1, 1)))(L.ZeroPadding3D(1)(L.Conv3D(3, 2)(given)))
    x = L.SpatialDropout3D(0.0)(L.UpSampling3D((1, 1, 2))(L.AveragePooling3D((2, 1, 1))(L.MaxPooling3D((1, 2, 2))(x))))
    outputs = L.Concatenate()([L.GlobalMaxPooling3D()(x), L.GlobalAveragePooling3D()(x)])
    return compiled(keras.Model(given, L.Dense(2)(outputs)), "sgd"), [data(4, 4, 5, 4, 2)], data(4, 2, seed=1)


@case
def sequence_layers(keras):
    L = keras.layers
    model = keras.Sequential([
        L.Input((10,), dtype="int32"), L.Embedding(20, 6, name="words"), L.SpatialDropout1D(0.0), L.Conv1D(5, 3, padding="causal"),
        L.ZeroPadding1D(1), L.MaxPooling1D(2), L.UpSampling1D(2), L.AveragePooling1D(2), L.Cropping1D(1),
        L.Permute((2, 1)), L.Reshape((-1,)),
        L.RepeatVector(3), L.Conv1D(4, 2), L.GlobalAveragePooling1D(), L.Dense(1, activation="sigmoid")])
    compiled(model, keras.optimizers.SGD(0.05), "binary_crossentropy", metrics=["accuracy"])
    return model, [data(6, 10, classes=20)], data(6, 1, classes=2).astype("float32")


@case
def masked_sequences(keras):
    L = keras.layers
    given = keras.Input((5, 3))
    x = L.Masking(0.0)(given)
    x = L.Dense(4)(x)
    outputs = L.Concatenate()([L.GlobalAveragePooling1D()(x), L.GlobalMaxPooling1D()(L.Activation("tanh")(given))])
    rows = data(4, 5, 3)
    rows[1, 3:] = 0
    return compiled(keras.Model(given, L.Dense(2)(outputs)), "adam"), [rows], data(4, 2, seed=1)


@case
def merging_layers(keras):
    L = keras.layers
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    x, y = L.Dense(5)(a), L.Dense(5)(b)
    merged = [L.Add()([x, y]), L.Subtract()([x, y]), L.Multiply()([x, y]), L.Average()([x, y]), L.Maximum()([x, y]), L.Minimum()([x, y])]
    return compiled(keras.Model([a, b], L.Dense(1)(L.Concatenate()(merged))), "nadam"), [data(7, 4), data(7, 4, seed=2)], data(7, 1, seed=1)


@case
def dot_layer(keras):
    L = keras.layers
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    x, y = L.Dense(5)(a), L.Dense(5)(b)
    outputs = L.Concatenate()([L.Dot(axes=1)([x, y]), L.Dot(axes=-1, normalize=True)([x, y]), x])
    return compiled(keras.Model([a, b], L.Dense(1)(outputs)), "adam"), [data(7, 4), data(7, 4, seed=2)], data(7, 1, seed=1)


@case
def nested_and_shared(keras):
    L = keras.layers
    inner_input = keras.Input((5,))
    inner = keras.Model(inner_input, [L.Dense(4, name="kernel_of_inner")(inner_input), inner_input], name="inner")
    deep = keras.Sequential([L.Input((4,)), L.Dense(4, activation="relu"), L.BatchNormalization()], name="deep")
    a, b = keras.Input((5,), name="left"), keras.Input((5,), name="right")
    shared = L.Dense(5, name="shared")
    p, q = inner(shared(a))
    r, _ = inner(shared(b))
    outputs = L.Concatenate(name="all")([deep(p), deep(r), q])
    return compiled(keras.Model([a, b], L.Dense(2)(outputs)), "adam"), [data(6, 5), data(6, 5, seed=2)], data(6, 2, seed=1)


@case
def several_outputs(keras):
    L = keras.layers
    given = keras.Input((4,))
    x = L.Dense(5, activation="relu")(given)
    model = keras.Model(given, [L.Dense(1, name="one")(x), L.Dense(3, activation="softmax", name="two")(x)])
    compiled(model, "adam", ["mse", "sparse_categorical_crossentropy"], loss_weights=[0.3, 0.7], metrics=[["mae"], ["accuracy"]])
    return model, [data(6, 4)], [data(6, 1, seed=1), data(6, classes=3)]


@case
def operations(keras):
    ops = keras.ops
    given = keras.Input((4, 3))
    x = ops.mean(given, axis=1)
    y = ops.reshape(ops.transpose(given, (0, 2, 1)), (-1, 12))
    z = ops.concatenate([x, y * 2.0, given[:, 0]], axis=-1)
    outputs = ops.sum(ops.relu(z) / 2.0 + 1.0, axis=-1, keepdims=True)
    return compiled(keras.Model(given, keras.layers.Dense(2)(outputs)), "sgd"), [data(5, 4, 3)], data(5, 2, seed=1)


@case
def random_layers(keras):
    L = keras.layers
    model = keras.Sequential([L.Input((6, 4)), L.SpatialDropout1D(0.2), L.Dense(3), L.Dropout(0.3, noise_shape=(None, 1, 3), seed=5),
                              L.GaussianNoise(0.2), L.GaussianDropout(0.1), L.Flatten(), L.Dense(2)])
    return compiled(model, "adam"), [data(5, 6, 4)], data(5, 2, seed=1)


@case
def subclassed(keras):
    class Block(keras.layers.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.steps = [keras.layers.Dense(3), keras.layers.Dense(4)]
            self.named = {"a": [keras.layers.Dense(4)]}

        def build(self, input_shape):
            self.scale = self.add_weight(shape=(4,), initializer="ones")
            for layer in (*self.steps, self.named["a"][0]):
                layer.build(input_shape)
                input_shape = (*input_shape[:-1], layer.units)
            self.built = True

        def call(self, x):
            for step in self.steps:
                x = step(x)
            return self.named["a"][0](x) * self.scale

    class Whole(keras.Model):
        def __init__(self):
            super().__init__()
            self.block = Block()
            self._private = keras.layers.Dense(2)
            self.norm = keras.layers.BatchNormalization()

        def call(self, x, training=None):  # Keras trains a model whose call has no such argument in inference mode
            return self._private(self.norm(self.block(x), training=training))

    # not Adam: what stands before a batch normalization has gradients of rounding noise, which Adam makes steps of
    model = compiled(Whole(), keras.optimizers.SGD(0.01, momentum=0.9))
    model(data(5, 4))
    return model, [data(5, 4)], data(5, 2, seed=1)


@case
def subclassed_with_metric(keras):
    class Counting(keras.Model):
        def __init__(self):
            super().__init__()
            self.seen = keras.metrics.Mean(name="seen")
            self.drawn = keras.random.SeedGenerator(5)
            self.dense = keras.layers.Dense(2)
            self.also = [self.dense, (keras.layers.Dense(2), {"deep": [keras.layers.Dense(2)]})]

        def call(self, x):
            return self.dense(x) + self.also[1][0](x) + self.also[1][1]["deep"][0](x)

    model = compiled(Counting(), "adam", metrics=["mae"])
    model(data(5, 4))
    return model, [data(5, 4)], data(5, 2, seed=1)


def _functions(names, losses):
    def build(keras):
        L = keras.layers
        given = keras.Input((4,))
        x = L.Dense(5, activation="tanh")(given)
        outputs = [L.Dense(3, activation=losses[name][0] if losses else "softmax", name=name)(x) for name in names]
        kinds = [losses[name][1] if losses else names[name] for name in names]
        loss = list(names) if losses else ["categorical_crossentropy" if kind == "rows" else "sparse_categorical_crossentropy"
                                           for kind in kinds]
        model = compiled(keras.Model(given, outputs), "sgd", loss, metrics=None if losses else [[name] for name in names])
        classes = data(6, classes=3)
        return model, [data(6, 4)], [np.eye(3, dtype="float32")[classes] if kind == "rows" else classes for kind in kinds]

    return build


def small(keras, outputs=3, activation=None):
    return keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(outputs, activation=activation)])


# losses and metrics as functions, each on an output of its own: name -> (activation of the output, kind of its labels)
LOSS_FUNCTIONS = {"binary_crossentropy": ("sigmoid", "rows"), "categorical_crossentropy": ("softmax", "rows"),
                  "categorical_hinge": (None, "rows"),
                  "cosine_similarity": (None, "rows"), "hinge": (None, "rows"), "huber": (None, "rows"),
                  "kl_divergence": ("softmax", "rows"),
                  "log_cosh": (None, "rows"), "mean_absolute_error": (None, "rows"), "mean_absolute_percentage_error": (None, "rows"),
                  "mean_squared_error": (None, "rows"), "mean_squared_logarithmic_error": ("sigmoid", "rows"),
                  "poisson": ("softplus", "rows"), "sparse_categorical_crossentropy": ("softmax", "classes"),
                  "squared_hinge": (None, "rows"), "binary_focal_crossentropy": ("sigmoid", "rows"),
                  "categorical_focal_crossentropy": ("softmax", "rows"), "dice": ("sigmoid", "rows"), "tversky": ("sigmoid", "rows")}
METRIC_FUNCTIONS = {"accuracy": "rows", "binary_accuracy": "rows", "categorical_accuracy": "rows", "top_k_categorical_accuracy": "rows",
                    "sparse_categorical_accuracy": "classes", "sparse_top_k_categorical_accuracy": "classes",
                    "pearson_correlation": "rows", "concordance_correlation": "rows"}
LOSSES = {"BinaryCrossentropy": ("sigmoid", {"label_smoothing": 0.1}),
          "CategoricalCrossentropy": ("softmax", {"from_logits": False}),
          "CategoricalHinge": (None, {}), "CosineSimilarity": (None, {}), "Hinge": (None, {}), "Huber": (None, {}),
          "KLDivergence": ("softmax", {}), "LogCosh": (None, {}), "MeanAbsoluteError": (None, {}),
          "MeanAbsolutePercentageError": (None, {}),
          "MeanSquaredError": (None, {"reduction": "sum"}),
          "MeanSquaredLogarithmicError": ("sigmoid", {}), "Poisson": ("softplus", {}),
          "SparseCategoricalCrossentropy": ("softmax", {}), "SquaredHinge": (None, {}),
          "BinaryFocalCrossentropy": ("sigmoid", {"apply_class_balancing": True, "alpha": 0.3}),
          "CategoricalFocalCrossentropy": ("softmax", {"gamma": 1.5}), "CategoricalGeneralizedCrossEntropy": ("softmax", {"q": 0.4}),
          "Dice": ("sigmoid", {"axis": 1}), "Tversky": ("sigmoid", {"alpha": 0.3, "beta": 0.6})}
OF_CLASSES = ("SparseCategoricalCrossentropy", "CategoricalGeneralizedCrossEntropy")  # their labels are numbers
OPTIMIZERS = {"SGD": {"momentum": 0.9, "nesterov": True, "clipnorm": 1.0}, "RMSprop": {"momentum": 0.5, "centered": True},
              "Adam": {"amsgrad": True, "global_clipnorm": 2.0}, "AdamW": {"weight_decay": 0.01}, "Adadelta": {}, "Adagrad": {},
              "Adamax": {"clipvalue": 0.5}, "Nadam": {}, "Lion": {}}
SCHEDULES = {"CosineDecay": (0.1, 20), "CosineDecayRestarts": (0.1, 5), "ExponentialDecay": (0.1, 10, 0.9),
             "InverseTimeDecay": (0.1, 10, 0.5),
             "PiecewiseConstantDecay": ([3, 6], [0.1, 0.05, 0.01]),
             "PolynomialDecay": (0.1, 10)}
METRICS = {"Accuracy": {}, "BinaryAccuracy": {"threshold": 0.4}, "BinaryCrossentropy": {}, "CategoricalAccuracy": {},
           "CategoricalCrossentropy": {}, "CategoricalHinge": {}, "CosineSimilarity": {}, "FalseNegatives": {}, "FalsePositives": {},
           "Hinge": {},
           "KLDivergence": {}, "LogCoshError": {}, "MeanAbsoluteError": {}, "MeanAbsolutePercentageError": {},
           "MeanSquaredError": {}, "MeanSquaredLogarithmicError": {}, "Poisson": {}, "Precision": {"thresholds": [0.3, 0.6]},
           "Recall": {"class_id": 1}, "RootMeanSquaredError": {}, "SquaredHinge": {}, "TopKCategoricalAccuracy": {"k": 2},
           "TrueNegatives": {}, "TruePositives": {}, "AUC": {"curve": "PR", "num_thresholds": 9}, "PrecisionAtRecall": {"recall": 0.5},
           "RecallAtPrecision": {"precision": 0.4}, "SensitivityAtSpecificity": {"specificity": 0.5, "num_thresholds": 7},
           "SpecificityAtSensitivity": {"sensitivity": 0.5, "class_id": 1}, "F1Score": {"average": "macro"},
           "FBetaScore": {"beta": 2.0, "threshold": 0.3}, "R2Score": {"class_aggregation": None}, "PearsonCorrelation": {},
           "ConcordanceCorrelation": {"axis": 0}, "BinaryIoU": {"threshold": 0.4},
           "OneHotIoU": {"num_classes": 3, "target_class_ids": [0, 2]}, "OneHotMeanIoU": {"num_classes": 3}}
SPARSE_METRICS = {"SparseCategoricalAccuracy": {}, "SparseCategoricalCrossentropy": {}, "SparseTopKCategoricalAccuracy": {"k": 2},
                  "IoU": {"num_classes": 3, "target_class_ids": [1], "sparse_y_pred": False},
                  "MeanIoU": {"num_classes": 3, "sparse_y_pred": False}}


def _loss(name):
    def build(keras):
        activation, options = LOSSES[name]
        model = compiled(small(keras, 3, activation), "sgd", getattr(keras.losses, name)(**options))
        labels = data(6, classes=3)
        return model, [data(6, 4)], labels if name in OF_CLASSES else np.eye(3, dtype="float32")[labels]

    return build


def _optimizer(name, **more):
    def build(keras):
        options = dict(OPTIMIZERS[name], **more)
        model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(5, activation="tanh"), keras.layers.Dense(2)])
        return compiled(model, getattr(keras.optimizers, name)(learning_rate=0.01, **options)), [data(6, 4)], data(6, 2, seed=1)

    return build


def _scaling(keras):
    model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(5, activation="tanh"), keras.layers.Dense(2)])
    optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(0.01), initial_scale=1024.0, dynamic_growth_steps=2)
    return compiled(model, optimizer), [data(6, 4)], data(6, 2, seed=1)


def _schedule(name):
    def build(keras):
        rate = getattr(keras.optimizers.schedules, name)(*SCHEDULES[name])
        return compiled(small(keras, 2), keras.optimizers.Adam(rate)), [data(6, 4)], data(6, 2, seed=1)

    return build


def _metrics(names, sparse):
    def build(keras):
        metrics = [getattr(keras.metrics, name)(**options) for name, options in names.items()]
        loss = "sparse_categorical_crossentropy" if sparse else "categorical_crossentropy"
        model = compiled(small(keras, 3, "softmax"), "sgd", loss, metrics=metrics)
        labels = data(6, classes=3)
        return model, [data(6, 4)], labels if sparse else np.eye(3, dtype="float32")[labels]

    return build


CASES.update({f"loss_{name}": _loss(name) for name in LOSSES})
CASES.update({f"optimizer_{name}": _optimizer(name) for name in OPTIMIZERS})
CASES.update({f"schedule_{name}": _schedule(name) for name in SCHEDULES})
CASES["functions_as_losses"] = _functions(LOSS_FUNCTIONS, LOSS_FUNCTIONS)
CASES["functions_as_metrics"] = _functions(METRIC_FUNCTIONS, None)
CASES["optimizer_scaling"] = _scaling
CASES["optimizer_averaged"] = _optimizer("Adam", amsgrad=False, global_clipnorm=None, use_ema=True, ema_overwrite_frequency=2)
CASES["optimizer_accumulating"] = _optimizer("SGD", clipnorm=None, gradient_accumulation_steps=2)
CASES["metrics_dense"] = _metrics(METRICS, False)
CASES["metrics_sparse"] = _metrics(SPARSE_METRICS, True)
