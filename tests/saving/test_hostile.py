"""A model file is data: what hostile and damaged files are refused for, each with one clear error."""

from __future__ import annotations

import io
import json
import os
import stat
import struct
import time
import zipfile

import h5py
import numpy as np
import pytest
from saving_helpers import small_model

import kcompile as keras
from kcompile.saving import ModelFileError
from kcompile.saving.hdf5 import read_hdf5


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """The bytes of a good file of each format."""
    folder = tmp_path_factory.mktemp("good")
    model = small_model()
    model.save(folder / "m.keras")
    model.save(folder / "m.h5")
    model.save_weights(folder / "m.weights.h5")
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def refused(path, data, match, **options):
    path.write_bytes(data)
    with pytest.raises(ModelFileError, match=match):
        keras.models.load_model(path, **options)


def rezipped(data, changes, compression=zipfile.ZIP_STORED):
    """A `.keras` file with members replaced, added (name or ZipInfo -> bytes) or taken away (None)."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w", compression, compresslevel=1) as new:
        for name in old.namelist():
            if changes.get(name, b"") is not None:
                new.writestr(name, changes.get(name, old.read(name)))
        for name, content in changes.items():
            if not isinstance(name, str) or (name not in old.namelist() and content is not None):
                new.writestr(name, content)
    return out.getvalue()


def reconfigured(data, change):
    config = json.loads(zipfile.ZipFile(io.BytesIO(data)).read("config.json"))
    change(config)
    return rezipped(data, {"config.json": json.dumps(config)})


def test_zip_members_that_point_outside(good, tmp_path):
    for name in ("../x", "/etc/x", "a/../../x", "C:/x", "a\\..\\x"):
        refused(tmp_path / "m.keras", rezipped(good["m.keras"], {name: b"1"}), "points outside")
    link = zipfile.ZipInfo("assets/link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    refused(tmp_path / "m.keras", rezipped(good["m.keras"], {link: b"/etc/passwd"}), "is a link")


def test_zip_bombs_and_damage(good, tmp_path):
    bomb = rezipped(good["m.keras"], {"assets/zeros": bytes(70 << 20)}, zipfile.ZIP_DEFLATED)
    refused(tmp_path / "m.keras", bomb, "zip bomb")
    refused(tmp_path / "m.keras", rezipped(good["m.keras"], {"config.json": None}), "there is no config.json")
    refused(tmp_path / "m.keras", good["m.keras"][:-30], "not a whole zip")
    place = good["m.keras"].rindex(b"TREE")
    flipped = bytearray(good["m.keras"])
    flipped[place + 40] ^= 4
    refused(tmp_path / "m.keras", bytes(flipped), "damaged")
    refused(tmp_path / "m.keras", b"what is this", "neither")
    refused(tmp_path / "m.keras", b"", "neither")


def test_zip_members_over_one_another_and_too_many(good, tmp_path):
    data = bytearray(rezipped(good["m.keras"], {"assets/a": b"1" * 100, "assets/b": b"1" * 100}))
    place = data.rindex(b"assets/b") - 46  # its entry in the directory at the end
    struct.pack_into("<I", data, place + 42, struct.unpack_from("<I", data, data.rindex(b"assets/a") - 46 + 42)[0])
    refused(tmp_path / "m.keras", bytes(data), "lies over another")
    twice = bytearray(rezipped(good["m.keras"], {"config_json": b"{}"}))
    place = twice.rindex(b"config_json")
    twice[place:place + 11] = b"config.json"
    refused(tmp_path / "m.keras", bytes(twice), "twice")
    begin = time.process_time()
    refused(tmp_path / "m.keras", good["m.keras"] + b"PK\x01\x02" * 200_000, "more than 100000 members")
    text = rezipped(good["m.keras"], {"config.json": b'{"a": [' + b"0," * (20 << 20) + b"0]}"}, zipfile.ZIP_DEFLATED)
    refused(tmp_path / "m.keras", text, "zip bomb|larger")
    assert time.process_time() - begin < 5


def test_operations_that_no_tensor_goes_into(tmp_path):
    """They would be computed while the file is read, with any shape the file likes."""
    given = keras.Input((4,))
    keras.Model(given, keras.layers.Dense(4)(keras.ops.mean(given, axis=-1, keepdims=True))).save(tmp_path / "m.keras")

    def change(config):
        record = next(layer for layer in config["config"]["layers"] if layer["class_name"] == "Mean")
        record.update(class_name="Zeros", config={"name": record["config"]["name"]},
                      inbound_nodes=[{"args": [[20000, 1]], "kwargs": {}}])

    refused(tmp_path / "m.keras", reconfigured((tmp_path / "m.keras").read_bytes(), change), "no tensor goes into")


def test_configurations(good, tmp_path):
    data = good["m.keras"]
    refused(tmp_path / "m.keras", rezipped(data, {"config.json": b"[" * 100000}), "nested too deep|not valid JSON")
    refused(tmp_path / "m.keras", rezipped(data, {"config.json": b'{"a":' * 500 + b"1" + b"}" * 500}), "nested deeper")
    refused(tmp_path / "m.keras", rezipped(data, {"config.json": b"[]"}), "does not hold a JSON object")

    def imports(config):
        config["config"]["layers"][1].update(module="os", class_name="system", registered_name="os>system")

    refused(tmp_path / "m.keras", reconfigured(data, imports), "Unknown (layer|class): 'system'")

    for key in ("vocabulary", "idf_weights"):
        def names_a_file(config, key=key):
            config["config"]["layers"][1]["config"][key] = "/etc/passwd"

        refused(tmp_path / "m.keras", reconfigured(data, names_a_file), f"its `{key}` is the path of a file")

    def huge(config):
        config["config"]["layers"][1]["config"]["units"] = 2**40

    begin = time.process_time()
    refused(tmp_path / "m.keras", reconfigured(data, huge), "does not hold that much")
    assert time.process_time() - begin < 2

    def several(config):
        config["config"]["layers"][1]["class_name"] = "Denser"
        config["config"]["layers"][3]["config"]["unheard_of"] = 1

    refused(tmp_path / "m.keras", reconfigured(data, several), r"(?s)'dense\w*' \(Denser\).*BatchNormalization.*unheard_of")


def test_code_in_files(tmp_path):
    marker = tmp_path / "marker"
    model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Lambda(lambda t: t * 2.0 + 1.0)])
    x = np.ones((2, 3), "float32")
    for name in ("m.keras", "m.h5"):
        model.save(tmp_path / name)
        with pytest.raises(ModelFileError, match="safe_mode=False"):
            keras.models.load_model(tmp_path / name)
        with pytest.raises(ModelFileError, match="safe_mode=False"):
            keras.models.load_model(tmp_path / name, custom_objects={"x": 1}, safe_mode=True)
        loaded = keras.models.load_model(tmp_path / name, safe_mode=False)
        np.testing.assert_array_equal(loaded.predict(x, verbose=0), 3 * x)
    with pytest.raises(ModelFileError, match="safe_mode=False"):
        keras.models.model_from_json(model.to_json())
    assert not marker.exists()


def with_h5(good, change):
    """The weights file with something changed by h5py."""
    out = io.BytesIO(good["m.weights.h5"])
    with h5py.File(out, "r+") as file:
        change(file)
    return out.getvalue()


@pytest.mark.parametrize(("change", "match"), [
    (lambda f: f.__setitem__("x", h5py.ExternalLink("/etc/passwd", "/")), "soft or external|soft"),
    (lambda f: f.__setitem__("x", h5py.SoftLink("/layers")), "soft"),
    (lambda f: f["layers"].__setitem__("again", f["layers"]), "loop of hard links|linked twice"),
    (lambda f: f.create_dataset("x", (10,), "f4", external=[("/etc/passwd", 0, 40)]), "external storage"),
    (lambda f: f.create_dataset("x", (10**9,), "f4"), "more than the file holds"),
    (lambda f: f.create_dataset("x", data=np.zeros(100, "f4"), chunks=(10,), compression="gzip"), "chunked|compressed"),
    (lambda f: f.create_virtual_dataset("x", _virtual()), "virtual|chunked|version"),
    (lambda f: f.create_dataset("x", data=["a", "b"], dtype=h5py.string_dtype()), "neither a group nor an array"),
])
def test_hdf5_that_reaches_outside_or_lies(good, change, match):
    with pytest.raises(ModelFileError, match=match):
        read_hdf5(with_h5(good, change), "m.weights.h5")


def _virtual():
    layout = h5py.VirtualLayout((4,), "f4")
    layout[:] = h5py.VirtualSource("/tmp/other.h5", "x", (4,))
    return layout


def test_hdf5_truncated_anywhere(good):
    data = good["m.weights.h5"]
    for size in range(0, len(data), 131):
        with pytest.raises(ModelFileError):
            read_hdf5(data[:size], "m.weights.h5")


def test_hdf5_deep_and_looping(good):
    out = io.BytesIO()
    with h5py.File(out, "w") as file:
        file.create_group("/".join("a" * 150))
    with pytest.raises(ModelFileError, match="nested deeper"):
        read_hdf5(out.getvalue(), "x")
    data = bytearray(good["m.weights.h5"])
    place = data.index(b"TREE")
    struct.pack_into("<Q", data, place + 32, place)  # a B-tree whose child is itself
    with pytest.raises(ModelFileError, match="loop"):
        read_hdf5(bytes(data), "x")


def test_hdf5_parts_over_one_another(tmp_path):
    """A small file cannot ask for more work than its size: here every string of a list is the same long one, and headers overlap."""
    out = io.BytesIO()
    with h5py.File(out, "w") as file:
        file.attrs["names"] = np.array(["x" * 20_000, *map(str, range(2000))], dtype=h5py.string_dtype())
        for number in range(50):
            file.create_group(f"g{number:02}")
    data = bytearray(out.getvalue())
    assert len(read_hdf5(bytes(data), "x").attributes["names"]) == 2001
    place = data.index(struct.pack("<I", 20_000))  # the reference to the long one; those of the others follow
    data[place:place + 16 * 2001] = data[place:place + 16] * 2001
    begin = time.process_time()
    with pytest.raises(ModelFileError, match="strings lie over one another"):
        read_hdf5(bytes(data), "x")
    data = bytearray(out.getvalue())
    place = data.index(b"SNOD")
    for number in range(struct.unpack_from("<H", data, place + 6)[0]):  # members whose headers claim the rest of the file
        header = struct.unpack_from("<Q", data, place + 8 + 40 * number + 8)[0]
        struct.pack_into("<I", data, header + 8, len(data) - header - 16)
    with pytest.raises(ModelFileError):
        read_hdf5(bytes(data), "x")
    assert time.process_time() - begin < 2


def test_weights_that_do_not_fit_are_all_named_and_nothing_changes(good, tmp_path):
    (tmp_path / "m.weights.h5").write_bytes(good["m.weights.h5"])
    layers = keras.layers
    other = keras.Sequential([layers.Input((6,)), layers.Dense(9), layers.Dropout(0.1), layers.BatchNormalization(), layers.Dense(3)])
    before = other.get_weights()
    with pytest.raises(ModelFileError, match=r"(?s)shape \(6, 9\), the file \(6, 8\).*shape \(9,\).*shape \(9, 3\)"):
        other.load_weights(tmp_path / "m.weights.h5")
    for a, b in zip(before, other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    with pytest.warns(UserWarning, match="skipped"):
        other.load_weights(tmp_path / "m.weights.h5", skip_mismatch=True)


def test_mistakes_with_paths(good, tmp_path):
    with pytest.raises(ValueError, match="File not found"):
        keras.models.load_model(tmp_path / "none.keras")
    with pytest.raises(ModelFileError, match="SavedModel"):
        keras.models.load_model(tmp_path)
    (tmp_path / "m.weights.h5").write_bytes(good["m.weights.h5"])
    with pytest.raises(ModelFileError, match="load_weights"):
        keras.models.load_model(tmp_path / "m.weights.h5")
    model = small_model()
    with pytest.raises(ValueError, match="extension"):
        model.save(tmp_path / "folder")
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        model.save(tmp_path / "no" / "m.keras")
    unbuilt = keras.Sequential([keras.layers.Dense(2)])
    with pytest.raises(ValueError, match="has not been built"):
        unbuilt.save_weights(tmp_path / "m.weights.h5")
    with pytest.raises(ValueError, match="has not been built"):
        unbuilt.load_weights(tmp_path / "m.weights.h5")
    with pytest.warns(UserWarning, match="only its architecture"):
        unbuilt.save(tmp_path / "m.keras")
    assert not keras.models.load_model(tmp_path / "m.keras").built
    with pytest.raises(TypeError, match="custom_objects"):
        keras.models.load_model(tmp_path / "m.keras", custom_objects=[1])


def test_a_large_file_loads_in_a_few_times_what_its_bytes_take(tmp_path):
    """Processor time of this process, beside that of reading the members: a machine that is slow today is so for both."""
    model = keras.Sequential([keras.layers.Input((5000,)), keras.layers.Dense(5000, kernel_initializer="zeros")])
    file = tmp_path / "m.keras"
    model.save(file)
    assert os.path.getsize(file) > 100e6

    def members():
        with zipfile.ZipFile(file) as archive:
            return sum(len(archive.read(name)) for name in archive.namelist())

    seconds = {members: [], lambda: keras.models.load_model(file): []}
    for _ in range(3):
        for work, times in seconds.items():
            begin = time.process_time()
            work()
            times.append(time.process_time() - begin)
    reading, loading = map(min, seconds.values())
    assert loading < 12 * reading
