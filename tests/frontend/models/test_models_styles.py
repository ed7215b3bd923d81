"""The same network written in each of the three styles is the same graph: equal simplified texts, names and lines off."""

from __future__ import annotations

import pytest

from kcompile import layers, ops
from kcompile.ir.passes.differentiate import differentiate
from kcompile.ir.passes.simplify import simplify
from kcompile.ir.text import print_graph
from kcompile.models import Model, Sequential
from kcompile.tracing import Trace, gradients


def image_layers():
    return [layers.Conv2D(4, 3, activation="relu"), layers.BatchNormalization(), layers.MaxPooling2D(), layers.Flatten(),
            layers.Dropout(0.5), layers.Dense(3, activation="softmax")]


def token_layers():
    return [layers.Embedding(9, 4, mask_zero=True), layers.LayerNormalization(), layers.GlobalAveragePooling1D(),
            layers.Dense(2, kernel_regularizer="l2")]


def as_sequential(stack, shape, dtype):
    return Sequential([layers.Input(shape, dtype=dtype), *stack])


def as_deferred_sequential(stack, shape, dtype):
    return Sequential(stack)


def as_functional(stack, shape, dtype):
    x = inputs = layers.Input(shape, dtype=dtype)
    for layer in stack:
        x = layer(x)
    return Model(inputs, x)


class Stack(Model):
    def __init__(self, stack):
        super().__init__()
        self.stack = stack
        self.supports_masking = True

    def call(self, x, training=None):
        for layer in self.stack:
            x = layer(x)
        return x


def as_subclass(stack, shape, dtype):
    return Stack(stack)


def as_nested(stack, shape, dtype):
    """A functional model around a Sequential one around a subclassed one."""
    x = inputs = layers.Input(shape, dtype=dtype)
    for layer in stack[:2]:
        x = layer(x)
    return Model(inputs, Sequential([Stack(stack[2:])])(x))


def text(model, shape, dtype, training):
    with Trace("step") as trace:
        y = model(trace.input("x", (None, *shape), dtype), training=training)
        loss = ops.mean(ops.square(y))
        for extra in model.losses:
            loss = loss + extra
        trace.output("loss", loss)
        if training:
            weights = model.trainable_variables
            for weight, gradient in zip(weights, gradients(loss, weights), strict=True):
                weight.assign_sub(0.1 * gradient)
    return print_graph(simplify(differentiate(trace.graph)), names=False)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("stack", "shape", "dtype"), [(image_layers, (8, 8, 3), "float32"), (token_layers, (5,), "int32")])
def test_every_style_gives_the_same_text(stack, shape, dtype, training):
    styles = (as_sequential, as_deferred_sequential, as_functional, as_subclass, as_nested)
    texts = {style.__name__: text(style(stack(), shape, dtype), shape, dtype, training) for style in styles}
    wanted = texts["as_sequential"]
    assert "dot(" in wanted and ("update " in wanted) == training
    for style, got in texts.items():
        assert got == wanted, style
