"""Subclassed models: built by their first call, mixed freely with the other styles."""

from __future__ import annotations

import numpy as np
import pytest

from kcompile import layers, ops
from kcompile.models import Model, Sequential
from kcompile.tensor import KerasTensor


class Net(Model):
    def __init__(self, units=2):
        super().__init__()
        self.first = layers.Dense(3, activation="relu")
        self.rest = [layers.Dropout(0.5), {"last": layers.Dense(units)}]

    def call(self, x, training=None):
        x = self.rest[0](self.first(x), training=training)
        return self.rest[1]["last"](x)


def test_built_by_the_first_call():
    net = Net()
    assert not net.built and net.weights == []
    assert net(np.ones((4, 5))).shape == (4, 2)
    assert net.built and net.count_params() == 26
    assert [w.path for w in net.weights] == ["net/dense/kernel", "net/dense/bias", "net/dense_1/kernel", "net/dense_1/bias"]
    assert [layer.name for layer in net.layers] == ["dense", "dropout", "dense_1"]


def test_built_for_a_shape():
    net = Net()
    net.build((None, 5))
    assert net.built and net.count_params() == 26
    net = Net()
    net.build(input_shape=(16, 5))
    assert net.count_params() == 26


def test_built_by_symbols():
    net = Net()
    y = net(layers.Input((5,)))
    assert isinstance(y, KerasTensor) and y.shape == (None, 2) and net.built


def test_compute_output_shape_and_spec():
    assert Net().compute_output_shape((None, 5)) == (None, 2)
    assert Net().compute_output_spec(KerasTensor((7, 5))).shape == (7, 2)


def test_training_argument():
    net = Net()
    x = np.ones((2, 5), "float32")
    assert (np.asarray(net(x)) == np.asarray(net(x, training=False))).all()

    class NoArgument(Model):
        def __init__(self):
            super().__init__()
            self.drop = layers.Dropout(0.5)

        def call(self, x):
            return self.drop(x)

    model = NoArgument()
    big = np.ones((50, 50), "float32")
    assert 0 in np.asarray(model(big, training=True)), "what the caller says reaches the layers either way"
    assert 0 not in np.asarray(model(big))


def test_several_inputs_in_a_structure():
    class Both(Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(2)

        def call(self, inputs):
            return {"sum": self.dense(inputs["a"]) + self.dense(inputs["b"]), "a": inputs["a"]}

    y = Both()({"a": np.ones((1, 3)), "b": np.ones((1, 3))})
    assert set(y) == {"sum", "a"} and y["sum"].shape == (1, 2)
    model = Both()
    model.build({"a": (None, 3), "b": (None, 3)})
    assert model.count_params() == 8


def test_own_weights_and_losses():
    class Scaled(Model):
        def build(self, input_shape):
            self.scale = self.add_weight(name="scale", shape=(input_shape[-1],), initializer="ones")

        def call(self, x):
            self.add_loss(ops.sum(self.scale))
            return x * self.scale

    model = Scaled()
    model(np.ones((1, 3)))
    assert [w.path for w in model.weights] == ["scaled/scale"]
    assert [float(loss) for loss in model.losses] == [3.0]


def test_all_styles_in_one():
    x = layers.Input((5,))
    functional = Model(x, layers.Dense(4)(x))

    class Mixed(Model):
        def __init__(self):
            super().__init__()
            self.parts = [functional, Sequential([layers.Dense(3), Net(1)])]

        def call(self, x, training=None):
            for part in self.parts:
                x = part(x, training=training)
            return x

    y = layers.Input((5,))
    outer = Model(y, Mixed()(y))
    assert outer(np.ones((2, 5))).shape == (2, 1)
    assert len(outer.weights) == 8


def test_a_model_and_a_mixin_layer():
    class Describing(layers.Layer):
        def describe(self):
            return f"{self.name} of {len(self.weights)}"

    class Both(Describing, Net):
        pass

    model = Both()
    model(np.ones((1, 2)))
    assert model.describe() == "both of 4"


def test_a_model_without_call():
    class Empty(Model):
        pass

    with pytest.raises(NotImplementedError, match="Model Empty does not have a `call"):
        Empty()(np.ones(3))


def test_layers_is_reserved():
    class Wrong(Model):
        def __init__(self):
            super().__init__()
            self.layers = []

    with pytest.raises(AttributeError, match=r"`Model\.layers` attribute is reserved"):
        Wrong()


def test_errors_name_the_inner_layer():
    class Wrong(Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(2, name="inner")

        def call(self, x):
            return self.dense(x[0])

    with pytest.raises(ValueError, match=r"expected min_ndim=2, found ndim=1(.|\n)*in layer 'wrong/inner' \(Dense\)"):
        Wrong()(np.ones((2, 3)))
