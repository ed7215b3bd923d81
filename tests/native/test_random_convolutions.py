"""A few random convolutions with their gradients; `random_convolutions.py` runs as many as one likes."""

import pytest
from random_convolutions import fault, random_case

from kcompile.codegen.target import Target


@pytest.mark.parametrize("seed", range(12))
def test_native_agrees_with_float64(seed):
    assert fault(random_case(seed), Target.host(), (1, 7), seed) == ""
