"""Names that do not exist: the error names the nearest, at no cost to `hasattr`."""

import subprocess
import sys
import time

import pytest

import kcompile as keras
import kcompile.compat.tf as tf
from kcompile import suggest


def message(expression: str) -> str:
    with pytest.raises(AttributeError) as caught:
        eval(expression, {"tf": tf, "keras": keras})
    return str(caught.value)


@pytest.mark.parametrize("expression, nearest", [
    ("tf.keras.Adam", "keras.optimizers.Adam"),
    ("tf.layers.Dense", "keras.layers"),
    ("tf.keras.layers.Denze", "keras.layers.Dense"),
    ("tf.reduce_summ", "tf.reduce_sum"),
    ("tf.nn.relux", "tf.nn.relu"),
    ("tf.math.reduce_men", "tf.math.reduce_mean"),
    ("tf.log", "tf.math.log"),
    ("tf.random_normal", "tf.random.normal"),
    ("tf.config.list_physical_device", "tf.config.list_physical_devices"),
    ("tf.image.flip_left_rigth", "tf.image.flip_left_right"),
    ("tf.linalg.matmull", "tf.linalg.matmul"),
    ("keras.layer", "keras.layers"),
    ("keras.Dense", "keras.layers.Dense"),
    ("keras.sequential", "keras.Sequential"),
    ("keras.activations.rel", "keras.activations.relu"),
    ("keras.losses.SparseCategoricalCrossEntropy", "keras.losses.SparseCategoricalCrossentropy"),
    ("keras.metrics.accuracyy", "keras.metrics."),
    ("keras.optimizers.RMSProp", "keras.optimizers.RMSprop"),
    ("keras.callbacks.EarlyStoping", "keras.callbacks.EarlyStopping"),
    ("keras.initializers.GlorotUnifrom", "keras.initializers.GlorotUniform"),
    ("keras.constraints.NonNegg", "keras.constraints.NonNeg"),
    ("keras.ops.matmull", "keras.ops.matmul"),
    ("keras.utils.to_categorial", "keras.utils.to_categorical"),
    ("keras.models.Sequentiall", "keras.models.Sequential"),
    ("keras.datasets.mnistt", "keras.datasets.mnist"),
    ("keras.backend.image_data_fromat", "keras.backend.image_data_format"),
    ("keras.random.unifrom", "keras.random.uniform"),
])
def test_nearest(expression, nearest):
    text = message(expression)
    missing, _, meant = text.partition("; did you mean ")
    assert missing.startswith("kcompile has no ")
    assert missing.rsplit(".", 1)[-1] in expression
    assert nearest in meant


def test_what_resembles_nothing_gets_no_suggestion():
    assert message("tf.Session") == "kcompile has no tf.Session"
    assert "did you mean" not in message("keras.layers.qqqqqq")


def test_a_name_of_keras_that_is_yet_to_come_is_not_its_own_suggestion():
    assert "did you mean" not in message("keras.quantizers")


@pytest.mark.parametrize("statement, nearest", [
    ("from kcompile.layers import Denze", "layers.Dense"),
    ("from kcompile.activations import relux", "activations.relu"),
    ("from kcompile import Adam", "optimizers.Adam"),
    ("from kcompile.compat.tf import reduce_summ", "tf.reduce_sum"),
])
def test_from_imports(statement, nearest):
    with pytest.raises(ImportError) as caught:
        exec(statement)
    assert nearest in str(caught.value)


def test_hasattr_and_getattr_with_a_default():
    assert not hasattr(keras.layers, "Denze") and getattr(tf, "reduce_summ", None) is None
    started = time.process_time()
    for _ in range(100):
        hasattr(keras.layers, "Denze")
    assert time.process_time() - started < 0.1


def test_dunder_names_are_not_looked_up():
    for module in (tf, tf.nn, keras, keras.layers):
        with pytest.raises(AttributeError):
            module.__wrapped__  # noqa: B018


def test_the_prefix_is_what_the_user_imported(monkeypatch):
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
    assert suggest.public_name("kcompile.layers") == "keras.layers" and suggest.public_name("kcompile.compat.tf.nn") == "tf.nn"
    monkeypatch.setitem(sys.modules, "tensorflow", tf)
    assert suggest.public_name("kcompile.layers") == "tf.keras.layers"


def test_nothing_is_searched_before_an_error_is_printed():
    code = "import sys, kcompile; hasattr(kcompile, 'Adam'); sys.exit('difflib' in sys.modules or 'kcompile.layers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
