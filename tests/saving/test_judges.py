"""Every case from real Keras to kcompile, and from kcompile back to real Keras.

KCOMPILE_JUDGE_TF and KCOMPILE_JUDGE_KERAS2 name the interpreters of environments with Keras 3 on TensorFlow and with Keras 2.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from saving_helpers import CASES, WEIGHTS_ONLY, differences, formats_of, load_case, save

import kcompile as keras

HERE = Path(__file__).parent


def run_judge(interpreter, *arguments):
    command = [interpreter, "judge.py", *map(str, arguments)]
    done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, timeout=2400, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def interpreter(variable):
    found = os.environ.get(variable)
    if not found:
        pytest.skip(f"{variable} names no interpreter with a real Keras")
    return found


def read_all(folder, formats, written=None):
    """Load every file of the judge's; compare; save again as kcompile_... Gives sentences on what failed."""
    failures = []
    for name in CASES:
        if not (folder / f"{name}.npz").exists():
            continue
        expected = dict(np.load(folder / f"{name}.npz"))
        for ending in formats_of(name, list(formats)):
            keras.backend.clear_session()
            _, inputs, labels = CASES[name](keras)
            try:
                model = load_case(name, str(folder / f"{name}.{ending}"))
                if written:
                    save(model, str(folder / f"kcompile_{name}.{ending}"))
                failures += [f"{name}.{ending}: {problem}" for problem in differences(model, name, inputs, labels, expected, 3e-5)]
            except Exception as error:
                failures.append(f"{name}.{ending}: {type(error).__name__}: {error}")
    return failures


def test_keras3_both_ways(tmp_path):
    judge = interpreter("KCOMPILE_JUDGE_TF")
    formats = ("keras", "h5", "weights.h5", "weights.json", "folder")
    run_judge(judge, "write", tmp_path, ",".join(formats))
    assert read_all(tmp_path, formats, written=True) == []
    found = run_judge(judge, "read", tmp_path, ",".join(formats))
    assert [line for line in found.splitlines() if line.startswith("FAILED")] == []
    assert "DONE 0 failures" in found


def test_keras2_is_read(tmp_path):
    judge = interpreter("KCOMPILE_JUDGE_KERAS2")
    run_judge(judge, "write", tmp_path, "keras,h5,weights.h5")
    for name in WEIGHTS_ONLY:
        (tmp_path / f"{name}.npz").unlink(missing_ok=True)  # Keras 2 names the parts of a subclassed model otherwise
    assert read_all(tmp_path, ("keras", "h5", "weights.h5")) == []
