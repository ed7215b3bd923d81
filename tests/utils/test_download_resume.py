"""Downloads that break off: gone on with in the same call and in the next one, or begun again where the file has changed."""

import hashlib
import http.server
import json
import multiprocessing
import os
import signal
import threading
import time
from pathlib import Path

import pytest

import kcompile as keras
from kcompile.utils import download
from kcompile.utils.download import DownloadError, part_path

CONTENT = hashlib.shake_128(b"seed").digest(300_000)


class Server(http.server.ThreadingHTTPServer):
    """Serves `content`; the first `breaks` answers end after `most` bytes."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.content, self.etag, self.modified = CONTENT, '"v1"', None
        self.breaks, self.most, self.ranges, self.asked, self.pause = 0, 100_000, True, [], 0.0
        self.wrong_range = False


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        wanted, condition = self.headers.get("Range"), self.headers.get("If-Range")
        server.asked.append(wanted)
        start = 0
        if wanted and server.ranges and condition in (server.etag, server.modified):
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
        if start and start >= len(server.content):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(server.content)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        if start:
            first = start + 1 if server.wrong_range else start
            self.send_header("Content-Range", f"bytes {first}-{len(server.content) - 1}/{len(server.content)}")
        if server.etag:
            self.send_header("ETag", server.etag)
        if server.modified:
            self.send_header("Last-Modified", server.modified)
        rest = server.content[start:]
        self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        if server.breaks > 0:
            server.breaks -= 1
            rest = rest[:server.most]
        for at in range(0, len(rest), 20_000):
            self.wfile.write(rest[at:at + 20_000])
            time.sleep(server.pause)

    def log_message(self, *args):
        pass


@pytest.fixture
def server(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(download, "_PAUSE_SECONDS", 0)
    http_server = Server()
    thread = threading.Thread(target=http_server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    http_server.address = f"http://127.0.0.1:{http_server.server_port}/f"
    http_server.target = tmp_path / "home" / "datasets" / "f"
    yield http_server
    http_server.shutdown()
    thread.join()
    http_server.server_close()


DIGEST = hashlib.sha256(CONTENT).hexdigest()


def fetch(server, **arguments):
    return Path(keras.utils.get_file("f", server.address, **arguments)).read_bytes()


def leftovers(server):
    return sorted(path.name for path in server.target.parent.iterdir())


def test_a_broken_connection_is_taken_up_again(server, capsys):
    server.breaks = 2
    assert fetch(server) == CONTENT
    assert server.asked == [None, "bytes=100000-", "bytes=200000-"] and leftovers(server) == ["f"]
    assert "300000/300000" in capsys.readouterr().out


def test_the_next_call_goes_on(server):
    server.breaks = 99
    server.most = 10_000
    with pytest.raises(DownloadError, match=r"ended after 50000 of 300000 bytes\. The 50000 bytes that came are kept"):
        fetch(server, file_hash=DIGEST)
    assert leftovers(server) == ["f.part", "f.part.json"] and part_path(server.target).read_bytes() == CONTENT[:50_000]
    server.breaks, server.asked = 0, []
    assert fetch(server, file_hash=DIGEST) == CONTENT and server.asked == ["bytes=50000-"] and leftovers(server) == ["f"]


def test_by_date_where_there_is_no_tag(server):
    server.etag, server.modified, server.breaks = None, "Wed, 21 Oct 2015 07:28:00 GMT", 1
    assert fetch(server) == CONTENT and server.asked == [None, "bytes=100000-"]


def test_a_weak_tag_or_none_begins_again(server):
    server.etag, server.breaks = 'W/"v1"', 1
    with pytest.raises(DownloadError, match="ended after 100000 of 300000 bytes"):
        fetch(server)
    assert leftovers(server) == []
    assert fetch(server) == CONTENT and server.asked == [None, None]


def test_a_server_without_ranges_sends_all_again(server):
    server.ranges, server.breaks = False, 1
    assert fetch(server) == CONTENT and server.asked == [None, "bytes=100000-"]


def test_a_file_that_changed_meanwhile(server):
    server.breaks = 99
    server.most = 10_000
    with pytest.raises(DownloadError):
        fetch(server)
    server.breaks, server.etag, server.content = 0, '"v2"', CONTENT[::-1]
    assert fetch(server) == CONTENT[::-1] and leftovers(server) == ["f"]


def test_a_damaged_beginning_is_found_by_the_digest(server, capsys):
    server.breaks = 99
    with pytest.raises(DownloadError):
        server.most = 10_000
        fetch(server, file_hash=DIGEST)
    with open(part_path(server.target), "r+b") as file:
        file.write(b"damage")
    server.breaks, server.asked = 0, []
    assert fetch(server, file_hash=DIGEST) == CONTENT and server.asked == ["bytes=50000-", None]
    assert "downloading it from the start" in capsys.readouterr().out


def test_a_part_that_is_whole_already(server):
    server.target.parent.mkdir(parents=True)
    part_path(server.target).write_bytes(CONTENT)
    server.target.with_name("f.part.json").write_text(json.dumps({"origin": server.address, "etag": '"v1"'}))
    assert fetch(server, file_hash=DIGEST) == CONTENT and server.asked == ["bytes=300000-"]


@pytest.mark.parametrize("info", ["", "[]", "{}", '{"origin": "http://elsewhere/f", "etag": "\\"v1\\""}', '{"origin": 1, "x": 2}'])
def test_a_part_of_something_else_is_not_used(server, info):
    server.target.parent.mkdir(parents=True)
    part_path(server.target).write_bytes(b"something else")
    server.target.with_name("f.part.json").write_text(info)
    assert fetch(server) == CONTENT and server.asked == [None]


def test_an_answer_that_begins_elsewhere(server):
    server.breaks, server.wrong_range = 1, True
    with pytest.raises(DownloadError, match=r"asked for the bytes from 100000 on, the server answered with 'bytes 100001-"):
        fetch(server)


def test_a_wrong_digest_leaves_nothing(server):
    with pytest.raises(DownloadError, match="an incomplete or changed file"):
        fetch(server, file_hash="0" * 64)
    assert leftovers(server) == []


def _fetch_in_child(address, home, queue):
    os.environ["KERAS_HOME"] = home
    queue.put(hashlib.sha256(Path(keras.utils.get_file("f", address)).read_bytes()).hexdigest())


def test_two_processes_download_once(server, tmp_path):
    server.pause = 0.02
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    children = [context.Process(target=_fetch_in_child, args=(server.address, str(tmp_path / "home"), queue)) for _ in range(3)]
    for child in children:
        child.start()
    found = [queue.get(timeout=60) for _ in children]
    for child in children:
        child.join()
    assert found == [DIGEST] * 3 and len(server.asked) == 1 and leftovers(server) == ["f"]


def test_killed_in_the_middle(server, tmp_path):
    """SIGKILL while it downloads: no target; the next call goes on with what had come."""
    server.pause = 0.05
    context = multiprocessing.get_context("fork")
    child = context.Process(target=_fetch_in_child, args=(server.address, str(tmp_path / "home"), context.Queue()))
    child.start()
    deadline = time.monotonic() + 30
    while not (part_path(server.target).exists() and part_path(server.target).stat().st_size) and time.monotonic() < deadline:
        pass
    os.kill(child.pid, signal.SIGKILL)
    child.join()
    assert not server.target.exists()
    came = part_path(server.target).stat().st_size
    assert 0 < came < len(CONTENT)
    server.pause = 0
    assert fetch(server) == CONTENT and server.asked[-1] == f"bytes={came}-"
