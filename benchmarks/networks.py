"""The larger benchmark models: residual, depthwise-separable, transposed. Same rules as in workloads.py."""

from __future__ import annotations

import numpy as np

CLASSIFY = {"loss": "sparse_categorical_crossentropy", "optimizer": "adam", "metrics": ["accuracy"]}


def images(height, width, channels, classes=10):
    """Random images and labels: a function of (rows, generator)."""
    def data(rows, rng):
        x = rng.random((rows, height, width, channels) if channels else (rows, height, width), dtype=np.float32)
        return x, rng.integers(0, classes, rows).astype("int32")
    return data


def resnet20(keras):
    """The 20-layer residual network for 32x32 images, with batch normalization."""
    layers = keras.layers

    def convolved(x, filters, size=3, strides=1):
        x = layers.Conv2D(filters, size, strides, padding="same", use_bias=False, kernel_initializer="he_normal")(x)
        return layers.BatchNormalization()(x)

    def block(x, filters, strides):
        y = layers.Activation("relu")(convolved(x, filters, 3, strides))
        y = convolved(y, filters)
        shortcut = x if strides == 1 else convolved(x, filters, 1, strides)
        return layers.Activation("relu")(layers.Add()([shortcut, y]))

    inputs = keras.Input((32, 32, 3))
    x = layers.Activation("relu")(convolved(inputs, 16))
    for filters, first in ((16, 1), (32, 2), (64, 2)):
        for strides in (first, 1, 1):
            x = block(x, filters, strides)
    outputs = layers.Dense(10, activation="softmax")(layers.GlobalAveragePooling2D()(x))
    return keras.Model(inputs, outputs), images(32, 32, 3), dict(CLASSIFY)


def autoencoder(keras):
    """Strided convolutions down to 16 numbers, transposed ones back up."""
    layers = keras.layers
    same = {"strides": 2, "padding": "same"}
    inputs = keras.Input((28, 28, 1))
    x = layers.Conv2D(32, 3, activation="relu", **same)(inputs)
    x = layers.Conv2D(64, 3, activation="relu", **same)(x)
    code = layers.Dense(16, activation="relu")(layers.Flatten()(x))
    x = layers.Reshape((7, 7, 64))(layers.Dense(7 * 7 * 64, activation="relu")(code))
    x = layers.Conv2DTranspose(32, 3, activation="relu", **same)(x)
    outputs = layers.Conv2DTranspose(1, 3, activation="sigmoid", **same)(x)

    def data(rows, rng):
        x = rng.random((rows, 28, 28, 1), dtype=np.float32)
        return x, x
    return keras.Model(inputs, outputs), data, {"loss": "binary_crossentropy", "optimizer": "adam"}


def depthwise(keras):
    """Depthwise-separable blocks on 32x32 images."""
    layers = keras.layers

    def capped(x):
        return layers.ReLU(max_value=6.0)(layers.BatchNormalization()(x))

    inputs = keras.Input((32, 32, 3))
    x = capped(layers.Conv2D(32, 3, padding="same", use_bias=False)(inputs))
    for filters, strides in ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1)):
        x = capped(layers.DepthwiseConv2D(3, strides=strides, padding="same", use_bias=False)(x))
        x = capped(layers.Conv2D(filters, 1, padding="same", use_bias=False)(x))
    x = capped(layers.SeparableConv2D(256, 3, padding="same", use_bias=False)(x))
    outputs = layers.Dense(10, activation="softmax")(layers.GlobalAveragePooling2D()(x))
    return keras.Model(inputs, outputs), images(32, 32, 3), dict(CLASSIFY)


def resnet50(keras):
    """The shapes of keras.applications.ResNet50: 25,636,712 parameters."""
    layers = keras.layers

    def convolved(x, filters, size=1, strides=1, padding="valid"):
        return layers.BatchNormalization(epsilon=1.001e-5)(layers.Conv2D(filters, size, strides, padding)(x))

    def block(x, filters, strides, widen):
        y = layers.Activation("relu")(convolved(x, filters, 1, strides))
        y = layers.Activation("relu")(convolved(y, filters, 3, padding="same"))
        y = convolved(y, 4 * filters)
        return layers.Activation("relu")(layers.Add()([convolved(x, 4 * filters, 1, strides) if widen else x, y]))

    inputs = keras.Input((224, 224, 3))
    x = layers.Activation("relu")(convolved(layers.ZeroPadding2D(3)(inputs), 64, 7, 2))
    x = layers.MaxPooling2D(3, strides=2)(layers.ZeroPadding2D(1)(x))
    for filters, count, strides in ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)):
        for number in range(count):
            x = block(x, filters, strides if number == 0 else 1, number == 0)
    outputs = layers.Dense(1000, activation="softmax")(layers.GlobalAveragePooling2D()(x))
    return keras.Model(inputs, outputs), images(224, 224, 3, 1000), dict(CLASSIFY)


def mobilenetv2(keras):
    """The shapes of keras.applications.MobileNetV2: 3,538,984 parameters."""
    layers = keras.layers

    def normalized(x, capped=True):
        x = layers.BatchNormalization(epsilon=1e-3, momentum=0.999)(x)
        return layers.ReLU(max_value=6.0)(x) if capped else x

    def block(x, before, filters, strides, expansion):
        y = x
        if expansion > 1:
            y = normalized(layers.Conv2D(before * expansion, 1, use_bias=False)(y))
        if strides == 2:
            y = layers.ZeroPadding2D(((0, 1), (0, 1)))(y)
        y = normalized(layers.DepthwiseConv2D(3, strides=strides, use_bias=False, padding="same" if strides == 1 else "valid")(y))
        y = normalized(layers.Conv2D(filters, 1, use_bias=False)(y), capped=False)
        return layers.Add()([x, y]) if strides == 1 and before == filters else y

    inputs = keras.Input((224, 224, 3))
    x = normalized(layers.Conv2D(32, 3, strides=2, padding="same", use_bias=False)(inputs))
    before = 32
    for filters, count, strides, expansion in ((16, 1, 1, 1), (24, 2, 2, 6), (32, 3, 2, 6), (64, 4, 2, 6), (96, 3, 1, 6),
                                               (160, 3, 2, 6), (320, 1, 1, 6)):
        for number in range(count):
            x = block(x, before, filters, strides if number == 0 else 1, expansion)
            before = filters
    x = normalized(layers.Conv2D(1280, 1, use_bias=False)(x))
    outputs = layers.Dense(1000, activation="softmax")(layers.GlobalAveragePooling2D()(x))
    return keras.Model(inputs, outputs), images(224, 224, 3, 1000), dict(CLASSIFY)
