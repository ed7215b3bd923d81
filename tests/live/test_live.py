"""kcompile against Keras on TensorFlow and on JAX, all three run now, each in its own process.

The judges' interpreters come from KCOMPILE_JUDGE_TF and KCOMPILE_JUDGE_JAX; without them this is skipped.
"""
import os
import sys
from pathlib import Path

import pytest

from .cases import CASES
from .compare import complaints, summary
from .record import allowance, apart, judged, recorded, run_engine
from .runner import load

ROOT = Path(__file__).parents[2]
VARIABLES = {"tf": "KCOMPILE_JUDGE_TF", "jax": "KCOMPILE_JUDGE_JAX"}
MISSING = [variable for variable in VARIABLES.values() if not os.environ.get(variable)]

pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"{' and '.join(MISSING)} not set: the python of a Keras to compare with")


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """Folder by engine, and what an engine said which failed as a whole."""
    folder = tmp_path_factory.mktemp("outcomes")
    said = {engine: run_engine(os.environ[variable], engine, folder / engine) for engine, variable in VARIABLES.items()}
    said["kcompile"] = run_engine(sys.executable, "kcompile", folder / "kcompile", extra_path=ROOT)
    return folder, said


@pytest.mark.parametrize("name", sorted(CASES))
def test_as_keras(outcomes, name):
    folder, said = outcomes
    case = CASES[name]
    reference, second = judged(case, folder / "tf", folder / "jax")
    judges = allowance(case, apart(case, reference, second))
    wrong = complaints(load(folder / "kcompile", name), reference, judges)
    assert not wrong, "\n".join([*wrong, said["kcompile"]])


@pytest.mark.parametrize("name", sorted(CASES))
def test_record_still_holds(outcomes, name):
    """What the reference says now is what was recorded."""
    folder, _ = outcomes
    entry = recorded()[name]
    reference, _ = judged(CASES[name], folder / "tf", folder / "jax")
    wrong = complaints(summary(reference), entry["expected"], entry["distance"])
    assert not wrong, "\n".join([*wrong, "run live.record again?"])
