"""Large uniform weights made by native code: the bits that `random.uniform` makes in numpy, in a tenth of the time.

Every value is a function of (key, element number), so one compiled graph over rows of ROW elements serves weights of any shape.
Compiling it takes as long as some million values in numpy; it is done when a process has made so many.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from . import tracing
from .ir.graph import Graph

Array = npt.NDArray[Any]
ROW = 4096
LARGE = 1 << 16
PAYS = 1 << 21  # values a process makes in numpy before it compiles
LEAST_SPREAD = 2.0**-60  # of the limits: below it values may be subnormal, which native code takes for zero

_asked = 0


def takes(shape: Any, low: Any, high: Any, dtype: Any) -> bool:
    """Whether values could be made here: many, and of the usual kind."""
    usual: bool = dtype == "float32" and tracing.current_trace() is None and isinstance(shape, (tuple, list)) \
        and all(isinstance(size, int) for size in shape) and math.prod(shape) >= LARGE \
        and all(isinstance(limit, (int, float)) for limit in (low, high)) and high - low > LEAST_SPREAD
    return usual


def count(shape: Any) -> bool:
    """Counts the values of this shape as made; whether there are so many by now that it pays to make them here."""
    global _asked
    _asked += int(math.prod(shape))
    return _asked > PAYS


def uniform(shape: tuple[int, ...], low: float, high: float, key: Array) -> Array:
    """float32 values in [low, high) at an aligned address, as `random.uniform` gives them for a key."""
    from .variables import aligned_empty

    count = math.prod(shape)
    values = aligned_empty((-(-count // ROW), ROW), np.dtype(np.float32))
    executable = _executable()
    arrays = {"key": key, "low": np.array(low, np.float32), "high": np.array(high, np.float32),
              executable.program.outputs["values"]: values}
    executable.run(arrays, {"B": len(values)})
    return values.reshape(-1)[:count].reshape(shape)


def _graph() -> Graph:
    from .ir import build
    from .ir.types import TensorType, f32, u32
    from .random import between, unit_values
    from .symbols import B

    graph = Graph("initial_values")
    key = build.param(graph, "key", TensorType((2,), u32))
    low, high = (build.param(graph, name, TensorType((), f32)) for name in ("low", "high"))
    graph.outputs["values"] = between(unit_values(key, (B, ROW), f32), low, high)
    return graph


@cache
def _executable() -> Any:
    from .codegen.executable import compile_text
    from .codegen.target import Target
    from .compiler import codegen_options, to_program
    from .ir.fingerprint import fingerprint

    graph = _graph()
    options = codegen_options()
    return compile_text(fingerprint(graph), lambda announce: to_program(graph), Target.host(options), options)
