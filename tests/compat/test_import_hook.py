"""`import tensorflow` and `import keras` give kcompile, each test in a process of its own."""

import subprocess
import sys
import textwrap

import pytest


def run(code: str, path: str | None = None) -> str:
    """Run a program with the hook set; its output. `path` is put first on sys.path."""
    lines = ["import sys", f"sys.path.insert(0, {path!r})" if path else "", textwrap.dedent(code)]
    done = subprocess.run([sys.executable, "-c", "\n".join(lines)], text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


HOOK = "import kcompile; kcompile.as_tensorflow()\n"


def test_every_form_of_import():
    run(HOOK + """
import tensorflow as tf
import tensorflow
from tensorflow import keras
from tensorflow.keras import layers, Sequential
from tensorflow.keras.layers import Dense
from tensorflow.keras.models import Model
from tensorflow.keras.optimizers.schedules import ExponentialDecay
import tensorflow.keras.backend as K
import tensorflow.keras.layers as again
import keras as alone
import keras.layers
from keras.utils import to_categorical
import tensorflow.nn
from tensorflow.nn import relu
from tensorflow.math import reduce_sum
assert tf is tensorflow and tf.keras is keras is alone is kcompile
assert layers is again is kcompile.layers is sys.modules["keras.layers"] and Dense is kcompile.layers.Dense
assert Model is kcompile.Model and Sequential is kcompile.Sequential
assert K is kcompile.backend and relu is tf.nn.relu and reduce_sum is tf.math.reduce_sum
assert tf.__version__[0] == "2" and keras.__version__ == kcompile.__version__
""")


def test_modules_keep_their_own_identity():
    run(HOOK + """
import importlib
import kcompile.activations
before = {name: (m.__name__, m.__spec__, m.__loader__, m.__package__, m.__file__, getattr(m, "__path__", None))
          for name, m in sys.modules.items() if name.startswith("kcompile")}
import tensorflow.keras.activations, tensorflow.keras.layers, keras.optimizers.schedules, tensorflow.nn
for name, facts in before.items():
    m = sys.modules[name]
    assert facts == (m.__name__, m.__spec__, m.__loader__, m.__package__, m.__file__, getattr(m, "__path__", None)), name
assert kcompile.__spec__.name == kcompile.__name__ == "kcompile"
assert not hasattr(kcompile.activations, "__path__")
assert importlib.util.find_spec("tensorflow") is not None
""")


def test_as_tensorflow_twice_sets_one_finder():
    run(HOOK * 2 + "assert sum(type(f).__name__ == 'TensorFlowFinder' for f in sys.meta_path) == 1")


@pytest.fixture
def installed(tmp_path):
    """A folder with packages named like the real ones."""
    for name in ("tensorflow", "keras"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("real = True\n__version__ = 'real'\n")
    (tmp_path / "keras" / "layers.py").write_text("real = True\n")
    return str(tmp_path)


def test_an_installed_tensorflow_is_shadowed(installed):
    code = HOOK + "import tensorflow as tf, keras, keras.layers\nprint(hasattr(tf, 'real'), hasattr(keras, 'real'), keras.layers.__name__)"
    out = run(code, installed)
    assert out.split() == ["False", "False", "kcompile.layers"]


def test_without_the_hook_the_installed_one_is_left_alone(installed):
    assert run("import kcompile, tensorflow, keras\nprint(tensorflow.real, keras.real)", installed).split() == ["True", "True"]


@pytest.mark.parametrize("name", ["tensorflow", "keras"])
def test_too_late_after_a_real_import(installed, name):
    out = run(f"""
import {name}, kcompile
try:
    kcompile.as_tensorflow()
except RuntimeError as error:
    print(error)
""", installed)
    assert out.startswith(f"{name} has been imported already") and "before the first import" in out


@pytest.mark.parametrize("statement, kind, parts", [
    ("from tensorflow.keras.layers import Denze", "ImportError", ["tf.keras.layers.Denze", "tf.keras.layers.Dense"]),
    ("from tensorflow.keras.models import clone_modle", "ImportError", ["tf.keras.models.clone_model"]),
    ("from tensorflow.keras.activations import relux", "ImportError", ["tf.keras.activations.relu"]),
    ("from tensorflow import reduce_summ", "ImportError", ["tf.reduce_sum"]),
    ("from keras import Adam", "ImportError", ["keras.optimizers.Adam"]),
    ("import tensorflow.keras.layer", "ModuleNotFoundError", ["tensorflow.keras.layer", "keras.layers"]),
    ("from keras.src.layers import Dense", "ModuleNotFoundError", ["keras.src is private", "keras.layers"]),
    ("from tensorflow.python.keras.layers import Dense", "ModuleNotFoundError", ["tensorflow.python is private", "keras.layers"]),
    ("import tensorflow.contrib.slim", "ModuleNotFoundError", ["kcompile has no module tensorflow.contrib"]),
    ("import tensorflow.compat.v1 as tf", "ModuleNotFoundError", ["kcompile has no module tensorflow.compat"]),
    ("from tensorflow.examples.tutorials.mnist import input_data", "ModuleNotFoundError", ["tensorflow.examples"]),
])
def test_what_does_not_exist(statement, kind, parts):
    out = run(HOOK + f"""
try:
    {statement}
except ImportError as error:
    print(type(error).__name__, error)
""")
    assert out.startswith(kind + " "), out
    for part in parts:
        assert part in out


def test_missing_layer_of_a_later_release_is_an_import_error_with_its_name():
    out = run(HOOK + """
try:
    from tensorflow.keras.layers import QuiteUnknownLayer
except ImportError as error:
    print(error)
""")
    assert out.strip() == "kcompile has no tf.keras.layers.QuiteUnknownLayer"


def test_data_sets_utilities_and_preprocessing():
    run(HOOK + """
import tensorflow as tf
from tensorflow.keras.datasets import cifar10, fashion_mnist
from tensorflow.keras.datasets.imdb import load_data
from tensorflow.keras.utils import get_file, image_dataset_from_directory, pad_sequences, plot_model, to_categorical
from tensorflow.keras.preprocessing import image, image_dataset_from_directory as older
from tensorflow.keras.preprocessing.image import img_to_array, load_img
from tensorflow.keras.preprocessing.sequence import pad_sequences as padded
from tensorflow.keras.preprocessing.text import Tokenizer
import keras.datasets.reuters, keras.utils, keras.preprocessing.sequence
assert tf.keras.utils is kcompile.utils is keras.utils and tf.keras.preprocessing.image is image
assert older is image_dataset_from_directory and padded is pad_sequences and load_data is kcompile.datasets.imdb.load_data
assert tf.keras.preprocessing.timeseries_dataset_from_array is kcompile.utils.timeseries_dataset_from_array
assert isinstance(tf.keras.utils.timeseries_dataset_from_array(list(range(9)), None, 3), tf.data.Dataset)
assert padded([[1], [2, 3]]).tolist() == [[0, 1], [2, 3]]
""")
