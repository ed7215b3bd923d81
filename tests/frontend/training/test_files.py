"""get_file and the data sets: cache, digests, archives, errors that say which file to put where."""

import functools
import hashlib
import http.server
import io
import tarfile
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest

import kcompile as keras
from kcompile.datasets import mnist
from kcompile.utils.files import DownloadError


@pytest.fixture
def server(tmp_path):
    """(folder that is served, address)."""
    folder = tmp_path / "served"
    folder.mkdir()

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            self.server.requests += 1

    http_server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    http_server.requests = 0
    thread = threading.Thread(target=http_server.serve_forever, daemon=True)
    thread.start()
    yield folder, f"http://127.0.0.1:{http_server.server_port}", http_server
    http_server.shutdown()
    thread.join()
    http_server.server_close()


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("KCOMPILE_DATASETS", raising=False)
    return tmp_path / "home"


def test_downloads_once(server, home, capsys):
    folder, address, http_server = server
    (folder / "words.txt").write_bytes(b"many words " * 20_000)
    digest = hashlib.sha256((folder / "words.txt").read_bytes()).hexdigest()
    path = keras.utils.get_file("words.txt", f"{address}/words.txt", file_hash=digest)
    assert path == str(home / "datasets" / "words.txt") and (folder / "words.txt").read_bytes() == Path(path).read_bytes()
    shown = capsys.readouterr().out
    assert f"Downloading data from {address}/words.txt" in shown and "220000/220000" in shown
    assert keras.utils.get_file("words.txt", f"{address}/words.txt", file_hash=digest) == path
    assert http_server.requests == 1 and capsys.readouterr().out == ""
    keras.utils.get_file("words.txt", f"{address}/words.txt", force_download=True)
    assert http_server.requests == 2
    assert not [name for name in (home / "datasets").iterdir() if name.suffix == ".part"]


def test_names_and_folders(server, home, tmp_path):
    folder, address, _ = server
    (folder / "a b.bin").write_bytes(b"x")
    assert keras.utils.get_file(origin=f"{address}/a%20b.bin?q=1", cache_subdir="models") == str(home / "models" / "a b.bin")
    assert keras.utils.get_file("c", f"{address}/a%20b.bin", cache_dir=tmp_path / "other") == str(tmp_path / "other" / "datasets" / "c")
    assert keras.utils.get_file(str(tmp_path / "own" / "d"), f"{address}/a%20b.bin") == str(tmp_path / "own" / "d")
    for arguments in ({"fname": "x"}, {"origin": f"{address}/"}):
        with pytest.raises(ValueError):
            keras.utils.get_file(**arguments)


def test_wrong_digests(server, home):
    folder, address, _http_server = server
    (folder / "f").write_bytes(b"new")
    with pytest.raises(DownloadError, match=f"sha256 digest {hashlib.sha256(b'new').hexdigest()}, expected {'0' * 64}"):
        keras.utils.get_file("f", f"{address}/f", file_hash="0" * 64)
    assert not (home / "datasets" / "f").exists()
    (home / "datasets" / "f").write_bytes(b"old")
    assert Path(keras.utils.get_file("f", f"{address}/f", md5_hash=hashlib.md5(b"new").hexdigest())).read_bytes() == b"new"


def test_errors_say_where_the_file_goes(server, home):
    _, address, _ = server
    with pytest.raises(DownloadError, match=f"HTTP 404.*put the file at {home}/datasets/f"):
        keras.utils.get_file("f", f"{address}/missing")
    with pytest.raises(DownloadError, match=f"put the file at {home}/datasets/f"):
        keras.utils.get_file("f", "http://127.0.0.1:9/f")
    assert not list((home / "datasets").iterdir())


def test_archives(server, home):
    folder, address, _ = server
    with zipfile.ZipFile(folder / "z.zip", "w") as archive:
        archive.writestr("inner/one.txt", "1")
    with tarfile.open(folder / "t.tar.gz", "w:gz") as archive:
        info = tarfile.TarInfo("two.txt")
        info.size = 1
        archive.addfile(info, io.BytesIO(b"2"))
    unpacked = keras.utils.get_file("z.zip", f"{address}/z.zip", extract=True)
    assert unpacked == str(home / "datasets" / "z_extracted") and Path(unpacked, "inner/one.txt").read_text() == "1"
    unpacked = keras.utils.get_file("t.tar.gz", f"{address}/t.tar.gz", extract=True)
    assert Path(unpacked, "two.txt").read_text() == "2"
    (folder / "plain").write_bytes(b"no archive")
    with pytest.raises(ValueError, match="not an archive"):
        keras.utils.get_file("plain", f"{address}/plain", extract=True)


def digits(path):
    rng = np.random.default_rng(0)
    parts = {f"{kind}_{part}": rng.integers(0, 10, (n, 28, 28) if kind == "x" else n).astype("uint8")
             for part, n in (("train", 5), ("test", 3)) for kind in "xy"}
    np.savez(path, **parts)
    return parts


def test_mnist_from_a_named_folder(home, tmp_path, monkeypatch):
    own = tmp_path / "own"
    own.mkdir()
    parts = digits(own / "mnist.npz")
    monkeypatch.setenv("KCOMPILE_DATASETS", str(own))
    (x, y), (test_x, test_y) = keras.datasets.mnist.load_data()
    for found, name in ((x, "x_train"), (y, "y_train"), (test_x, "x_test"), (test_y, "y_test")):
        np.testing.assert_array_equal(found, parts[name])
    monkeypatch.setenv("KCOMPILE_DATASETS", str(tmp_path / "missing"))
    with pytest.raises(NotADirectoryError, match="KCOMPILE_DATASETS"):
        keras.datasets.mnist.load_data()


def test_mnist_from_the_network(server, home, monkeypatch):
    folder, address, _ = server
    digits(folder / "mnist.npz")
    digest = hashlib.sha256((folder / "mnist.npz").read_bytes()).hexdigest()
    monkeypatch.setattr(mnist, "FILE", mnist.DataFile("mnist.npz", f"{address}/mnist.npz", digest))
    assert keras.datasets.mnist.load_data()[0][0].shape == (5, 28, 28)
    assert (home / "datasets" / "mnist.npz").is_file()


def test_mnist_without_a_network(home, monkeypatch):
    monkeypatch.setattr(mnist, "FILE", mnist.DataFile("mnist.npz", "http://127.0.0.1:9/mnist.npz", "0" * 64))
    wanted = f"put the file at {home}/datasets/mnist.npz yourself.*mnist.npz into a folder that KCOMPILE_DATASETS"
    with pytest.raises(DownloadError, match=wanted):
        keras.datasets.mnist.load_data()


def test_labels_and_vectors():
    np.testing.assert_array_equal(keras.utils.to_categorical([[0], [2]]), [[1, 0, 0], [0, 0, 1]])
    np.testing.assert_array_equal(keras.utils.to_categorical([1], 3), [[0, 1, 0]])
    with pytest.raises(ValueError, match="label 5"):
        keras.utils.to_categorical([0, 5], 3)
    np.testing.assert_allclose(keras.utils.normalize(np.array([[3.0, 4], [0, 0]])), [[0.6, 0.8], [0, 0]])
