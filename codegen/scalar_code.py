"""The scalar language as LLVM text: one emitter for each entry of SCALAR_OPS, for any number of lanes.

No operation traps or is undefined: integer division by zero gives 0, shifts past the width give what numpy gives, float
to integer conversion saturates and turns NaN into 0. registers.py says how values of each dtype look.
"""

from __future__ import annotations

from collections.abc import Callable

from ..ir.types import DType, boolean, f16, f32, f64
from . import simd_math
from .registers import (
    compute_dtype,
    constant,
    constant_value,
    from_memory,
    integer_value,
    is_constant,
    memory_type,
    register_type,
    round_to,
    suffix,
    to_memory,
    wide,
)
from .text_builder import Writer

__all__ = ["apply", "compute_dtype", "constant", "from_memory", "is_constant", "memory_type", "register_type", "round_to", "suffix",
           "to_memory"]


class _Call:
    """One application in the making: the writer, the operands and their types."""

    def __init__(self, w: Writer, args: list[str], arg_dtypes: list[DType], dtype: DType, lanes: int) -> None:
        self.w, self.args, self.dtypes, self.dtype, self.lanes = w, args, arg_dtypes, dtype, lanes
        self.of = arg_dtypes[-1]  # the operands' dtype (select has its condition first)
        self.type = register_type(self.of, lanes)

    def const(self, value: float | int | bool, dtype: DType | None = None) -> str:
        return constant(dtype or self.of, value, self.lanes)

    def op(self, name: str, *args: str, type: str = "") -> str:
        return self.w.value(f"{name} {type or self.type} {', '.join(args)}")

    def compare(self, predicate: str, a: str, b: str) -> str:
        return self.op(("fcmp " if self.of.is_float else "icmp ") + predicate, a, b)

    def select(self, condition: str, a: str, b: str, type: str = "") -> str:
        t = type or self.type
        return self.w.value(f"select {register_type(boolean, self.lanes)} {condition}, {t} {a}, {t} {b}")

    def intrinsic(self, name: str, *args: str) -> str:
        return self.w.call(self.type, f"llvm.{name}.{suffix(self.of, self.lanes)}", *((self.type, a) for a in args))

    def helper(self, fn: str) -> str:
        return simd_math.apply(self.w, fn, self.args, compute_dtype(self.of), self.lanes)


def apply(w: Writer, fn: str, args: list[str], arg_dtypes: list[DType], dtype: DType, lanes: int) -> str:
    """Emit fn(args) for `lanes` elements; args are operands of register_type(arg_dtypes[n], lanes).

    Returns an operand of register_type(dtype, lanes). Raises TypeError where `fn` has no meaning for the dtype.
    """
    if fn not in _EMITTERS:
        raise KeyError(f"the scalar language has no operation {fn!r}")
    return _EMITTERS[fn](_Call(w, list(args), list(arg_dtypes), dtype, lanes))


def _unsupported(c: _Call, fn: str) -> TypeError:
    return TypeError(f"{fn} is not defined for {c.of}")


def _arithmetic(fn: str, float_op: str, int_op: str, bool_op: str) -> Callable[[_Call], str]:
    def emit(c: _Call) -> str:
        name = float_op if c.of.is_float else bool_op if c.of == boolean else int_op
        if not name:
            raise _unsupported(c, fn)
        return c.op(name, *c.args)
    return emit


def _ordering(predicate: str) -> Callable[[_Call], str]:
    def emit(c: _Call) -> str:
        if c.of.is_float:
            return c.compare({"eq": "oeq", "ne": "une"}.get(predicate, "o" + predicate), *c.args)
        sign = "" if predicate in ("eq", "ne") else "s" if c.of.kind == "i" else "u"
        return c.compare(sign + predicate, *c.args)
    return emit


def _extremum(which: str) -> Callable[[_Call], str]:
    def emit(c: _Call) -> str:
        a, b = c.args
        if c.of == boolean:
            return c.op("or" if which == "max" else "and", a, b)
        if c.of.is_integer:
            return c.intrinsic(("s" if c.of.kind == "i" else "u") + which, a, b)
        predicate = "ogt" if which == "max" else "olt"
        for x, other in ((a, b), (b, a)):  # a comparison with NaN is false and selects x
            number = constant_value(other)
            if number is not None and number == number:
                return c.select(c.compare(predicate, other, x), other, x)
        best = c.select(c.compare(predicate, a, b), a, b)  # b where either is NaN
        return c.select(c.compare("uno", a, a), a, best)
    return emit


def _neg(c: _Call) -> str:
    if c.of == boolean:
        raise _unsupported(c, "neg")
    return c.op("fneg", c.args[0]) if c.of.is_float else c.op("sub", c.const(0), c.args[0])


def _abs(c: _Call) -> str:
    if c.of.is_float:
        return c.intrinsic("fabs", c.args[0])
    if c.of.kind != "i":
        return c.args[0]
    name = f"llvm.abs.{suffix(c.of, c.lanes)}"
    return c.w.call(c.type, name, (c.type, c.args[0]), ("i1", "false"))


def _sign(c: _Call) -> str:
    x, zero, one = c.args[0], c.const(0), c.const(1)
    if c.of == boolean:
        raise _unsupported(c, "sign")
    if c.of.is_float:
        rest = c.select(c.compare("oeq", x, zero), zero, x)  # NaN stays NaN, -0 becomes 0
        below = c.select(c.compare("olt", x, zero), c.const(-1), rest)
        return c.select(c.compare("ogt", x, zero), one, below)
    if c.of.kind == "u":
        return c.select(c.compare("ne", x, zero), one, zero)
    return c.select(c.compare("sgt", x, zero), one, c.op("ashr", x, c.const(8 * c.of.size - 1)))


def _rounding(intrinsic: str) -> Callable[[_Call], str]:
    def emit(c: _Call) -> str:
        return c.intrinsic(intrinsic, c.args[0]) if c.of.is_float else c.args[0]
    return emit


def _float_only(fn: str, emit_float: Callable[[_Call], str]) -> Callable[[_Call], str]:
    def emit(c: _Call) -> str:
        if not c.of.is_float:
            raise _unsupported(c, fn)
        return emit_float(c)
    return emit


def _pow(c: _Call) -> str:
    if c.of == boolean:
        raise _unsupported(c, "pow")
    if c.of.is_float:
        return c.helper("pow")
    return simd_math.integer_pow(c.w, c.args, c.of.kind == "i", 8 * c.of.size, c.lanes)


def _integer_quotient(c: _Call) -> tuple[str, str]:
    """(floor(a / b), b == 0); the quotient is 0 where b is 0, and wraps for the smallest integer by -1."""
    a, b = c.args
    zero = c.const(0)
    by_zero = c.compare("eq", b, zero)
    signed = c.of.kind == "i"
    if c.of.size <= 4:  # exact in double: two numbers below 2^32 have no quotient within 2^-21 of an integer they miss
        double = register_type(f64, c.lanes)
        to, back = ("sitofp", "fptosi") if signed else ("uitofp", "fptoui")
        x, y = (c.w.value(f"{to} {c.type} {v} to {double}") for v in (a, b))
        ratio = c.w.value(f"fdiv {double} {x}, {y}")
        floor = c.w.call(double, f"llvm.floor.{suffix(f64, c.lanes)}", (double, ratio))
        name = f"llvm.{back}.sat.{suffix(c.of, c.lanes)}.{suffix(f64, c.lanes)}"
        quotient = c.w.call(c.type, name, (double, floor))
    else:
        minus = c.compare("eq", b, c.const(-1)) if signed else by_zero
        one = c.const(1)
        safe = c.select(by_zero, one, b)
        safe = c.select(minus, one, safe) if signed else safe
        quotient = c.op("sdiv" if signed else "udiv", a, safe)
        if signed:
            rest = c.op("sub", a, c.op("mul", quotient, safe))
            differ = c.compare("slt", c.op("xor", rest, safe), zero)
            inexact = c.compare("ne", rest, zero)
            down = c.w.value(f"and {register_type(boolean, c.lanes)} {differ}, {inexact}")
            quotient = c.select(down, c.op("sub", quotient, one), quotient)
    if signed:
        quotient = c.select(c.compare("eq", b, c.const(-1)), c.op("sub", zero, a), quotient)
    return c.select(by_zero, zero, quotient), by_zero


def _float_remainder(c: _Call) -> str:
    """a mod b with the sign of b, before the sign of a zero is fixed."""
    a, b = c.args
    rest = c.op("frem", a, b)
    opposite = c.w.value(f"xor {register_type(boolean, c.lanes)} "
                         f"{c.compare('olt', rest, c.const(0))}, {c.compare('olt', b, c.const(0))}")
    fix = c.w.value(f"and {register_type(boolean, c.lanes)} {opposite}, {c.compare('one', rest, c.const(0))}")
    return c.select(fix, c.op("fadd", rest, b), rest)


def _mod(c: _Call) -> str:
    if c.of == boolean:
        raise _unsupported(c, "mod")
    if c.of.is_float:
        rest = _float_remainder(c)
        zero = c.compare("oeq", rest, c.const(0))
        return c.select(zero, c.intrinsic("copysign", c.const(0), c.args[1]), rest)
    quotient, by_zero = _integer_quotient(c)
    rest = c.op("sub", c.args[0], c.op("mul", quotient, c.args[1]))
    return c.select(by_zero, c.const(0), rest)


def _floordiv(c: _Call) -> str:
    if c.of == boolean:
        raise _unsupported(c, "floordiv")
    if c.of.is_integer:
        return _integer_quotient(c)[0]
    return c.intrinsic("floor", c.op("fdiv", *c.args))


def _shift(instruction: str) -> Callable[[_Call], str]:
    def emit(c: _Call) -> str:
        if not c.of.is_integer:
            raise _unsupported(c, instruction)
        a, b = c.args
        bits = 8 * c.of.size
        name = "shl" if instruction == "shl" else "ashr" if c.of.kind == "i" else "lshr"
        count = integer_value(b)
        if count is not None and 0 <= count < bits:
            return c.op(name, a, b)
        inside = c.compare("ult", b, c.const(bits))  # a negative count is a large one
        if name == "ashr":
            return c.op(name, a, c.select(inside, b, c.const(bits - 1)))
        return c.select(inside, c.op(name, a, c.select(inside, b, c.const(0))), c.const(0))
    return emit


def _bitwise(name: str) -> Callable[[_Call], str]:
    def emit(c: _Call) -> str:
        if c.of.is_float:
            raise _unsupported(c, name)
        return c.op(name, *c.args)
    return emit


def _not(c: _Call) -> str:
    if c.of.is_float:
        raise _unsupported(c, "not")
    return c.op("xor", c.args[0], c.const(True if c.of == boolean else -1))


def _is_nan(c: _Call) -> str:
    return c.compare("uno", c.args[0], c.args[0]) if c.of.is_float else c.const(False, boolean)


def _is_finite(c: _Call) -> str:
    if not c.of.is_float:
        return c.const(True, boolean)
    largest = 65520.0 if c.of == f16 else float("inf")  # an f16 is infinite once it would round to infinity
    return c.compare("olt", c.intrinsic("fabs", c.args[0]), constant(compute_dtype(c.of), largest, c.lanes))


def _select(c: _Call) -> str:
    return c.select(*c.args)


def _cast(c: _Call) -> str:
    x, source, to, lanes = c.args[0], c.of, c.dtype, c.lanes
    if source == to:
        return x
    target = register_type(to, lanes)
    if to == boolean:
        return c.compare("une" if source.is_float else "ne", x, c.const(0))
    if to.is_float:
        if source.is_float:
            return _cast_float(c)
        instruction = "sitofp" if source.kind == "i" else "uitofp"
        value = c.w.value(f"{instruction} {c.type} {x} to {target}")
        return round_to(c.w, to, lanes, value)
    if source.is_float:
        name = f"llvm.fpto{'s' if to.kind == 'i' else 'u'}i.sat.{suffix(to, lanes)}.{suffix(source, lanes)}"
        return c.w.call(target, name, (c.type, x))
    if source != boolean and source.size == to.size:
        return x
    instruction = "trunc" if source != boolean and source.size > to.size else "sext" if source.kind == "i" else "zext"
    return c.w.value(f"{instruction} {c.type} {x} to {target}")


def _cast_float(c: _Call) -> str:
    source, to, lanes = compute_dtype(c.of), c.dtype, c.lanes
    value = c.args[0]
    if source == f32 and to == f64:
        return c.w.value(f"fpext {c.type} {value} to {register_type(f64, lanes)}")
    if source == f64 and to == f32:
        return c.w.value(f"fptrunc {c.type} {value} to {register_type(f32, lanes)}")
    if source == f64:
        value = _round_to_odd(c, value)
    return round_to(c.w, to, lanes, value)


def _round_to_odd(c: _Call, value: str) -> str:
    """f64 to f32 so that a later rounding to 16 bits sees what was lost: toward zero, last bit set if inexact."""
    narrow, ints = register_type(f32, c.lanes), wide("i32", c.lanes)
    near = c.w.value(f"fptrunc {c.type} {value} to {narrow}")
    back = c.w.value(f"fpext {narrow} {near} to {c.type}")
    bits = c.w.value(f"bitcast {narrow} {near} to {ints}")
    larger = c.compare("ogt", c.intrinsic("fabs", back), c.intrinsic("fabs", value))
    flags = register_type(boolean, c.lanes)
    bits = c.w.value(f"sub {ints} {bits}, {c.w.value(f'zext {flags} {larger} to {ints}')}")
    inexact = c.w.value(f"zext {flags} {c.compare('une', back, value)} to {ints}")
    bits = c.w.value(f"or {ints} {bits}, {inexact}")
    return c.w.value(f"bitcast {ints} {bits} to {narrow}")


def _math(fn: str) -> Callable[[_Call], str]:
    return _float_only(fn, lambda c: c.helper(fn))


_EMITTERS: dict[str, Callable[[_Call], str]] = {
    "add": _arithmetic("add", "fadd", "add", "or"),
    "sub": _arithmetic("sub", "fsub", "sub", ""),
    "mul": _arithmetic("mul", "fmul", "mul", "and"),
    "div": _arithmetic("div", "fdiv", "", ""),
    "floordiv": _floordiv, "mod": _mod,
    "max": _extremum("max"), "min": _extremum("min"),
    "pow": _pow, "neg": _neg, "abs": _abs, "sign": _sign,
    "sqrt": _float_only("sqrt", lambda c: c.intrinsic("sqrt", c.args[0])),
    "floor": _rounding("floor"), "ceil": _rounding("ceil"), "round": _rounding("roundeven"),
    **{fn: _ordering(fn) for fn in ("eq", "ne", "lt", "le", "gt", "ge")},
    "is_nan": _is_nan, "is_finite": _is_finite,
    "and": _bitwise("and"), "or": _bitwise("or"), "xor": _bitwise("xor"), "not": _not,
    "shl": _shift("shl"), "shr": _shift("shr"),
    "select": _select, "cast": _cast,
    **{fn: _math(fn) for fn in ("exp", "expm1", "log", "log1p", "tanh", "sigmoid", "erf", "sin", "cos", "rsqrt", "atan2")},
}
