"""Files that real Keras wrote (tests/saving/judge.py made them), read without any Keras: predictions and the next training step."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from saving_helpers import CASES, differences, load_case

import kcompile as keras

FILES = Path(__file__).parent / "files"


@pytest.mark.parametrize("name", sorted(path.name[:-3] for path in FILES.glob("*.gz") if ".npz" not in path.name))
def test_file(name, tmp_path, recwarn):
    version, _, rest = name.partition("_")
    case = rest.partition(".")[0]
    path = tmp_path / rest
    path.write_bytes(gzip.decompress((FILES / f"{name}.gz").read_bytes()))
    (tmp_path / "expected.npz").write_bytes(gzip.decompress((FILES / f"{version}_{case}.npz.gz").read_bytes()))
    _, inputs, labels = CASES[case](keras)
    model = load_case(case, str(path))
    assert not [str(w.message) for w in recwarn]
    assert int(np.asarray(model.optimizer.iterations)) == 2
    assert differences(model, case, inputs, labels, dict(np.load(tmp_path / "expected.npz")), 3e-5) == []
