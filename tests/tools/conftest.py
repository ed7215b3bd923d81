"""A small model whose step has every kind of buffer, as an object and as a file; the command line in an empty folder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = '''
import kcompile as keras
from kcompile import layers

def build():
    model = keras.Sequential([
        keras.Input((6, 6, 1)), layers.Conv2D(4, 3, activation="relu", name="conv"), layers.MaxPooling2D(2, name="pool"),
        layers.Flatten(name="flat"), layers.Dropout(0.25, name="drop"), layers.Dense(3, activation="softmax", name="dense")], name="net")
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model
'''


@pytest.fixture
def model():
    space: dict = {}
    exec(compile(PROGRAM, "net.py", "exec"), space)
    return space["build"]()


@pytest.fixture
def cli(tmp_path, monkeypatch, capsys):
    """cli("show", "net.py:build"): (exit code, stdout, stderr), in a folder that holds net.py. Runs in this process: fast."""
    import kcompile as keras
    from kcompile.__main__ import main
    (tmp_path / "net.py").write_text(PROGRAM)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("KCOMPILE_TARGET", raising=False)

    def run(*arguments: str) -> tuple[int, str, str]:
        keras.backend.clear_session()  # names as in a process of its own
        try:
            code = main(arguments)
        except SystemExit as exit:
            code = exit.code
        out, err = capsys.readouterr()
        return code, out, err

    return run


@pytest.fixture
def command(tmp_path, monkeypatch):
    """The same in a process of its own."""
    (tmp_path / "net.py").write_text(PROGRAM)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-m", "kcompile", *arguments], cwd=tmp_path, text=True, capture_output=True, check=False)

    return run
