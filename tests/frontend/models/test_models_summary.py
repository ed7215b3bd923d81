"""model.summary() in the classic layout, to the byte."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kcompile import layers
from kcompile.models import Model, Sequential


def summary(model, **options):
    lines = []
    model.summary(print_fn=lines.append, **options)
    return "\n".join(lines) + "\n"


def test_the_published_example(capsys):
    model = Sequential([
        layers.Conv2D(32, (3, 3), activation="relu", input_shape=(28, 28, 1)), layers.MaxPooling2D((2, 2)),
        layers.Conv2D(64, (3, 3), activation="relu"), layers.MaxPooling2D((2, 2)), layers.Conv2D(64, (3, 3), activation="relu"),
        layers.Flatten(), layers.Dense(64, activation="relu"), layers.Dense(10)], name="Keras Test CNN")
    model.summary()
    wanted = Path(__file__).parents[2] / "acceptance" / "cnn_summary.txt"
    assert capsys.readouterr().out.splitlines() == wanted.read_text().splitlines()


def chain():
    return Sequential([layers.Input((4,)), layers.Dense(3), layers.BatchNormalization()], name="chain")


CHAIN = """\
Model: "chain"
_________________________________________________________________
Layer (type)                 Output Shape              Param #   
=================================================================
dense (Dense)                (None, 3)                 15        
_________________________________________________________________
batch_normalization (BatchNo (None, 3)                 12        
=================================================================
Total params: 27
Trainable params: 21
Non-trainable params: 6
_________________________________________________________________
"""


def test_counts():
    assert summary(chain()) == CHAIN


def test_a_linear_functional_model_shows_its_input():
    x = layers.Input((4,), name="x")
    assert summary(Model(x, layers.Dense(3)(x), name="m")) == """\
Model: "m"
_________________________________________________________________
Layer (type)                 Output Shape              Param #   
=================================================================
x (InputLayer)               [(None, 4)]               0         
_________________________________________________________________
dense (Dense)                (None, 3)                 15        
=================================================================
Total params: 15
Trainable params: 15
Non-trainable params: 0
_________________________________________________________________
"""


def test_connections():
    x = layers.Input((4,), name="x")
    shared = layers.Dense(4, name="shared")
    h = shared(x)
    model = Model(x, layers.add([shared(h), h]) * 2.0, name="m")
    assert summary(model) == """\
Model: "m"
__________________________________________________________________________________________________
Layer (type)                    Output Shape         Param #     Connected to                     
==================================================================================================
x (InputLayer)                  [(None, 4)]          0                                            
__________________________________________________________________________________________________
shared (Dense)                  (None, 4)            20          x[0][0]                          
                                                                 shared[0][0]                     
__________________________________________________________________________________________________
add (Add)                       (None, 4)            0           shared[1][0]                     
                                                                 shared[0][0]                     
__________________________________________________________________________________________________
multiply (Multiply)             (None, 4)            0           add[0][0]                        
==================================================================================================
Total params: 20
Trainable params: 20
Non-trainable params: 0
__________________________________________________________________________________________________
"""


def test_nested_models_and_the_trainable_column():
    inner = Sequential([layers.Input((3,)), layers.Dense(2), layers.Dense(1, trainable=False)], name="inner")
    model = Sequential([layers.Input((4,)), layers.Dense(3), inner], name="outer")
    assert summary(model, expand_nested=True, show_trainable=True) == """\
Model: "outer"
____________________________________________________________________________
Layer (type)                 Output Shape              Param #   Trainable  
============================================================================
dense_2 (Dense)              (None, 3)                 15        Y          
____________________________________________________________________________
inner (Sequential)           (None, 1)                 11        Y          
|¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯|
|dense (Dense)               (None, 2)                 8         Y         |
|dense_1 (Dense)             (None, 1)                 3         N         |
|¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯|
============================================================================
Total params: 26
Trainable params: 23
Non-trainable params: 3
____________________________________________________________________________
"""
    assert "dense_1" not in summary(model)


def test_before_and_after_a_deferred_model_is_built():
    model = Sequential([layers.Dense(3, name="d")], name="later")
    text = summary(model)
    assert "d (Dense)                    ?                         unbuilt   " in text and "Total params: 0\n" in text
    model(np.ones((2, 4)))
    assert "d (Dense)                    (None, 3)                 15        " in summary(model)


def test_a_subclassed_model_before_and_after_its_first_call():
    class Net(Model):
        def __init__(self):
            super().__init__()
            self.flatten = layers.Flatten(name="f")
            self.dense = layers.Dense(3, name="d")
            self.drop = layers.Dropout(0.1, name="r")

        def call(self, x):
            return self.drop(self.dense(self.flatten(x)))

    net = Net()
    assert summary(net).count(" ? ") == 3
    net.build((None, 2, 2))
    text = summary(net)
    assert "f (Flatten)                  (None, 4)                 0" in text
    assert "d (Dense)                    (None, 3)                 15" in text
    assert "r (Dropout)                  (None, 3)                 0" in text


def test_line_length_and_positions():
    lines = summary(chain(), line_length=40).splitlines()
    assert {len(line) for line in lines[1:7]} == {40}
    assert summary(chain(), positions=[10, 30, 40]).splitlines()[2] == "Layer (ty Output Shape        Param #   "
    assert summary(chain(), positions=[0.2, 0.8, 1.0]).splitlines()[4].startswith("dense_2 (Den (None, 3)  ")
    with pytest.raises(ValueError, match="`positions` must have 3 entries"):
        chain().summary(positions=[0.5, 1.0])


def test_layer_range():
    model = Sequential([layers.Input((4,)), *[layers.Dense(2, name=name) for name in ("a", "b1", "b2", "c")]])
    text = summary(model, layer_range=("b", "b"))
    assert [name in text for name in ("a (", "b1 (", "b2 (", "c (")] == [False, True, True, False]
    with pytest.raises(ValueError, match="do not match the layer names"):
        model.summary(layer_range=("x", "c"))
    with pytest.raises(ValueError, match="a list or tuple of two names"):
        model.summary(layer_range=("a",))


def test_layers_called_on_several_shapes():
    a, b = layers.Input((2, 4)), layers.Input((3, 4))
    shared = layers.Dense(5, name="s")
    assert "s (Dense)                       multiple" in summary(Model([a, b], [shared(a), shared(b)]))
