"""What the README says that the tools print of examples/digits.py is what they print."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BLOCKS = re.findall(r"^```\n(.*?)^```$", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("command", [
    "show examples/digits.py:build --stage fused --step predict",
    "explain examples/digits.py:build fusion conv2d max_pooling2d",
])
def test_what_a_command_prints(command: str, tmp_path: Path) -> None:
    printed = BLOCKS[next(n for n, block in enumerate(BLOCKS) if f"python -m kcompile {command}" in block) + 1]
    done = subprocess.run([sys.executable, "-m", "kcompile", *command.split()], cwd=ROOT, text=True, capture_output=True, check=True,
                          env={**os.environ, "KCOMPILE_TARGET": "avx512", "KCOMPILE_CACHE": str(tmp_path)})
    assert _unindented(printed) in _unindented(done.stdout.replace(f"{ROOT}/", ""))


def _unindented(text: str) -> str:
    return "\n".join(line.strip() for line in text.strip().splitlines())
