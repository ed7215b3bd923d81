"""tf.keras programs as people write them, run unchanged with no TensorFlow through `python -m kcompile run PROGRAM`.

Those on MNIST read mnist.npz from the folder that KCOMPILE_DATASETS names, and are skipped where it names none.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
PROGRAMS = sorted((HERE / "programs").glob("*.py"))
LEAST_ACCURACY = dict.fromkeys(("mnist_sequential_list", "mnist_sequential_add", "mnist_functional", "mnist_subclass"), 0.977)
LEAST_ACCURACY["data_pipeline"] = 0.94


def run(program, folder):
    environment = dict(os.environ, KERAS_HOME=str(folder / "keras_home"))
    done = subprocess.run([sys.executable, "-m", "kcompile", "run", str(program)],
                          cwd=folder, env=environment, text=True, capture_output=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.stem)
def test_program(program, tmp_path):
    if "mnist" in program.read_text() and not os.environ.get("KCOMPILE_DATASETS"):
        pytest.skip("KCOMPILE_DATASETS names no folder with mnist.npz")
    out = run(program, tmp_path)
    if program.stem == "cnn_summary":
        assert out.splitlines() == (HERE / "cnn_summary.txt").read_text().splitlines()
        return
    result = [line for line in out.splitlines() if line.startswith("RESULT")]
    assert result, out[-2000:]
    if program.stem in LEAST_ACCURACY:
        loss, accuracy = (float(x) for x in re.findall(r"\d+\.\d+(?:e-?\d+)?", result[-1]))
        assert accuracy >= LEAST_ACCURACY[program.stem], result[-1]
        assert loss < 0.3
