"""Elementary functions on vectors of f32 and f64, inline or as helper functions of the module.

NaN, infinities and signed zeros are exact; a result below the smallest normal number may be 0. Results have the same
bits for every number of lanes. Short functions are written where they are used; long or branching ones become an
internal function of the module, one for each number of lanes.
"""

from __future__ import annotations

from collections.abc import Callable

from ...ir.types import DType, f32
from ..text_builder import Writer
from .error_function import erf
from .exponential import exp, expm1, sigmoid, tanh
from .logarithm import log, log1p
from .power import integer_pow, pow
from .trigonometric import atan2, cos, sin
from .vectors import Math, Vec

__all__ = ["FUNCTIONS", "apply", "integer_pow"]


def _rsqrt(m: Math, x: Vec) -> Vec:
    return 1.0 / m.sqrt(x)


FUNCTIONS: dict[str, Callable[..., Vec]] = {
    "exp": exp, "expm1": expm1, "log": log, "log1p": log1p, "tanh": tanh, "sigmoid": sigmoid, "erf": erf,
    "sin": sin, "cos": cos, "pow": pow, "atan2": atan2, "rsqrt": _rsqrt,
}
_OUT_OF_LINE = {"sin", "cos", "pow", "atan2"}
_OUT_OF_LINE_F64 = {"erf"}


def apply(w: Writer, fn: str, args: list[str], dtype: DType, lanes: int) -> str:
    """Emit fn(args) on `lanes` elements of dtype f32 or f64; returns the result's operand."""
    if fn in _OUT_OF_LINE or (fn in _OUT_OF_LINE_F64 and dtype != f32):
        return _call(w, fn, args, dtype, lanes)
    m = Math(w, dtype, lanes)
    return FUNCTIONS[fn](m, *map(m.vec, args)).name


def _call(w: Writer, fn: str, args: list[str], dtype: DType, lanes: int) -> str:
    inner = Writer()
    m = Math(inner, dtype, lanes)
    name = f"kc.{fn}.{m.suffix}"
    parameters = [f"%arg{n}" for n in range(len(args))]
    inner.raw(f"define internal {m.float_type} @{name}({', '.join(f'{m.float_type} {p}' for p in parameters)}) {{")
    inner.label("entry")
    result = FUNCTIONS[fn](m, *map(m.vec, parameters))
    inner.line(f"ret {m.float_type} {result.name}")
    inner.raw("}")
    for declaration in inner.declarations:
        w.declare(declaration)
    w.declare(inner.body())
    return w.value(f"call {m.float_type} @{name}({', '.join(f'{m.float_type} {a}' for a in args)})")
