"""What tools print: colour on a terminal alone, JSON where it is asked for, one line for a mistake in the user's file."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from kcompile.tools.colour import coloured, wanted

ROOT = Path(__file__).resolve().parents[2]
TEXT = """graph g {
  param %x: f32[B, 4]
  state %dense/kernel: f32[4, 4]  role=weight
  %0 = dot(%x, %dense/kernel, contract=((1), (0))): f32[B, 4]  # net/dense net.py:3
  out y = %0
}
- %1 = exp(%0)
fused: a  ->  b
kernel k0 "net/dense/dot"
"""


def test_colour_changes_nothing_but_colour():
    out = coloured(TEXT)
    assert re.sub(r"\x1b\[[\d;]*m", "", out) == TEXT
    for piece in ("\x1b[36m%x\x1b[0m", "\x1b[32mf32[B, 4]\x1b[0m", "\x1b[2m# net/dense net.py:3\x1b[0m", "\x1b[31m- %1 = exp(%0)\x1b[0m",
                  '\x1b[33m"net/dense/dot"\x1b[0m', "  \x1b[34;1mparam\x1b[0m"):
        assert piece in out


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_when_colour_is_wanted(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert wanted(Terminal()) and not wanted(io.StringIO())
    monkeypatch.setenv("TERM", "dumb")
    assert not wanted(Terminal())
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    assert not wanted(Terminal())


@pytest.mark.parametrize("no_color", ["", "1"])
def test_on_a_terminal(tmp_path, no_color):
    (tmp_path / "g.kir").write_text("graph g {\n  param %x: f32[B]\n  out y = %x\n}\n")
    ours, theirs = os.openpty()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", "NO_COLOR": no_color}
    with subprocess.Popen([sys.executable, "-m", "kcompile", "show", "g.kir"], cwd=tmp_path, stdout=theirs, env=environment) as process:
        os.close(theirs)
        out = b""
        while b"}" not in out:
            out += os.read(ours, 1 << 16)
    os.close(ours)
    assert process.returncode == 0 and (b"\x1b[" in out) == (not no_color)


def test_json(cli, tmp_path):
    text = cli("show", "net.py:build", "--stage", "fused")[1]
    data = json.loads(cli("show", "net.py:build", "--stage", "fused", "--json")[1])
    assert data["stage"] == "fused" and "\n".join(data["lines"]) + "\n" == text
    assert json.loads(cli("list", "stages", "--json")[1])["planned"].startswith("execution order")
    (tmp_path / "g.kir").write_text("graph g {\n  param %x: f32[B]\n  out y = %x\n}\n")
    for arguments in (("run", "--json", "g.kir", "--passes", "simplify"), ("run", "g.kir", "--passes", "simplify", "--json")):
        assert json.loads(cli(*arguments)[1])["passes"] == ["simplify"]


@pytest.mark.parametrize("name, message", [
    ("wrong", "bad.py:5: ValueError: "), ("Broken", "bad.py:12: AttributeError: 'Broken' object has no attribute 'nothing'"),
    ("ends", "bad.py ends the program (exit code 3)"), ("several", "bad.py:21: RuntimeError: first\n"),
])
def test_what_the_users_file_raises(cli, tmp_path, name, message):
    (tmp_path / "bad.py").write_text('''
import kcompile as keras

def wrong():
    return keras.layers.Dense(-3)

class Broken(keras.Model):
    def __init__(self):
        super().__init__()
        self.build((None, 4))
    def call(self, x):
        return x + self.nothing

def ends():
    raise SystemExit(3)

def several():
    fails()

def fails():
    raise RuntimeError("first\\nsecond")
''')
    code, out, err = cli("show", f"bad.py:{name}")
    assert (code, out, err.count("\n")) == (2, "", 1) and err.startswith(f"kcompile show: {message}"), err


def test_fusions_between_two_stages(cli):
    out = cli("diff", "net.py:build", "described", "fused", "--step", "predict")[1]
    rows = out.split("rows of the fusion table, ")[1].splitlines()
    assert int(rows[0].split()[0]) == len(rows) - 1 > 3
    assert any(re.fullmatch(r"  .+: net/conv/conv -> net/conv/.*  .*net\.py:\d+", row) for row in rows)
