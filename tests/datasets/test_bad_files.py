"""Files of data sets that are missing, damaged, of something else, or hostile; and arguments that cannot be meant."""

import contextlib
import gzip
import io
import os
import pickle
import zipfile

import numpy as np
import pytest
import small_files

from kcompile import datasets
from kcompile.datasets import pickles
from kcompile.utils.files import DownloadError


@pytest.mark.parametrize("name", datasets.__all__)
def test_without_a_network(home, own_folder, monkeypatch, tmp_path, name):
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.setenv("KCOMPILE_DATASETS", str(empty))
    with pytest.raises(DownloadError, match=rf"put the file at {home}/datasets/\S+ yourself\. Or put \S+ into {empty}, which KCOMPILE"):
        getattr(datasets, name).load_data()
    monkeypatch.delenv("KCOMPILE_DATASETS")
    with pytest.raises(DownloadError, match=r"Or put \S+ into a folder that KCOMPILE_DATASETS names\."):
        getattr(datasets, name).load_data()
    monkeypatch.setenv("KCOMPILE_DATASETS", str(tmp_path / "missing"))
    with pytest.raises(NotADirectoryError, match="KCOMPILE_DATASETS"):
        getattr(datasets, name).load_data()


@pytest.mark.parametrize(("name", "arguments", "word"), [
    ("boston_housing", {"test_split": 1.0}, "`test_split`"), ("boston_housing", {"test_split": -0.1}, "`test_split`"),
    ("california_housing", {"version": "huge"}, "`version`"), ("california_housing", {"test_split": "0.2"}, "`test_split`"),
    ("reuters", {"test_split": 2}, "`test_split`"), ("reuters", {"num_words": -1}, "`num_words`"), ("imdb", {"maxlen": 2}, "`maxlen=2`"),
    ("imdb", {"skip_top": None}, "`skip_top`"), ("imdb", {"start_char": "a"}, "`start_char`"),
    ("cifar100", {"label_mode": "x"}, "label_mode"),
])
def test_arguments(own_folder, name, arguments, word):
    with pytest.raises(ValueError, match=word):
        getattr(datasets, name).load_data(**arguments)


def test_old_and_unknown_arguments(own_folder):
    np.testing.assert_array_equal(datasets.imdb.load_data(nb_words=12)[0][0], datasets.imdb.load_data(num_words=12)[0][0])
    with pytest.raises(TypeError, match="num_word"):
        datasets.imdb.load_data(num_word=12)


FILES = {"mnist": "mnist.npz", "boston_housing": "boston_housing.npz", "california_housing": "california_housing.npz",
         "imdb": "imdb.npz", "reuters": "reuters.npz", "cifar10": "cifar-10-python.tar.gz", "cifar100": "cifar-100-python.tar.gz",
         "fashion_mnist": "fashion-mnist/train-images-idx3-ubyte.gz"}


@pytest.mark.parametrize("name", datasets.__all__)
def test_damaged_files(own_folder, name):
    """Cut short, empty, of another format: an OSError that names the file, whatever byte is wrong."""
    path = own_folder / FILES[name]
    good = path.read_bytes()
    for bad in (b"", b"hello", good[:len(good) // 2], good[:-30], good[:20] + bytes(40) + good[60:]):
        path.write_bytes(bad)
        try:
            getattr(datasets, name).load_data()
        except OSError as error:
            assert path.name.split(".")[0].split("-python")[0] in str(error) or "batch" in str(error)
        else:
            assert bad[:20] == good[:20] and len(bad) == len(good)  # a hole that happens to change nothing that is looked at


def test_mnist_of_another_form(own_folder):
    np.savez(own_folder / "mnist.npz", x_train=np.zeros(3))
    with pytest.raises(OSError, match=r"is not MNIST in the form of Keras \(an .npz file with x_train, y_train, x_test, y_test\)"):
        datasets.mnist.load_data()


def test_counts_that_differ(own_folder):
    np.savez(own_folder / "boston_housing.npz", x=np.zeros((4, 13)), y=np.zeros(3))
    with pytest.raises(OSError, match="x has 4 rows, y has 3"):
        datasets.boston_housing.load_data()
    small_files.write_pickled_npz(own_folder / "reuters.npz", {"x": small_files.texts(np.random.RandomState(0), 4), "y": np.zeros(3, int)})
    with pytest.raises(OSError, match="4 texts and 3 labels"):
        datasets.reuters.load_data()
    small_files.write_idx(own_folder / "fashion-mnist" / "t10k-labels-idx1-ubyte.gz", np.zeros(5, "uint8"))
    with pytest.raises(OSError, match="for 5 labels"):
        datasets.fashion_mnist.load_data()


class Evil:
    """Runs a command when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_pickles_run_nothing(own_folder, tmp_path):
    marker = str(tmp_path / "was-here")
    texts = small_files.texts(np.random.RandomState(0), 4)
    texts[2] = Evil(marker)
    small_files.write_pickled_npz(own_folder / "imdb.npz", {"x_train": texts, "y_train": np.zeros(4, int), "x_test": texts,
                                                            "y_test": np.zeros(4, int)})
    with pytest.raises(OSError, match=r"it holds the name posix\.mkdir, which no data set needs; the file may be malicious"):
        datasets.imdb.load_data()
    small_files.write_tar(own_folder / "cifar-10-python.tar.gz", {
        f"cifar-10-batches-py/{name}": pickle.dumps({b"data": Evil(marker)})
        for name in (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch")})
    with pytest.raises(OSError, match=r"data_batch_1 is refused: it holds the name posix\.mkdir"):
        datasets.cifar10.load_data()
    assert not os.path.exists(marker)


@pytest.mark.parametrize(("value", "word"), [
    (np.zeros(3, "M8[s]"), "dtype 'M8'"), (np.zeros(2, [("a", "i4")]), "dtype"), (np.zeros(2, "S3"), "dtype 'S3'"),
    (np.float64(1.5), "name numpy"), (len, "name builtins.len"), (Evil, "name "), (np.random.RandomState(0), "name numpy.random"),
])
def test_only_what_the_files_hold(value, word):
    with pytest.raises(pickles.PickleError, match=word):
        pickles.load_pickle(io.BytesIO(pickle.dumps(value)), "x")


@pytest.mark.parametrize("array", [np.arange(6, dtype=">i2").reshape(2, 3), np.asfortranarray(np.arange(6.0).reshape(2, 3)),
                                   np.array([[True], [False]]), np.array(3, "u8"), np.zeros((0, 4), "f2"),
                                   np.array([[1], None, "text", 2.5, b"x"], object)])
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_arrays_as_they_were(array, protocol):
    pickled = pickle.dumps(array, protocol)
    if b"_codecs" in pickled or b"_frombuffer" in pickled:
        with pytest.raises(pickles.PickleError, match="which no data set needs"):
            pickles.load_pickle(io.BytesIO(pickled), "x")
        return
    found = pickles.load_pickle(io.BytesIO(pickled), "x")
    np.testing.assert_array_equal(found, array)
    assert found.dtype == array.dtype and found.shape == array.shape


def test_states_that_lie():
    """A shape that the bytes do not fill, an object array without its list, sizes below zero: refused, never read past the end."""
    good = pickle.dumps(np.arange(6, dtype="u1"), 3)
    for old, new in ((b"K\x06\x85", b"K\x07\x85"), (b"u1", b"O8"), (b"u1", b"u8"), (b"K\x06\x85", b"J\xff\xff\xff\xff\x85")):
        assert old in good
        with pytest.raises(pickles.PickleError, match=r"x is (refused|damaged)"):
            pickles.load_pickle(io.BytesIO(good.replace(old, new)), "x")
    rng = np.random.default_rng(0)
    for _ in range(2000):
        bad = bytearray(good)
        bad[rng.integers(len(bad))] = rng.integers(256)
        with contextlib.suppress(pickles.PickleError):
            pickles.load_pickle(io.BytesIO(bytes(bad)), "x")


def test_announced_shapes_take_no_memory(own_folder):
    """A header that says 2**40 numbers is refused before room is made for them."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (2**40,)})
    with zipfile.ZipFile(own_folder / "boston_housing.npz", "w") as archive:
        archive.writestr("x.npy", header.getvalue())
        archive.writestr("y.npy", header.getvalue())
    with pytest.raises(OSError, match="x says that it has shape"):
        datasets.boston_housing.load_data()


def test_idx_files_that_lie(own_folder):
    path = own_folder / "fashion-mnist" / "train-labels-idx1-ubyte.gz"
    for content, word in ((bytes([0, 0, 8, 1, 0, 0, 0, 9]) + b"abc", "its shape is \\(9,\\) and holds 3"),
                          (bytes([0, 0, 13, 1, 0, 0, 0, 1]) + b"abcd", "no IDX file"), (b"\0", "no IDX file")):
        path.write_bytes(gzip.compress(content))
        with pytest.raises(OSError, match=word):
            datasets.fashion_mnist.load_data()
