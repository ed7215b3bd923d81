"""Types of values: symbolic dimensions, element types, tensor types.

    >>> B = Dim.symbol("B")
    >>> str(TensorType((B, 784), f32))
    'f32[B, 784]'
    >>> str(2 * B + 1)
    '2*B+1'
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Union

import numpy as np

from kcompile.common.lazy import lazy
from kcompile.common.struct import struct

Monomial = tuple[str, ...]  # the sorted names of the symbols that are multiplied; () is the constant term


class DimError(TypeError):
    """Arithmetic on symbolic dimensions that has no single answer."""


@struct(frozen=True)
class Dim:
    """A polynomial with integer coefficients in named symbols. Always symbolic: constants are plain ints."""

    terms: tuple[tuple[Monomial, int], ...]

    @staticmethod
    def symbol(name: str) -> Dim:
        return Dim((((name,), 1),))

    @property
    def symbols(self) -> frozenset[str]:
        return frozenset(name for monomial, _ in self.terms for name in monomial)

    def __add__(self, other: DimLike) -> DimLike:
        if not isinstance(other, (int, np.integer, Dim)):
            return NotImplemented
        total = dict(self.terms)
        for monomial, factor in _terms(other):
            total[monomial] = total.get(monomial, 0) + factor
        return _dim(total)

    def __mul__(self, other: DimLike) -> DimLike:
        if other.__class__ is int and other:  # by far the most frequent: the monomials and their order stay
            return Dim(tuple([(monomial, factor * other) for monomial, factor in self.terms])) if other != 1 else self
        if not isinstance(other, (int, np.integer, Dim)):
            return NotImplemented
        total: dict[Monomial, int] = {}
        for m1, f1 in self.terms:
            for m2, f2 in _terms(other):
                key = tuple(sorted(m1 + m2))
                total[key] = total.get(key, 0) + f1 * f2
        return _dim(total)

    def __neg__(self) -> DimLike:
        return self * -1

    def __sub__(self, other: DimLike) -> DimLike:
        return self + (-1 * other)

    def __rsub__(self, other: int) -> DimLike:
        return -1 * self + other

    __radd__ = __add__
    __rmul__ = __mul__

    def __floordiv__(self, other: DimLike) -> DimLike:
        """Exact division; anything else is a DimError naming both sides."""
        quotient = _exact_quotient(self, other)
        if quotient is None:
            raise DimError(f"cannot divide dimension {self} by {other} exactly")
        return quotient

    def __rfloordiv__(self, other: int) -> DimLike:
        raise DimError(f"cannot divide dimension {other} by {self} exactly")

    def __mod__(self, other: DimLike) -> int:
        if _exact_quotient(self, other) is None:
            raise DimError(f"the remainder of dimension {self} by {other} is not known")
        return 0

    def _ordered(self, other: object, sign: str) -> bool:
        raise DimError(f"whether dimension {self} {sign} {other} is not known at compile time")

    def __lt__(self, other: object) -> bool:
        return self._ordered(other, "<")

    def __le__(self, other: object) -> bool:
        return self._ordered(other, "<=")

    def __gt__(self, other: object) -> bool:
        return self._ordered(other, ">")

    def __ge__(self, other: object) -> bool:
        return self._ordered(other, ">=")

    def __bool__(self) -> bool:
        return True

    def evaluate(self, bindings: Mapping[str, int]) -> int:
        total = 0
        for monomial, factor in self.terms:
            for name in monomial:
                factor *= bindings[name]
            total += factor
        return total

    def substitute(self, bindings: Mapping[str, DimLike]) -> DimLike:
        total: DimLike = 0
        for monomial, factor in self.terms:
            product: DimLike = factor
            for name in monomial:
                product = product * bindings.get(name, Dim.symbol(name))
            total = total + product
        return total

    def __str__(self) -> str:
        parts = []
        for monomial, factor in self.terms:
            body = "*".join(monomial)
            if not monomial:
                parts.append(str(factor))
            else:
                parts.append(body if factor == 1 else f"-{body}" if factor == -1 else f"{factor}*{body}")
        return "+".join(parts).replace("+-", "-")

    __repr__ = __str__


DimLike = Union[int, Dim]
Shape = tuple[DimLike, ...]


def _terms(dim: DimLike) -> Iterable[tuple[Monomial, int]]:
    return dim.terms if isinstance(dim, Dim) else (((), int(dim)),)


def _dim(terms: Mapping[Monomial, int]) -> DimLike:
    kept = tuple(sorted(((m, f) for m, f in terms.items() if f), key=lambda t: (-len(t[0]), t[0])))
    if not kept:
        return 0
    if len(kept) == 1 and kept[0][0] == ():
        return kept[0][1]
    return Dim(kept)


def _exact_quotient(a: DimLike, b: DimLike) -> DimLike | None:
    if isinstance(a, int) and isinstance(b, int):
        return a // b if b and a % b == 0 else None
    if a == b:
        return 1
    divisor = list(_terms(b))
    if len(divisor) != 1:
        return None
    monomial, factor = divisor[0]
    out: dict[Monomial, int] = {}
    for m, f in _terms(a):
        rest = list(m)
        for name in monomial:
            if name not in rest:
                return None
            rest.remove(name)
        if not factor or f % factor:
            return None
        out[tuple(rest)] = f // factor
    return _dim(out)


def is_static(dim: DimLike) -> bool:
    """Whether the dim is a plain number."""
    return not isinstance(dim, Dim)


def product(dims: Iterable[DimLike]) -> DimLike:
    """The product of the dims: a number if all are numbers; 1 for none."""
    total: DimLike = 1
    for dim in dims:
        total = total * dim
    return total


def evaluate_dim(dim: DimLike, bindings: Mapping[str, int]) -> int:
    """The number that the dim is for these symbol values. Raises what Dim.evaluate raises."""
    return dim.evaluate(bindings) if isinstance(dim, Dim) else int(dim)


def substitute_dim(dim: DimLike, bindings: Mapping[str, DimLike]) -> DimLike:
    """The dim with symbols replaced; those not in `bindings` stay."""
    return dim.substitute(bindings) if isinstance(dim, Dim) else dim


def dim_symbols(dim: DimLike) -> frozenset[str]:
    """The symbols that the dim depends on."""
    return dim.symbols if isinstance(dim, Dim) else frozenset()


_TERM = re.compile(r"\s*([+-]?)\s*([^+-]+)")


def parse_dim(text: str) -> DimLike:
    """The inverse of str(): '2*B+1' -> Dim, '7' -> 7. Raises ValueError."""
    total: DimLike = 0
    position = 0
    while position < len(text.rstrip()):
        match = _TERM.match(text, position)
        if not match:
            raise ValueError(f"not a dimension: {text!r}")
        term: DimLike = -1 if match[1] == "-" else 1
        for factor in match[2].strip().split("*"):
            factor = factor.strip()
            if factor.isdigit():
                term = term * int(factor)
            elif factor.isidentifier():
                term = term * Dim.symbol(factor)
            else:
                raise ValueError(f"not a dimension: {text!r}")
        total = total + term
        position = match.end()
    if position == 0:
        raise ValueError("an empty dimension")
    return total


@struct(frozen=True)
class DType:
    """An element type. `name` is the short form used in texts, `long_name` what Keras and numpy call it: 'float32'."""

    name: str
    long_name: str
    kind: str  # "f" float, "i" signed, "u" unsigned, "b" bool
    size: int  # bytes an element

    @lazy
    def numpy(self) -> np.dtype:
        """The numpy dtype. ml_dtypes' for bf16 alone, and only when it is asked for: its import takes a second in some of its versions."""
        if self.name == "bf16":
            import ml_dtypes
            dtype: np.dtype = np.dtype(ml_dtypes.bfloat16)
        else:
            dtype = np.dtype(self.long_name)
        return dtype

    @property
    def limits(self) -> Any:
        """Of a float or an integer: numpy's finfo or iinfo, with `min` and `max`, of a float also `eps`. Raises ValueError for booleans."""
        if self.name == "bf16":
            import ml_dtypes
            return ml_dtypes.finfo(self.numpy)  # type: ignore[no-untyped-call]
        return np.finfo(self.numpy) if self.is_float else np.iinfo(self.numpy)

    @property
    def is_float(self) -> bool:
        return self.kind == "f"

    @property
    def is_integer(self) -> bool:
        return self.kind in "iu"

    __eq__, __hash__ = object.__eq__, object.__hash__  # there is one of each

    def __reduce__(self) -> Any:
        return _dtype_named, (self.name,)

    def __str__(self) -> str:
        return self.name

    __repr__ = __str__


f16 = DType("f16", "float16", "f", 2)
bf16 = DType("bf16", "bfloat16", "f", 2)
f32 = DType("f32", "float32", "f", 4)
f64 = DType("f64", "float64", "f", 8)
i8 = DType("i8", "int8", "i", 1)
i16 = DType("i16", "int16", "i", 2)
i32 = DType("i32", "int32", "i", 4)
i64 = DType("i64", "int64", "i", 8)
u8 = DType("u8", "uint8", "u", 1)
u16 = DType("u16", "uint16", "u", 2)
u32 = DType("u32", "uint32", "u", 4)
u64 = DType("u64", "uint64", "u", 8)
boolean = DType("bool", "bool", "b", 1)

DTYPES: dict[str, DType] = {
    d.name: d for d in (f16, bf16, f32, f64, i8, i16, i32, i64, u8, u16, u32, u64, boolean)
}
_BY_NUMPY = {d.numpy: d for d in DTYPES.values() if d is not bf16}
FLOATS = (f16, bf16, f32, f64)
INTEGERS = (i8, i16, i32, i64, u8, u16, u32, u64)


def _dtype_named(name: str) -> DType:
    """What copies and pickles have in place of one."""
    return DTYPES[name]


def dtype_of(spec: object) -> DType:
    """A DType from a DType, a short or long name, a numpy dtype or an array. Raises TypeError."""
    if isinstance(spec, DType):
        return spec
    if isinstance(spec, str) and spec in DTYPES:
        return DTYPES[spec]
    if isinstance(spec, str) and spec == "bfloat16":
        return bf16
    try:
        found = np.dtype(getattr(spec, "dtype", spec))  # type: ignore[call-overload]
        return bf16 if found.name == "bfloat16" else _BY_NUMPY[found]
    except (TypeError, KeyError):
        raise TypeError(f"not an element type that can be compiled: {spec!r}") from None


@struct(frozen=True)
class TensorType:
    """Shape and element type of one value."""

    shape: Shape
    dtype: DType

    @property
    def rank(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> DimLike:
        """Number of elements."""
        return product(self.shape)

    @property
    def symbols(self) -> frozenset[str]:
        return frozenset().union(*(dim_symbols(d) for d in self.shape))

    def with_dtype(self, dtype: DType) -> TensorType:
        return TensorType(self.shape, dtype)

    def with_shape(self, shape: Sequence[DimLike]) -> TensorType:
        return TensorType(tuple(shape), self.dtype)

    def __str__(self) -> str:
        return f"{self.dtype}[{', '.join(map(str, self.shape))}]"

    __repr__ = __str__


_TYPE = re.compile(r"\s*([a-z]+\d*)\[(.*)\]\s*$")


@functools.lru_cache(maxsize=1024)  # the samples of the ops alone parse a thousand
def parse_type(text: str) -> TensorType:
    """The inverse of str(): 'f32[B, 784]'. Raises ValueError."""
    match = _TYPE.match(text)
    if not match or match[1] not in DTYPES:
        raise ValueError(f"not a type: {text!r}")
    dims = match[2].split(",") if match[2].strip() else []
    return TensorType(tuple(parse_dim(part) for part in dims), DTYPES[match[1]])
