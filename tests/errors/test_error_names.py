"""Wrong names of inputs, outputs, losses, layers and arguments: the wrong one, the known ones, the nearest."""

import numpy as np
from expected_errors import raises
from faulty_models import classifier, pair

import kcompile as keras
from kcompile import layers


def test_inputs_by_name(x):
    with raises(ValueError, "'pair'", '"b"', "['a', 'c']", "['a', 'b']"):
        pair().predict({"a": x, "c": x[:, :2]}, verbose=0)


def test_outputs_by_name(x, y):
    data, labels = {"a": x, "b": x[:, :2]}, {"one": y, "two": np.zeros((8, 3))}
    for what in ("loss", "loss_weights", "metrics"):
        model = pair()
        arguments = {"loss": "mse", what: {"one": "mse", "three": "mse"} if what != "loss_weights" else {"three": 1.0}}
        model.compile("sgd", **arguments)
        with raises(ValueError, f"`{what}`", "'three'", "['one', 'two']"):
            model.fit(data, labels, verbose=0)
    model = pair()
    model.compile("sgd", "mse")
    with raises(ValueError, "`y`", "'tow'", "['one', 'two']"):
        model.fit(data, {"one": y, "tow": y}, verbose=0)
    with raises(ValueError, "`y`", "list of 1", "2 outputs"):
        model.fit(data, [y], verbose=0)
    model.compile("sgd", ["mse"] * 3)
    with raises(ValueError, "`loss`", "list of 3", "2 outputs ['one', 'two']"):
        model.fit(data, labels, verbose=0)


def test_names_of_losses_metrics_and_optimizers(x, y):
    with raises(ValueError, "loss", "'mean_square_error'", "'mean_squared_error'"):
        classifier("mean_square_error").fit(x, y, verbose=0)
    with raises(ValueError, "metric", "'acuracy'", "'accuracy'"):
        classifier(metrics=["acuracy"]).fit(x, y, verbose=0)
    with raises(ValueError, "optimizer", "'adamm'", "'adam'"):
        keras.Sequential([layers.Dense(1)]).compile("adamm", "mse")
    with raises(ValueError, "metrics=mae", "list"):
        classifier(metrics="mae")


def test_names_of_activations_and_initializers():
    with raises(ValueError, "activation", "'rellu'", "'relu'"):
        layers.Dense(3, activation="rellu")
    with raises(ValueError, "initializer", "'glorot'", "'glorot_uniform'"):
        layers.Dense(3, kernel_initializer="glorot")
    with raises(ValueError, "padding", "'valid'", "'same'", "sames"):
        layers.Conv2D(3, 3, padding="sames")


def test_arguments_of_layers():
    with raises(ValueError, "Dense", "'activaton'"):
        layers.Dense(3, activaton="relu")
    with raises(ValueError, "units", "positive integer", "-3"):
        layers.Dense(-3)
    with raises(ValueError, "units", "positive integer", "'3'"):
        layers.Dense("3")
    with raises(ValueError, "rate", "between 0 and 1", "1.5"):
        layers.Dropout(1.5)
    with raises(ValueError, "groups=3", "filters=4"):
        layers.Conv2D(4, 3, groups=3)


def test_layers_of_one_name():
    with raises(ValueError, "unique names", "'d'"):
        keras.Sequential([layers.Dense(1, name="d"), layers.Dense(1, name="d")])
    inputs = keras.Input((4,))
    with raises(ValueError, '"d"', "2 times"):
        keras.Model(inputs, layers.Dense(1, name="d")(layers.Dense(2, name="d")(inputs)))
    with raises(ValueError, "a/b", "`/`"):
        layers.Dense(1, name="a/b")


def test_a_layer_that_is_not_there():
    with raises(ValueError, "hiden", "['hidden', 'out']"):
        classifier().get_layer("hiden")


def test_what_is_no_layer():
    with raises(ValueError, "keras.Layer", "'relu'"):
        keras.Sequential([layers.Dense(3), "relu"])
    with raises(ValueError, "keras.Layer", "Dense"):
        keras.Sequential().add(layers.Dense)
    with raises(ValueError, "Dense name=dense"):
        layers.Dense(3)(layers.Dense(2))


def test_models_that_are_not_connected():
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    with raises(ValueError, "'b'", "`inputs`"):
        keras.Model(a, layers.Dense(1)(b))
    with raises(ValueError, "outputs", "numpy.ndarray"):
        keras.Model(a, np.zeros(3))
    with raises(TypeError, "`inputs` and `outputs`", "'inputs' only"):
        keras.Model(inputs=a)
