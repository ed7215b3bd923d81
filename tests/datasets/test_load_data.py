"""Each data set from small files of its format: what Keras gives for the same files, from a named folder and from a server."""

import hashlib
import json
import os

import numpy as np
import pytest

import kcompile as keras
from kcompile import datasets

# what Keras 3.15 makes of the same small files, as digests of `facts`
CASES = [
    ("boston_housing", {}, "1c1a3743bb54188d1a87ecffd9633bc4"),
    ("california_housing", {}, "ef04413fcf81711e855e88797d87e3c3"),
    ("cifar100", {}, "4d83cece93eca452626be1525d8846fa"),
    ("fashion_mnist", {}, "19ff3eabd822446f94ab693553f057ac"),
    ("imdb", {}, "daca5ed687df1731379eb1946ca75e45"),
    ("mnist", {}, "08fb395fa1caae6b49216d4abf502b8a"),
    ("reuters", {}, "65963d87e6e2db66c9da221d059ac5ad"),
    ("boston_housing", {"test_split": 0.5, "seed": 7}, "c9cc447e2bc04651ddcdec734cb19b87"),
    ("california_housing", {"version": "small", "test_split": 0}, "68e2c9a3e0c5e9557c891f05beb2fe62"),
    ("cifar100", {"label_mode": "coarse"}, "561336cb510b36652e2e7202b85bf599"),
    ("imdb", {"num_words": 20}, "a03f4515f46fab5eb11f0a6a22cf0151"),
    ("imdb", {"num_words": 20, "skip_top": 5}, "9284dc5fe76725ea23819a6c1cf29363"),
    ("imdb", {"num_words": 20, "skip_top": 5, "oov_char": None}, "c0b94e73e4e56af63acac8a65fcc1d53"),
    ("imdb", {"start_char": None}, "1bd59be28a4bd9a2dd3a4e95ea07d130"),
    ("imdb", {"start_char": None, "index_from": 0, "seed": 3}, "49de642ae4e7b3a91171543ed0abe16a"),
    ("imdb", {"maxlen": 8, "num_words": 15}, "3f4e2443171f49bc55e0458ee223059f"),
    ("imdb", {"index_from": 10, "start_char": 3, "oov_char": 0}, "03e532602e23c69c1432277160d4cc92"),
    ("reuters", {"num_words": 20}, "7aede072f1263c10301c0fc00574a678"),
    ("reuters", {"num_words": 20, "skip_top": 5}, "41bb056afd00067508237c41fe622b48"),
    ("reuters", {"num_words": 20, "skip_top": 5, "oov_char": None}, "0f5048c02bf24f6fa207a5d2260e7008"),
    ("reuters", {"start_char": None}, "796ffdaf058242805a8e18bee4eb59c7"),
    ("reuters", {"start_char": None, "index_from": 0, "seed": 3}, "b47d5fbd0e0804a1245f628be4952e36"),
    ("reuters", {"maxlen": 8, "num_words": 15}, "df32725a2a4a6e74551f2c50797b2910"),
    ("reuters", {"index_from": 10, "start_char": 3, "oov_char": 0}, "c85a2ae951a796c35578e7d6de2748d6"),
    ("reuters", {"test_split": 0.5}, "f015d5f04c499a4deadac06d123f9bc6"),
]


def facts(value):
    """Dtypes, shapes and values of nested tuples of arrays; texts are lists of plain numbers."""
    if isinstance(value, tuple):
        return [facts(part) for part in value]
    if value.dtype == object:
        assert all(type(text) is list and all(type(word) is int for word in text) for text in value)
        return ["O", len(value), hashlib.md5(json.dumps(list(value)).encode()).hexdigest()]
    return [str(value.dtype), list(value.shape), hashlib.md5(np.ascontiguousarray(value).tobytes()).hexdigest()]


def digest(value):
    return hashlib.md5(json.dumps(facts(value)).encode()).hexdigest()


@pytest.mark.parametrize(("name", "arguments", "expected"), CASES, ids=lambda value: str(value)[:60])
def test_the_same_as_keras(own_folder, name, arguments, expected):
    assert digest(getattr(datasets, name).load_data(**arguments)) == expected


def test_cifar10(own_folder):
    """Keras wants 10,000 pictures a file, so that it cannot judge small ones: batches in order, rows of red, green, blue."""
    (x, y), (test_x, test_y) = datasets.cifar10.load_data()
    assert x.shape == (20, 32, 32, 3) and test_x.shape == (4, 32, 32, 3) and x.dtype == test_x.dtype == np.uint8
    assert y.shape == (20, 1) and test_y.shape == (4, 1) and y.dtype == test_y.dtype == np.uint8
    assert x.flags.c_contiguous
    keras.config.set_image_data_format("channels_first")
    try:
        (first, _), _ = datasets.cifar10.load_data()
    finally:
        keras.config.set_image_data_format("channels_last")
    np.testing.assert_array_equal(first, x.transpose(0, 3, 1, 2))
    assert first.shape == (20, 3, 32, 32) and len(np.unique(first)) == 256


def test_names_of_words_and_topics(own_folder):
    assert datasets.imdb.get_word_index() == {"the": 1, "naïve": 2, "of imdb": 3}
    assert datasets.reuters.get_word_index() == {"the": 1, "naïve": 2, "of reuters": 3}
    names = datasets.reuters.get_label_names()
    assert isinstance(names, tuple) and len(names) == 46
    assert hashlib.md5(json.dumps(names).encode()).hexdigest() == "9e907cee8f30fd98bff413ea008039d2"


@pytest.mark.parametrize("name", datasets.__all__)
def test_from_the_network_once(server, home, own_folder_digests, name):
    found = digest(getattr(datasets, name).load_data())
    assert found == own_folder_digests[name]
    asked = len(server.asked)
    assert asked == (4 if name == "fashion_mnist" else 1)
    assert digest(getattr(datasets, name).load_data()) == found and len(server.asked) == asked


@pytest.fixture
def own_folder_digests(small, tmp_path):
    """What the same files give when a folder of one's own has them."""
    found = {name: expected for name, arguments, expected in CASES if not arguments}
    folder = tmp_path / "again"
    folder.mkdir()
    (folder / "cifar-10-python.tar.gz").write_bytes((small / "cifar-10-python.tar.gz").read_bytes())
    before = os.environ.get("KCOMPILE_DATASETS")
    os.environ["KCOMPILE_DATASETS"] = str(folder)
    try:
        found["cifar10"] = digest(datasets.cifar10.load_data())
    finally:
        del os.environ["KCOMPILE_DATASETS"]
        if before is not None:
            os.environ["KCOMPILE_DATASETS"] = before
    return found


def test_the_cache_is_laid_out_as_keras_does(server, home):
    datasets.cifar10.load_data()
    datasets.fashion_mnist.load_data()
    datasets.imdb.get_word_index()
    assert sorted(str(path.relative_to(home)) for path in home.rglob("*") if path.is_file()) == [
        "datasets/cifar-10-batches-py-target/cifar-10-batches-py/batches.meta",
        *(f"datasets/cifar-10-batches-py-target/cifar-10-batches-py/data_batch_{number}" for number in range(1, 6)),
        "datasets/cifar-10-batches-py-target/cifar-10-batches-py/test_batch",
        "datasets/cifar-10-batches-py-target_archive",
        "datasets/fashion-mnist/t10k-images-idx3-ubyte.gz", "datasets/fashion-mnist/t10k-labels-idx1-ubyte.gz",
        "datasets/fashion-mnist/train-images-idx3-ubyte.gz", "datasets/fashion-mnist/train-labels-idx1-ubyte.gz",
        "datasets/imdb_word_index.json"]


def test_an_unpacked_folder_of_ones_own(own_folder):
    import tarfile

    expected = digest(datasets.cifar100.load_data())
    with tarfile.open(own_folder / "cifar-100-python.tar.gz") as archive:
        archive.extractall(own_folder, filter="data")
    (own_folder / "cifar-100-python.tar.gz").unlink()
    assert digest(datasets.cifar100.load_data()) == expected
    (own_folder / "cifar-100-python" / "test").unlink()
    with pytest.raises(OSError, match="cifar-100-python/test is missing"):
        datasets.cifar100.load_data()


@pytest.mark.skipif(not os.path.isfile(os.path.join(os.environ.get("KCOMPILE_DATASETS", ""), "mnist.npz")),
                    reason="KCOMPILE_DATASETS names no folder with mnist.npz")
def test_the_real_mnist():
    (x, y), (test_x, test_y) = datasets.mnist.load_data()
    assert [hashlib.md5(part.tobytes()).hexdigest() for part in (x, y, test_x, test_y)] == [
        "6510e85a72c3e9475c492d559d3770d2", "e86ee40d66677c011a9abda399ec8c4d", "240610fa99e73bfa49df8e7fc24d3206",
        "073c3904dfbd3e141ff8aa01cfde6b15"]
    assert x.shape == (60000, 28, 28) and y[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4] and test_x.shape == (10000, 28, 28)
