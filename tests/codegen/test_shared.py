"""Which loops threads share: a trip is worth finding its place, and where trips are few, smaller ones are equal shares."""

import pytest

from kcompile.codegen.lower import lower
from kcompile.codegen.strategy import plan
from kcompile.codegen.target import Target
from kcompile.ir.text.kernels import parse_kernel

KERNEL = """
kernel rows
  axes i:{rows}, j:256, k:{terms}
  read x: f32[{rows}, {terms}], w: f32[{terms}, 256]
  write y: f32[{rows}, 256]
  reduce c[i, j] = add over k of x[i, k] * w[k, j]
  store y[i, j] = c
"""


@pytest.mark.parametrize(("rows", "terms", "trips"), [(192, 9, 32), (192, 20, 32), (192, 80, 32 * 16), (48, 9, 8), (48, 20, 8 * 16)])
def test_trips_are_worth_their_cost(rows: int, terms: int, trips: int) -> None:
    nest = plan(lower(parse_kernel(KERNEL.format(rows=rows, terms=terms).lstrip())), Target.named("avx2"))
    assert nest.trips.evaluate({}) == trips
