"""A text is printed again without loading the model where nothing that it came from has changed, and only there."""

import os
import subprocess
import sys

import pytest

PROGRAM = """
import json
import kcompile as keras
from sizes import UNITS
{extra}

def build():
    classes = json.load(open("classes.json"))
    layers = [keras.layers.Dense(UNITS, name="first"), keras.layers.Dense(classes, name="last")]
    return keras.Sequential([keras.Input((4,)), *layers], name="net")
"""


@pytest.fixture
def show(tmp_path, monkeypatch):
    """show(): (text, whether the model was loaded), in a process of its own."""
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)  # what an import writes is no act of the user's
    monkeypatch.setenv("PYTHONPYCACHEPREFIX", str(tmp_path / "bytecode"))
    (tmp_path / "sizes.py").write_text("UNITS = 8\n")
    (tmp_path / "classes.json").write_text("3")
    (tmp_path / "net.py").write_text(PROGRAM.format(extra=""))

    def run(*arguments, **environment):
        probe = ("import sys, runpy; sys.argv = ['kcompile', *sys.argv[1:]]\n"
                 "try:\n    runpy.run_module('kcompile', run_name='__main__', alter_sys=True)\n"
                 "finally:\n    print('loaded' if 'numpy' in sys.modules else 'recalled', file=sys.stderr)")
        places = {"KCOMPILE_CACHE": str(tmp_path / "cache"), "KERAS_HOME": str(tmp_path / "keras")}
        done = subprocess.run([sys.executable, "-c", probe, "show", "net.py:build", *arguments], cwd=tmp_path, text=True,
                              capture_output=True, check=False, env={**os.environ, **places, **environment})
        assert done.returncode == 0, done.stderr
        return done.stdout, done.stderr.splitlines()[-1] == "loaded"

    return run


def test_the_same_text_and_nothing_loaded(show):
    first, loaded = show("--stage", "fused")
    assert loaded and "net/first/dot" in first
    assert show("--stage", "fused") == (first, False)
    assert show("--stage", "traced")[1]  # another question


def test_what_changed_is_seen(show, tmp_path):
    text, _ = show()
    # of another length: Python itself takes a module of the same length and second for the one it has compiled
    changes = {"sizes.py": "UNITS = 16\n", "classes.json": "4", "net.py": PROGRAM.format(extra="").replace("last", "end")}
    for name, content in changes.items():
        (tmp_path / name).write_text(content)
        before, (text, loaded) = text, show()
        assert loaded and text != before, name
    assert show(KERAS_MAX_EPOCHS="3") == (text, True)
    assert show() == (text, False)


@pytest.mark.parametrize("extra", ["print('hello')", "open('written', 'w').close()"])
def test_a_file_that_acts_is_run_every_time(show, tmp_path, extra):
    (tmp_path / "net.py").write_text(PROGRAM.format(extra=extra))
    first = show()
    assert first[1] and show() == first


def test_switched_off_with_the_cache(show):
    first = show(KCOMPILE_CACHE="off")
    assert first[1] and show(KCOMPILE_CACHE="off") == first
