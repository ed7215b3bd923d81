"""The small files of all data sets, and a server that gives them."""

import dataclasses
import hashlib
import http.server
import threading
from pathlib import Path

import pytest
import small_files

from kcompile.datasets import sources


@pytest.fixture(scope="session")
def small(tmp_path_factory):
    """A folder with every file under its canonical name, as a server would have it."""
    folder = tmp_path_factory.mktemp("small")
    small_files.write_all(folder)
    return folder


@pytest.fixture
def own_folder(small, tmp_path, monkeypatch):
    """A folder that KCOMPILE_DATASETS names, with everything in it; and no network."""
    folder = tmp_path / "own"
    for name, file in sources.FILES.items():
        place = folder / Path(file.cache_subdir).relative_to("datasets") / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes((small / name).read_bytes())
    monkeypatch.setenv("KCOMPILE_DATASETS", str(folder))
    monkeypatch.setattr(sources, "FILES", {name: dataclasses.replace(file, origin=f"http://127.0.0.1:9/{name}")
                                           for name, file in sources.FILES.items()})
    return folder


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("KCOMPILE_DATASETS", raising=False)
    return tmp_path / "home"


@pytest.fixture
def server(small, home, monkeypatch):
    """A server of the small files, from which the data sets are fetched; `server.asked` is the list of paths asked for."""
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.server.asked.append(self.path)
            content = (small / self.path.strip("/")).read_bytes()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args):
            pass

    http_server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http_server.asked = []
    thread = threading.Thread(target=http_server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    address = f"http://127.0.0.1:{http_server.server_port}"
    monkeypatch.setattr(sources, "FILES", {
        name: dataclasses.replace(file, origin=f"{address}/{name}", digest=hashlib.sha256((small / name).read_bytes()).hexdigest())
        for name, file in sources.FILES.items()})
    yield http_server
    http_server.shutdown()
    thread.join()
    http_server.server_close()
