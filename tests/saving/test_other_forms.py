"""Models as folders, weights in shards, files of layers' own, pickles and copies, and the editor of weights files."""

from __future__ import annotations

import copy
import json
import os
import pickle

import h5py
import numpy as np
import pytest
from saving_helpers import rows, small_model

import kcompile as keras
from kcompile.saving import KerasFileEditor, ModelFileError


class Vocabulary(keras.layers.Layer):
    """Keeps words in a file beside the weights."""

    def __init__(self, words=(), **kwargs):
        super().__init__(**kwargs)
        self.words = list(words)

    def build(self, input_shape):
        self.scale = self.add_weight(shape=(), initializer="ones", name="scale")

    def call(self, x):
        return x * self.scale

    def get_config(self):
        return keras.layers.Layer.get_config(self)

    def save_assets(self, folder):
        with open(os.path.join(folder, "words.txt"), "w") as file:
            file.write("\n".join(self.words))

    def load_assets(self, folder):
        with open(os.path.join(folder, "words.txt")) as file:
            self.words = file.read().split("\n")


class Unregistered(keras.layers.Layer):
    def call(self, x):
        return x + 1.0


def twice_the_error(y_true, y_pred):
    return 2.0 * keras.ops.mean(keras.ops.square(y_true - y_pred), axis=-1)


def same(one, other):
    assert len(one.get_weights()) == len(other.get_weights())
    for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def vocabulary_model():
    return keras.Sequential([keras.layers.Input((3,)), Vocabulary(["one", "two"], name="words"), keras.layers.Dense(2)])


# -- folders ------------------------------------------------------------------------------------------------------
def test_folder(tmp_path):
    x, y = rows()
    other, model = small_model(seed=8), small_model()
    model.fit(x, y, batch_size=16, verbose=0)
    model.save(tmp_path / "m", zipped=False)
    model.save(tmp_path / "m", zipped=False)  # in place of the first
    assert sorted(os.listdir(tmp_path)) == ["m"]
    assert sorted(os.listdir(tmp_path / "m")) == ["config.json", "metadata.json", "model.weights.h5"]
    loaded = keras.models.load_model(tmp_path / "m")
    same(model, loaded)
    other.load_weights(tmp_path / "m")
    same(model, other)
    assert model.fit(x, y, batch_size=16, verbose=0).history == loaded.fit(x, y, batch_size=16, verbose=0).history


def test_folder_mistakes(tmp_path):
    model = small_model()
    for name in ("m.keras", "m.h5"):
        with pytest.raises(ValueError, match="zipped=False"):
            model.save(tmp_path / name, zipped=False)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("long")
    with pytest.raises(ValueError, match=r"other things \(thesis.txt\)"):
        model.save(tmp_path / "mine", zipped=False)
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "long"
    model.save(tmp_path / "m", zipped=False)
    (tmp_path / "elsewhere").write_bytes((tmp_path / "m" / "model.weights.h5").read_bytes())
    (tmp_path / "m" / "model.weights.h5").unlink()
    with pytest.raises(ModelFileError, match=r"no model\.weights\.h5"):
        keras.models.load_model(tmp_path / "m")
    (tmp_path / "m" / "model.weights.h5").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ModelFileError, match="is a link"):
        keras.models.load_model(tmp_path / "m")
    (tmp_path / "m" / "model.weights.h5").unlink()
    os.mkfifo(tmp_path / "m" / "model.weights.h5")
    with pytest.raises(ModelFileError, match="no plain file"):
        keras.models.load_model(tmp_path / "m")


# -- assets -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["m.keras", "m"])
def test_assets(name, tmp_path):
    vocabulary_model().save(tmp_path / name, zipped=None if name.endswith("keras") else False)
    loaded = keras.models.load_model(tmp_path / name, custom_objects={"Vocabulary": Vocabulary})
    assert loaded.get_layer("words").words == ["one", "two"]


def test_assets_that_are_links(tmp_path):
    vocabulary_model().save(tmp_path / "m", zipped=False)
    place = tmp_path / "m" / "assets" / "layers" / "vocabulary" / "words.txt"
    place.unlink()
    place.symlink_to("/etc/passwd")
    with pytest.raises(ModelFileError, match="is a link"):
        keras.models.load_model(tmp_path / "m", custom_objects={"Vocabulary": Vocabulary})


# -- shards -------------------------------------------------------------------------------------------------------
def names_of(folder):
    return sorted(path.name for path in folder.iterdir())


def test_shards(tmp_path):
    x, y = rows()
    model, other = small_model(dropout=0.0), small_model(dropout=0.0, seed=8)
    model.fit(x, y, batch_size=16, verbose=0)
    model.save_weights(tmp_path / "m.weights.json", max_shard_size=300 / 2**30)
    first = names_of(tmp_path)
    assert len(first) > 3
    assert first[0] == "m.weights.json"
    assert first[1] == "m_00000.weights.h5"
    index = json.loads((tmp_path / "m.weights.json").read_text())
    assert index["metadata"]["total_size"] == sum(v.array.nbytes for v in [*model.weights, *model.optimizer.variables])
    other.load_weights(tmp_path / "m.weights.json")
    same(model, other)
    assert model.train_on_batch(x, y) == other.train_on_batch(x, y)
    for _ in range(3):  # saves over saves take fresh names, and leave nothing behind
        model.fit(x, y, batch_size=16, verbose=0)
        model.save_weights(tmp_path / "m.weights.json", max_shard_size=300 / 2**30)
        assert len(names_of(tmp_path)) <= len(first) + 1
        other.load_weights(tmp_path / "m.weights.json")
        same(model, other)


def test_a_save_of_shards_is_whole_or_not(tmp_path, monkeypatch):
    from kcompile.saving import shards

    model, later, read = small_model(), small_model(seed=9), small_model(seed=10)
    path, calls, most = tmp_path / "m.weights.json", [], 0
    model.save_weights(path, max_shard_size=300 / 2**30)
    whole = shards.write_whole

    def stopped(*arguments):
        if len(calls) >= most:
            raise KeyboardInterrupt
        calls.append(arguments[0])
        whole(*arguments)

    monkeypatch.setattr(shards, "write_whole", stopped)
    while True:
        calls.clear()
        try:
            later.save_weights(path, max_shard_size=300 / 2**30)
        except KeyboardInterrupt:
            read.load_weights(path)
            same(read, later if str(path) in map(str, calls) else model)
        else:
            break
        most += 1
    assert most > 3
    read.load_weights(path)
    same(read, later)


def test_mistakes_with_shards(tmp_path):
    model = small_model()
    with pytest.raises(ValueError, match=r"variable 0 of 'dense.*larger `max_shard_size`"):
        model.save_weights(tmp_path / "m.weights.json", max_shard_size=1e-9)
    with pytest.raises(ValueError, match="positive number"):
        model.save_weights(tmp_path / "m.weights.json", max_shard_size=-1)
    with pytest.raises(ValueError, match=r"weights\.json"):
        model.save_weights(tmp_path / "m.npz", max_shard_size=1)
    with pytest.warns(UserWarning, match="ends in `.json`"):
        model.save_weights(tmp_path / "m.weights.h5", max_shard_size=1)
    index = json.loads((tmp_path / "m.weights.json").read_text())
    for file, match in (("../m_00000.weights.h5", "lie beside"), ("/etc/passwd", "lie beside"), (7, "lie beside"),
                        ("m_00009.weights.h5", "cannot be read")):
        changed = {**index, "weight_map": {**index["weight_map"], "/layers/dense/vars": file}}
        (tmp_path / "x.weights.json").write_text(json.dumps(changed))
        with pytest.raises(ModelFileError, match=match):
            model.load_weights(tmp_path / "x.weights.json")
    (tmp_path / "m_00000.weights.h5").rename(tmp_path / "other")
    (tmp_path / "m_00000.weights.h5").symlink_to(tmp_path / "other")
    with pytest.raises(ModelFileError, match="is a link"):
        model.load_weights(tmp_path / "m.weights.json")
    (tmp_path / "x.weights.json").write_text("{}")
    with pytest.raises(ModelFileError, match="no map of weights"):
        model.load_weights(tmp_path / "x.weights.json")


def test_objects_to_skip(tmp_path):
    model, other = small_model(), small_model(seed=8)
    skipped = other.layers[0].get_weights()
    model.save_weights(tmp_path / "m.weights.h5")
    other.load_weights(tmp_path / "m.weights.h5", objects_to_skip=[other.layers[0]])
    np.testing.assert_array_equal(other.layers[0].get_weights()[0], skipped[0])
    np.testing.assert_array_equal(other.layers[-1].get_weights()[0], model.layers[-1].get_weights()[0])
    model.save_weights(tmp_path / "part.weights.h5", objects_to_skip=[model.layers[0]])
    with pytest.raises(ModelFileError, match="'dense"):
        other.load_weights(tmp_path / "part.weights.h5")
    other.load_weights(tmp_path / "part.weights.h5", objects_to_skip=[other.layers[0]])
    with h5py.File(tmp_path / "part.weights.h5") as file:
        assert "dense" not in file["layers"]


# -- pickles and copies -------------------------------------------------------------------------------------------
def test_pickle_and_deepcopy_train_on():
    x, y = rows()
    model = small_model()
    model.fit(x, y, batch_size=16, epochs=2, verbose=0)
    made = [pickle.loads(pickle.dumps(model)), copy.deepcopy(model)]
    expected = model.fit(x, y, batch_size=16, epochs=2, verbose=0).history
    for other in made:
        assert other.fit(x, y, batch_size=16, epochs=2, verbose=0).history == expected
        same(model, other)


def test_pickles_of_what_is_not_registered():
    model = keras.Sequential([keras.layers.Input((3,)), Unregistered(), vocabulary_model()])
    model.compile("sgd", twice_the_error, metrics=[twice_the_error])
    x = np.ones((4, 3), "float32")
    for other in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        np.testing.assert_array_equal(model.predict(x, verbose=0), other.predict(x, verbose=0))
        assert other.layers[1].layers[0].words == ["one", "two"]
        assert other.evaluate(x, x[:, :2], verbose=0) == model.evaluate(x, x[:, :2], verbose=0)


def test_pickles_of_layers_and_unbuilt_models():
    layer = keras.layers.Dense(3)
    x = np.ones((2, 4), "float32")
    layer(x)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(layer))(x).numpy(), layer(x).numpy())
    assert not copy.deepcopy(keras.layers.Dense(3)).built
    unbuilt = copy.deepcopy(keras.Sequential([keras.layers.Dense(2)]))
    assert not unbuilt.built
    assert unbuilt(x).shape == (2, 2)


# -- the editor ---------------------------------------------------------------------------------------------------
def test_editor(tmp_path, capsys):
    model = small_model()
    model.optimizer.build(model.trainable_variables)
    model.save(tmp_path / "m.keras")
    editor = KerasFileEditor(tmp_path / "m.keras")
    assert editor.metadata["keras_version"] == keras.__version__
    assert editor.config["class_name"] == "Sequential"
    assert editor.compare(model) == {"status": "success", "error_count": 0,
                                     "match_count": len(model.weights) + len(model.optimizer.variables)}
    editor.summary()
    assert f"dense ('{model.layers[0].name}')" in capsys.readouterr().out
    other = keras.Sequential([keras.layers.Input((6,)), keras.layers.Dense(8), keras.layers.Dense(3)])
    assert editor.compare(other)["status"] == "error"
    editor.delete_object("batch_normalization")
    editor.delete_object("optimizer")
    assert editor.compare(other) == {"status": "success", "error_count": 0, "match_count": 4}
    editor.delete_weight("layers/dense", "1")
    editor.add_weights("layers/dense", {"1": np.full(8, 3.0, "float32")})
    editor.save(tmp_path / "e.weights.h5")
    other.load_weights(tmp_path / "e.weights.h5")
    np.testing.assert_array_equal(other.get_weights()[0], model.get_weights()[0])
    np.testing.assert_array_equal(other.get_weights()[1], np.full(8, 3.0))
    again = KerasFileEditor(str(tmp_path / "e.weights.h5"))
    again.rename_object("dense_1", "last")
    again.add_object("layers/extra", {"0": np.zeros(2)})
    assert sorted(again.weights_dict["layers"]) == ["dense", "extra", "last"]
    again.resave_weights(tmp_path / "r.weights.h5")
    with h5py.File(tmp_path / "r.weights.h5") as file:
        assert sorted(file["layers"]) == ["dense", "extra", "last"]


def test_mistakes_in_the_editor(tmp_path):
    model = small_model()
    model.save_weights(tmp_path / "m.weights.h5")
    editor = KerasFileEditor(tmp_path / "m.weights.h5")
    for call, match in ((lambda: editor.delete_object("layers/none"), "not found"),
                        (lambda: editor.delete_object("none"), "does not appear"),
                        (lambda: editor.delete_object("0"), "more than once"), (lambda: editor.rename_object("dense", "a/b"), "leaf name"),
                        (lambda: editor.rename_object("dense", "dense_1"), "already"), (lambda: editor.add_object("no/x", {}), "not found"),
                        (lambda: editor.add_object("x", [1]), "should be a dict"), (lambda: editor.add_weights("dense", 3), "a dict"),
                        (lambda: editor.add_weights("dense", {"0": ["a"]}), "no array of numbers"),
                        (lambda: editor.delete_weight("layers/dense", "7"), r"Weights found: \['0', '1'\]"),
                        (lambda: editor.save(tmp_path / "m.keras"), "extension"), (lambda: KerasFileEditor("m.h5"), "Invalid filename")):
        with pytest.raises(ValueError, match=match):
            call()
    (tmp_path / "bad.weights.h5").write_bytes((tmp_path / "m.weights.h5").read_bytes()[:1000])
    with pytest.raises(ModelFileError):
        KerasFileEditor(tmp_path / "bad.weights.h5")
