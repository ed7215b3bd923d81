"""Inputs of the wrong shape: the layer's path, what it expects, what it got, and the user's own line."""

import numpy as np
from expected_errors import line, raises
from faulty_models import classifier, pair

import kcompile as keras
from kcompile import layers, ops


def test_width_of_the_data():
    model = classifier()
    for call in (lambda: model.predict(np.zeros((8, 5)), verbose=0), lambda: model.fit(np.zeros((8, 5)), np.zeros(8), verbose=0)):
        with raises(ValueError, "layer 'net'", "'features'", "expected shape=(None, 4)", "found shape=(None, 5)"):
            call()


def test_rank_of_the_data():
    with raises(ValueError, "layer 'net'", "expected shape=(None, 4)", "found shape=(None, 2, 4)"):
        classifier().predict(np.zeros((8, 2, 4)), verbose=0)
    with raises(ValueError, "expected shape=(None, 4)", "found shape=(None,)"):
        classifier().predict(np.zeros(4), verbose=0)


def test_a_layer_called_on_another_width():
    dense = layers.Dense(3, name="first")
    dense(np.zeros((2, 4)))
    with raises(ValueError, "'first' (Dense)", "axis -1", "value 4", "shape (2, 7)", line("dense(np.zeros((2, 7)))")):
        dense(np.zeros((2, 7)))


def test_a_layer_of_a_functional_model():
    dense = layers.Dense(3, name="first")
    dense(keras.Input((4,)))
    with raises(ValueError, "'first' (Dense)", "value 4", "(None, 5)", line("dense(keras.Input((5,)))")):
        dense(keras.Input((5,)))


def test_images_without_channels():
    with raises(ValueError, "'photo' (Conv2D)", "min_ndim=4", "ndim=3", "(None, 28, 28)", line('name="photo"')):
        layers.Conv2D(4, 3, name="photo")(keras.Input((28, 28)))


def test_a_kernel_larger_than_the_image():
    with raises(ValueError, "zero or negative", "(None, 4, 4, 1)", "kernel_size=(7, 7)", "Conv2D"):
        layers.Conv2D(4, 7)(keras.Input((4, 4, 1)))
    with raises(ValueError, "zero or negative", "(None, 4, 4, 1)", "pool_size=(5, 5)", "MaxPooling2D"):
        layers.MaxPooling2D(5)(keras.Input((4, 4, 1)))


def test_branches_that_do_not_fit():
    with raises(ValueError, "Concatenate", "(None, 4, 4)", "(None, 4, 5)", line("layers.Concatenate(axis=1)")):
        layers.Concatenate(axis=1)([keras.Input((4, 4)), keras.Input((4, 5))])
    with raises(ValueError, "'residual' (Add)", "(4,)", "(5,)"):
        layers.Add(name="residual")([keras.Input((4,)), keras.Input((5,))])


def test_a_reshape_to_another_number_of_elements():
    with raises(ValueError, "(Reshape)", "input_shape=(4,)", "target_shape=(3, 3)"):
        layers.Reshape((3, 3))(keras.Input((4,)))


class Scale(layers.Layer):
    """A layer with the wrong weight."""

    def build(self, input_shape):
        self.w = self.add_weight(shape=(3, 2), name="w")

    def call(self, inputs):
        return ops.matmul(inputs, self.w)  # does not fit


def test_inside_a_layer_of_the_users_own():
    number = Scale.call.__code__.co_firstlineno + 1
    with raises(ValueError, "matmul", "(3, 2)", "'sequential", "/scale' (Scale)", f"{__file__}:{number}", "shape=(None, 4)"):
        keras.Sequential([keras.Input((4,)), Scale(name="scale")])


def test_a_nested_model_is_named_by_its_own_path():
    inner = keras.Sequential([keras.Input((4,)), layers.Dense(2)], name="inner")
    with raises(ValueError, "layer 'inner'", "expected shape=(None, 4)", "(None, 5)", line("inner(keras.Input((5,)))")):
        inner(keras.Input((5,)))


def test_a_fixed_batch_size(x, y):
    model = keras.Sequential([keras.Input((4,), batch_size=4), layers.Dense(1)])
    model.compile("sgd", "mse")
    with raises(ValueError, "fixed batch size of 4", "batch_size=3"):
        model.fit(x, y, batch_size=3, verbose=0)
    with raises(ValueError, "fixed batch size of 4", "6 samples", "2"):
        model.predict(x[:6], verbose=0)
    with raises(ValueError, "expected shape=(4, 4)", "found shape=(6, 4)"):
        model(x[:6])
    with raises(ValueError, "fixed batch size of 4", "batch of 3"):
        model.train_on_batch(x[:3], y[:3])


def test_labels_that_do_not_fit_the_predictions(x):
    with raises(ValueError, "sparse_categorical_crossentropy", "(None, 3)", "integer labels", "categorical_crossentropy for one-hot"):
        classifier("sparse_categorical_crossentropy", 3, "softmax").fit(x, np.zeros((8, 3)), verbose=0)
    with raises(ValueError, "categorical_crossentropy", "one-hot", "(None,)", "sparse_categorical_crossentropy for integer"):
        classifier("categorical_crossentropy", 3, "softmax").fit(x, np.zeros(8, int), verbose=0)
    images = keras.Sequential([keras.Input((8, 8, 1)), layers.Conv2D(2, 3), layers.Dense(3)])  # Flatten was forgotten
    images.compile("sgd", "sparse_categorical_crossentropy")
    with raises(ValueError, "labels (`y`) of shape (None,)", "predictions of shape (None, 6, 6, 3)"):
        images.fit(np.zeros((4, 8, 8, 1)), np.zeros(4, int), verbose=0)


def test_weights_of_samples_of_another_shape(x, y):
    with raises(ValueError, "`sample_weight` has shape (None, 5)"):
        classifier().fit(x, y, sample_weight=np.ones((8, 5)), verbose=0)


def test_set_weights():
    model = classifier()
    with raises(ValueError, "'net/out/kernel'", "(3, 1)", "(3, 2)"):
        model.set_weights([np.zeros((4, 3)), np.zeros(3), np.zeros((3, 2)), np.zeros(1)])
    with raises(ValueError, "'net'", "length 1", "expecting 4"):
        model.set_weights([np.zeros((4, 3))])
    with raises(ValueError, "'net/hidden/kernel'", "(4, 3)", "(3, 3)"):
        model.layers[0].set_weights([np.zeros((3, 3)), np.zeros(3)])
    with raises(ValueError, "(4, 3)", "value.shape=(3,)", "net/hidden/kernel"):
        model.layers[0].kernel.assign(np.zeros(3))


def test_the_number_of_inputs(x):
    with raises(ValueError, "'pair'", "2 input(s)", "['a', 'b']", "1 input", "(None, 4)"):
        pair().predict([x], verbose=0)


def test_operations_on_arrays():
    with raises(ValueError, "add", "(2, 3)", "(4,)", "broadcast"):
        ops.add(np.zeros((2, 3)), np.zeros(4))
    with raises(ValueError, "matmul", "(2, 3)", "(4,)"):
        ops.matmul(np.zeros((2, 3)), np.zeros(4))
    with raises(ValueError, "sum", "axis 2", "rank 2"):
        ops.sum(np.zeros((2, 3)), axis=2)
    with raises(ValueError, "reshape", "(2, 3)", "(4, 2)"):
        ops.reshape(np.zeros((2, 3)), (4, 2))
