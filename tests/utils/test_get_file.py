"""get_file: cache, names, digests, archives, errors that say which file to put where."""

import functools
import hashlib
import http.server
import io
import tarfile
import threading
import zipfile
from pathlib import Path

import pytest

import kcompile as keras
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


FROM = {"origin": "http://127.0.0.1:9/f"}


@pytest.mark.parametrize(("arguments", "word"), [
    ({"fname": "x"}, "`origin`"), ({"origin": "http://127.0.0.1/"}, "`fname`"), ({"origin": "words.txt"}, "`origin` must be an address"),
    ({"origin": "x://a/b"}, "`origin` must be an address"), ({"fname": "../x", **FROM}, "`fname` must be a name without folders"),
    ({"fname": "a/b", **FROM}, "`fname`"), ({"fname": "..", **FROM}, "`fname`"), ({"fname": "/tmp/", **FROM}, "`fname` must name a file"),
    ({"hash_algorithm": "sha1", **FROM}, "`hash_algorithm`"), ({"file_hash": "abc", **FROM}, "`file_hash` must be 32 hexadecimal digits"),
    ({"file_hash": "z" * 64, **FROM}, "`file_hash` must be 64"), ({"md5_hash": "0" * 64, **FROM}, "`md5_hash` must be 32"),
    ({"file_hash": "0" * 32, "hash_algorithm": "sha256", **FROM}, "`file_hash` must be 64 hexadecimal digits for sha256"),
    ({"archive_format": "rar", "extract": True, **FROM}, "`archive_format`"),
    ({"archive_format": None, "extract": True, **FROM}, "`archive_format`"),
])
def test_arguments(home, arguments, word):
    with pytest.raises(ValueError, match=word):
        keras.utils.get_file(**arguments)
    assert not home.exists()


def test_places_that_cannot_be_written(server, home, tmp_path):
    folder, address, _ = server
    (folder / "f").write_bytes(b"x")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DownloadError, match="cannot make the folder"):
        keras.utils.get_file("f", f"{address}/f", cache_dir=tmp_path / "file")
    (home / "datasets" / "f").mkdir(parents=True)
    with pytest.raises(IsADirectoryError, match="that is a folder"):
        keras.utils.get_file("f", f"{address}/f")


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
    unpacked = keras.utils.get_file("named", f"{address}/z.zip", extract=True, archive_format="zip")
    assert unpacked == str(home / "datasets" / "named") and (home / "datasets" / "named_archive").is_file()
    assert keras.utils.get_file(origin=f"{address}/t.tar.gz", untar=True, cache_subdir="u") == str(home / "u" / "t.tar.gz")
    assert (home / "u" / "t.tar.gz" / "two.txt").read_text() == "2"
    (folder / "plain").write_bytes(b"no archive")
    with pytest.raises(ValueError, match="not an archive"):
        keras.utils.get_file("plain", f"{address}/plain", extract=True)
