"""Mistakes in the user's own code: Python on symbolic tensors, state made in the wrong place, steps out of order."""

import numpy as np
from expected_errors import line, raises
from faulty_models import classifier

import kcompile as keras
from kcompile import layers, ops


def layer_of(call):
    """A layer named 'mine' that computes `call`, in a model over 4 features."""
    class Mine(layers.Layer):
        def call(self, inputs):
            return call(inputs)

    return keras.Sequential([keras.Input((4,)), Mine(name="mine")], name="net")


def test_if_on_a_symbolic_tensor():
    def call(x):
        if ops.sum(x) > 0:
            return x
        return -x

    with raises(TypeError, line("if ops.sum"), "`if`", "ops.where", "'net/mine' (Mine)", "shape=(None, 4)"):
        layer_of(call)


def test_if_in_a_subclassed_model(x, y):
    class Net(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(1)

        def call(self, inputs):
            h = self.dense(inputs)
            return h if h[0, 0] > 0 else -h

    model = Net()
    model.compile("sgd", "mse")
    with raises(TypeError, line("return h if"), "ops.where", "(Net)"):
        model.fit(x, y, verbose=0)


def test_and_while_and_not():
    symbol = keras.Input((4,))
    with raises(TypeError, line("while ops.any(symbol"), "ops.logical_and"):
        while ops.any(symbol > 0):
            pass
    with raises(TypeError, line("not ops.any(symbol"), "ops.logical_and"):
        not ops.any(symbol > 0)


def test_python_numbers_from_symbolic_tensors():
    with raises(TypeError, line("layer_of(lambda x: x * float"), "float", "'net/mine'"):
        layer_of(lambda x: x * float(ops.max(x)))
    with raises(TypeError, "int", "'net/mine'"):
        layer_of(lambda x: x[int(ops.argmax(x[0]))])
    with raises(TypeError, line("for _ in range"), "size", "ops."):
        layer_of(lambda x: [x
                            for _ in range(ops.shape(x)[0])])
    with raises(TypeError, "iterating", "known size"):
        layer_of(lambda x: ops.stack([row * 2 for row in x]))


def test_numpy_on_symbolic_tensors():
    with raises(TypeError, line("layer_of(lambda x: np.tanh"), "numpy", "kcompile.ops", "'net/mine'"):
        layer_of(lambda x: np.tanh(x))
    with raises(TypeError, "KerasTensor", "kcompile.ops"):
        np.exp(keras.Input((4,)))
    with raises(TypeError, "numpy()", "eager"):
        keras.Input((4,)).numpy()


def test_changing_a_tensor_in_place():
    def call(x):
        x[0] = 3.0
        return x

    with raises(TypeError, "in place", "ops.where", "ops.slice_update", line("x[0] = 3.0")):
        layer_of(call)


def test_an_exception_of_the_users_keeps_its_kind_and_says_where():
    with raises(KeyError, "'net/mine' (Mine)", line("layer_of(lambda x: {}")):
        layer_of(lambda x: {}["units"])


def test_an_argument_that_call_needs(x):
    class Mine(layers.Layer):
        def call(self, inputs, mode):
            return inputs

    with raises(TypeError, "'mode'", "'mine' (Mine)", line('Mine(name="mine")(x)')):
        Mine(name="mine")(x)


def test_a_layer_that_keeps_a_tensor(x):
    class Keeping(layers.Layer):
        kept = None

        def call(self, inputs):
            before, self.kept = self.kept, inputs
            return inputs if before is None else inputs + before

    with raises(TypeError, "Variable", "'net/keeping' (Keeping)"):
        model = keras.Sequential([keras.Input((4,)), Keeping(name="keeping")], name="net")
        model.predict(x, verbose=0)


def test_state_in_the_wrong_place(x):
    class Late(layers.Layer):
        def call(self, inputs):
            return inputs * self.add_weight(shape=(4,))

    with raises(ValueError, "`__init__()`", "`build()`", "(Late)"):
        keras.Sequential([keras.Input((4,)), Late()]).predict(x, verbose=0)

    class Early(layers.Layer):
        def __init__(self):
            self.dense = layers.Dense(3)

    with raises(RuntimeError, "'Early'", "super().__init__()"):
        Early()(x)


def test_a_weight_of_unknown_size():
    class Mine(layers.Layer):
        def build(self, input_shape):
            self.w = self.add_weight(shape=(input_shape[1], 3))

        def call(self, inputs):
            return inputs

    with raises(ValueError, "'mine'", "unknown sizes", "(None, 3)", line('Mine(name="mine")(')):
        Mine(name="mine")(keras.Input((None, 4)))
    with raises(ValueError, "'mine'", "unknown sizes", "(None, 3)"):
        layers.Dense(3, name="mine")(layers.Flatten()(keras.Input((None, 4))))


def test_assigning_another_shape_in_a_layer():
    class Mine(layers.Layer):
        def build(self, input_shape):
            self.w = self.add_weight(shape=(1,), name="w")

        def call(self, inputs):
            self.w.assign(inputs)
            return inputs

    with raises(ValueError, "variable.shape=(1,)", "value.shape=(None, 4)", "net/mine/w"):
        keras.Sequential([keras.Input((4,)), Mine(name="mine")], name="net")


def test_a_model_without_call(x):
    class Net(keras.Model):
        pass

    with raises(NotImplementedError, "Net", "`call()`"):
        Net()(x)


def test_an_overridden_train_step_is_not_ignored(x, y):
    class Net(keras.Sequential):
        def train_step(self, data):
            return {"loss": 0.0}

    with raises(NotImplementedError, "Net", "train_step()", "compute_loss"):
        model = Net([keras.Input((4,)), layers.Dense(1)])
        model.compile("sgd", "mse")
        model.fit(x, y, verbose=0)


def test_before_compile(x, y):
    model = keras.Sequential([keras.Input((4,)), layers.Dense(1)])
    for call in (model.fit, model.evaluate, model.train_on_batch, model.test_on_batch):
        with raises(ValueError, "`compile()`"):
            call(x, y)


def test_a_loss_that_is_missing(x, y):
    model = classifier(loss=None)
    with raises(ValueError, "loss", "`compile()`"):
        model.fit(x, y, verbose=0)


def test_before_build():
    model = keras.Sequential([layers.Dense(3)], name="net")
    with raises(ValueError, "'net'", "built"):
        model.count_params()
