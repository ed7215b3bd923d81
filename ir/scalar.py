"""The scalar language: what a kernel computes for one element.

Expressions are immutable trees. `SCALAR_OPS` is the whole vocabulary; code generation has one emitter for each entry
and the numpy reference stands here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from operator import is_not
from typing import Any, Union

import numpy as np

from kcompile.common.lazy import lazy
from kcompile.common.struct import struct

from .types import DimLike, DType, boolean, i64


@struct(frozen=True)
class Aff:
    """An affine index: sum of coefficient * variable, plus a constant. Variables are axes or `index` equations."""

    terms: tuple[tuple[str, DimLike], ...] = ()  # sorted by variable name, no zero coefficients
    const: DimLike = 0

    @staticmethod
    def of(terms: Mapping[str, DimLike] | str | int, const: DimLike = 0) -> Aff:
        """Aff.of('i'), Aff.of({'i': 2, 'k': 1}, -1), Aff.of(3)."""
        if isinstance(terms, str):
            return Aff(((terms, 1),), const)
        if isinstance(terms, int):
            return Aff((), terms + const)
        return Aff(tuple(sorted([(v, c) for v, c in terms.items() if c != 0])), const)

    def coefficient(self, variable: str) -> DimLike:
        for name, factor in self.terms:
            if name == variable:
                return factor
        return 0

    @lazy
    def variables(self) -> frozenset[str]:
        return frozenset([v for v, _ in self.terms])

    def __add__(self, other: Aff | DimLike) -> Aff:
        if not isinstance(other, Aff):
            return Aff(self.terms, self.const + other)
        total = dict(self.terms)
        for v, c in other.terms:
            total[v] = total.get(v, 0) + c
        return Aff.of(total, self.const + other.const)

    def __mul__(self, factor: DimLike) -> Aff:
        return Aff.of({v: c * factor for v, c in self.terms}, self.const * factor)

    def substitute(self, mapping: Mapping[str, Aff]) -> Aff:
        if len(self.terms) == 1 and self.const == 0 and self.terms[0][1] == 1:
            return mapping.get(self.terms[0][0], self)  # a single axis: most indices are
        total: dict[str, DimLike] = {}
        const = self.const
        for v, c in self.terms:
            other = mapping.get(v)
            if other is None:
                total[v] = total.get(v, 0) + c
                continue
            const = const + other.const * c
            for w, d in other.terms:
                total[w] = total.get(w, 0) + d * c
        return Aff.of(total, const)

    def __str__(self) -> str:
        def factor(c: DimLike) -> str:
            return f"({c})" if not isinstance(c, int) and len(c.terms) > 1 else str(c)
        parts = [v if c == 1 else f"{factor(c)}*{v}" for v, c in self.terms]
        if self.const != 0 or not parts:
            parts.append(str(self.const))
        return " + ".join(parts)


def plain_axes(index: Iterable[Aff]) -> tuple[str, ...] | None:
    """('i', 'j') for the index [i, j] of distinct single axes; None for anything else."""
    names: list[str] = []
    for aff in index:
        terms = aff.terms
        if len(terms) != 1 or terms[0][1] != 1 or aff.const != 0:
            return None
        name = terms[0][0]
        if name in names:
            return None
        names.append(name)
    return tuple(names)


@struct(frozen=True)
class Guard:
    """lo <= index < hi; all the guards of a load must hold, else its `other` is the value."""

    index: Aff
    lo: DimLike
    hi: DimLike


@struct(frozen=True)
class Const:
    value: float | int | bool
    dtype: DType


@struct(frozen=True)
class Ref:
    """The value of an earlier `let` or `reduce` equation of the same kernel."""

    name: str
    dtype: DType


@struct(frozen=True)
class AxisValue:
    """The integer value of an affine index, as an element of `dtype` (an iota)."""

    index: Aff
    dtype: DType = i64


@struct(frozen=True)
class Load:
    """array[index]; where a guard fails, `other`. Memory is never touched outside the guards."""

    array: str
    index: tuple[Aff, ...]
    dtype: DType
    guards: tuple[Guard, ...] = ()
    other: Const | None = None

    @lazy
    def variables(self) -> frozenset[str]:
        """Axes and index equations that say which element is read, and whether."""
        return frozenset().union(*(aff.variables for aff in self.index), *(guard.index.variables for guard in self.guards))

    @lazy
    def plain_axes(self) -> tuple[str, ...] | None:
        """The axis of each dimension, where the index is distinct single axes."""
        return plain_axes(self.index)


@struct(frozen=True)
class Apply:
    """fn(args): fn is a key of SCALAR_OPS. `dtype` is the result's; `cast` converts its argument to it."""

    fn: str
    args: tuple[Expr, ...]
    dtype: DType

    @lazy
    def inner(self) -> tuple[Expr, ...]:
        """What `walk` gives behind the expression itself; not with it, for then only a collector of cycles would free it."""
        out: list[Expr] = []
        for e in self.args:
            out.append(e)
            if e.__class__ is Apply:
                out += e.inner
        return tuple(out)

    @lazy
    def loads(self) -> tuple[Load, ...]:
        return tuple([e for e in self.inner if isinstance(e, Load)])


Expr = Union[Const, Ref, AxisValue, Load, Apply]

_SAME, _BOOL, _FIRST_OF_REST = "same", "bool", "second"  # result: dtype of args / bool / dtype of args[1]


@struct(frozen=True)
class ScalarOp:
    """A word of the scalar language. `cost` is in rough vector instructions an element."""

    name: str
    arity: int
    reference: Callable[..., Any]
    result: str = _SAME
    cost: int = 1


def _sigmoid(x: Any) -> Any:
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + e), e / (1 + e)).astype(x.dtype)


def _erf(x: Any) -> Any:
    from math import erf
    return np.vectorize(erf, otypes=[np.float64])(x).astype(x.dtype)


def _shift_right(a: Any, b: Any) -> Any:
    return np.right_shift(a, b)


def _integer_or_float_div(a: Any, b: Any) -> Any:
    return np.true_divide(a, b, dtype=a.dtype)


def _floordiv(a: Any, b: Any) -> Any:
    """Floats: floor(a / b). Integers: exact, and 0 where b is 0."""
    if a.dtype.kind not in "iu":
        return np.floor(a / b)
    return np.where(b == 0, 0, np.floor_divide(a, np.where(b == 0, 1, b))).astype(a.dtype)


def _mod(a: Any, b: Any) -> Any:
    """The sign of b; on integers 0 where b is 0."""
    if a.dtype.kind not in "iu":
        return np.mod(a, b)
    return np.where(b == 0, 0, np.mod(a, np.where(b == 0, 1, b))).astype(a.dtype)


def _pow(a: Any, b: Any) -> Any:
    """Integers: modulo 2^n, and 0 where b is negative."""
    if a.dtype.kind not in "iu":
        return np.power(a, b)
    return np.where(b < 0, 0, np.power(a, np.maximum(b, 0))).astype(a.dtype)


SCALAR_OPS: dict[str, ScalarOp] = {
    op.name: op
    for op in (
        ScalarOp("add", 2, np.add), ScalarOp("sub", 2, np.subtract), ScalarOp("mul", 2, np.multiply),
        ScalarOp("div", 2, _integer_or_float_div, cost=4),  # floats only
        ScalarOp("floordiv", 2, _floordiv, cost=8), ScalarOp("mod", 2, _mod, cost=8),  # Python's sign rule
        ScalarOp("max", 2, np.maximum, cost=2), ScalarOp("min", 2, np.minimum, cost=2),  # NaN propagates
        ScalarOp("pow", 2, _pow, cost=30), ScalarOp("atan2", 2, np.arctan2, cost=30),
        ScalarOp("neg", 1, np.negative), ScalarOp("abs", 1, np.abs), ScalarOp("sign", 1, np.sign, cost=3),
        ScalarOp("exp", 1, np.exp, cost=12), ScalarOp("expm1", 1, np.expm1, cost=16),
        ScalarOp("log", 1, np.log, cost=16), ScalarOp("log1p", 1, np.log1p, cost=18),
        ScalarOp("sqrt", 1, np.sqrt, cost=6), ScalarOp("rsqrt", 1, lambda x: (1 / np.sqrt(x)).astype(x.dtype), cost=8),
        ScalarOp("tanh", 1, np.tanh, cost=18), ScalarOp("sigmoid", 1, _sigmoid, cost=16),
        ScalarOp("erf", 1, _erf, cost=20), ScalarOp("sin", 1, np.sin, cost=20), ScalarOp("cos", 1, np.cos, cost=20),
        ScalarOp("floor", 1, np.floor), ScalarOp("ceil", 1, np.ceil), ScalarOp("round", 1, np.round),  # half to even
        ScalarOp("eq", 2, np.equal, _BOOL), ScalarOp("ne", 2, np.not_equal, _BOOL),
        ScalarOp("lt", 2, np.less, _BOOL), ScalarOp("le", 2, np.less_equal, _BOOL),
        ScalarOp("gt", 2, np.greater, _BOOL), ScalarOp("ge", 2, np.greater_equal, _BOOL),
        ScalarOp("is_nan", 1, np.isnan, _BOOL), ScalarOp("is_finite", 1, np.isfinite, _BOOL),
        ScalarOp("and", 2, np.bitwise_and), ScalarOp("or", 2, np.bitwise_or), ScalarOp("xor", 2, np.bitwise_xor),
        ScalarOp("not", 1, np.invert),
        ScalarOp("shl", 2, np.left_shift), ScalarOp("shr", 2, _shift_right),  # shr: logical on unsigned types
        ScalarOp("select", 3, np.where, _FIRST_OF_REST),
        ScalarOp("cast", 1, lambda x: x, "cast", cost=1),
    )
}
REDUCERS: dict[str, Any] = {"add": np.add, "mul": np.multiply, "max": np.maximum, "min": np.minimum}


def identity(op: str, dtype: DType) -> float | int:
    """What a reducer starts from: the value that changes nothing."""
    if op in ("add", "mul"):
        return 0 if op == "add" else 1
    if dtype.is_float:
        return float("-inf") if op == "max" else float("inf")
    limits = np.iinfo(dtype.numpy)
    return int(limits.min) if op == "max" else int(limits.max)


def apply(fn: str, *args: Expr) -> Apply:
    """Build an application; the result dtype follows the op's rule. Raises TypeError for mixed operand dtypes."""
    op = SCALAR_OPS[fn]
    if len(args) != op.arity:
        raise TypeError(f"{fn} takes {op.arity} arguments, not {len(args)}")
    same = args[1:] if op.result == _FIRST_OF_REST else args
    if any(a.dtype != same[0].dtype for a in same):
        raise TypeError(f"{fn}: operand types differ: {[str(a.dtype) for a in same]}")
    dtype = boolean if op.result == _BOOL else same[0].dtype
    return Apply(fn, args, dtype)


def cast(x: Expr, dtype: DType) -> Expr:
    """The expression in another element type; itself where it has that type already."""
    return x if x.dtype == dtype else Apply("cast", (x,), dtype)


def walk(expr: Expr) -> tuple[Expr, ...]:
    """The expression and all its parts, parents first."""
    return (expr, *expr.inner) if isinstance(expr, Apply) else (expr,)


def loads_in(expr: Expr) -> tuple[Load, ...]:
    """Every load in an expression."""
    return expr.loads if isinstance(expr, Apply) else (expr,) if isinstance(expr, Load) else ()


def vanishing(expr: Expr) -> Iterator[Guard]:
    """Guards, each of which makes the expression 0 where it fails: those of a load, of one in another dtype, or of a factor that is one."""
    if isinstance(expr, Load) and (expr.other is None or expr.other.value == 0):
        yield from expr.guards
    elif isinstance(expr, Apply) and expr.fn == "cast":
        yield from vanishing(expr.args[0])
    elif isinstance(expr, Apply) and expr.fn == "mul":
        for factor in expr.args:
            yield from vanishing(factor)


def rewrite(expr: Expr, change: Callable[[Expr], Expr | None]) -> Expr:
    """Bottom-up replacement: `change` returns a new expression or None to keep."""
    if isinstance(expr, Apply):
        args = tuple([rewrite(a, change) for a in expr.args])
        if any(map(is_not, args, expr.args)):
            expr = Apply(expr.fn, args, expr.dtype)
    replaced = change(expr)
    return expr if replaced is None else replaced
