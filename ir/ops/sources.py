"""Primitives that begin a graph: what is given, constants, counters, random bits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NoReturn

import numpy as np

from ..kernel import Eq, Kernel
from ..op import Attrs, NoGradient, Op, OpaqueKernel, register
from ..scalar import Aff, AxisValue, Const, Expr, apply
from ..types import DimLike, DType, TensorType, f32, f64, i32, i64, parse_type, u32
from . import check
from .describe import axes_of, axis_names, described, let, load, mapped, number, operands, plain, position, ref, row_major, store
from .family import Array, Types, of

_SOURCE = NoGradient("a source has no operand")


def _given(name: str) -> Any:
    def reference(*arrays: Array, **attrs: Any) -> NoReturn:
        raise TypeError(f"{name}: its value is given by the caller, not computed")
    return reference


def _stated_type(name: str) -> Any:
    def infer(types: Types, attrs: Attrs) -> Types:
        check.arity(name, types, 0)
        if not isinstance(attrs["type"], TensorType):
            check.reject(name, "a tensor type", attrs["type"])
        return (attrs["type"],)
    return infer


param = register(Op(
    name="param",
    doc="A value that the caller gives at each call.",
    infer=_stated_type("param"), reference=_given("param"), vjp=_SOURCE, kernel=OpaqueKernel("an array of the caller's"),
    samples=(),
))

state = register(Op(
    name="state",
    doc="The value that a state has when the call begins; `path` names it, `role` says what it is for.",
    infer=_stated_type("state"), reference=_given("state"), vjp=_SOURCE, kernel=OpaqueKernel("an array that lives between calls"),
    samples=(),
))


# -- constant ---------------------------------------------------------------------------------------------------
DENSE_LIMIT = 1024  # elements of a dense constant: each is a store of its own


def _constant_infer(types: Types, attrs: Attrs) -> Types:
    (type,) = _stated_type("constant")(types, attrs)
    if isinstance(attrs["value"], tuple) and np.shape(attrs["value"]) != type.shape:
        check.reject("constant", f"one number or an array of shape {list(type.shape)}", f"shape {list(np.shape(attrs['value']))}")
    if isinstance(attrs["value"], tuple) and np.size(attrs["value"]) > DENSE_LIMIT:
        check.reject("constant", f"at most {DENSE_LIMIT} elements (a state of role constant holds more)", type)
    return (type,)


def _constant_reference(value: Any, type: TensorType) -> Array:
    shape: Any = type.shape
    with np.errstate(over="ignore"):
        return np.broadcast_to(np.asarray(value).astype(type.dtype.numpy), shape)


def _elements(value: Any, index: tuple[int, ...] = ()) -> Iterator[tuple[tuple[int, ...], Any]]:
    if isinstance(value, tuple):
        for n, part in enumerate(value):
            yield from _elements(part, (*index, n))
    else:
        yield index, value


def _constant_kernel(inputs: Types, outputs: Types, attrs: Attrs) -> Sequence[Kernel]:
    (type,) = outputs
    arrays = operands(inputs, outputs)
    if not isinstance(attrs["value"], tuple):
        return [mapped("constant", arrays, "out0", type.shape, plain(axis_names(type.rank)), number(attrs["value"], type.dtype))]
    equations = [store(arrays, "out0", tuple(Aff.of(n) for n in index), number(value, type.dtype), ())
                 for index, value in _elements(attrs["value"])]
    return [described("constant", {}, arrays, equations)]


constant = register(Op(
    name="constant",
    doc="A number repeated to any shape, or a small dense array as nested tuples (one store an element).",
    infer=_constant_infer,
    reference=_constant_reference,
    vjp=_SOURCE,
    kernel=_constant_kernel,
    samples=(of(attrs={"value": 1.5, "type": parse_type("f32[B, 17]")}), of(attrs={"value": 3, "type": parse_type("i64[]")}),
             of(attrs={"value": True, "type": parse_type("bool[16]")}), of(attrs={"value": -0.5, "type": parse_type("bf16[15]")}),
             of(attrs={"value": ((1.0, 2.0, 3.0), (4.0, 5.0, 6.0)), "type": parse_type("f32[2, 3]")})),
))


# -- iota, dim_size ---------------------------------------------------------------------------------------------
def _iota_infer(types: Types, attrs: Attrs) -> Types:
    check.arity("iota", types, 0)
    type = TensorType(check.extents("iota", attrs["shape"]), attrs["dtype"])
    check.element_type("iota", type, check.NUMBERS)
    check.axis_in_range("iota", attrs["axis"], type)
    return (type,)


def _iota_reference(shape: tuple[int, ...], axis: int, dtype: DType) -> Array:
    column = np.arange(shape[axis]).reshape([-1 if n == axis else 1 for n in range(len(shape))])
    return np.array(np.broadcast_to(column, shape)).astype(dtype.numpy)


def _iota_kernel(inputs: Types, outputs: Types, attrs: Attrs) -> Sequence[Kernel]:
    (type,) = outputs
    index = plain(axis_names(type.rank))
    value = position(index[attrs["axis"]], type.dtype, type.shape[attrs["axis"]])
    return [mapped("iota", operands(inputs, outputs), "out0", type.shape, index, value)]


_B = parse_type("f32[B]").shape[0]

iota = register(Op(
    name="iota",
    doc="Each element is its own position along `axis`.",
    infer=_iota_infer,
    reference=_iota_reference,
    vjp=_SOURCE,
    kernel=_iota_kernel,
    samples=(of(attrs={"shape": (_B, 17), "axis": 1, "dtype": i32}), of(attrs={"shape": (_B, 16), "axis": 0, "dtype": f32}),
             of(attrs={"shape": (15,), "axis": 0, "dtype": i64}), of(attrs={"shape": (2, _B), "axis": 1, "dtype": f64})),
))


def _dim_size_infer(types: Types, attrs: Attrs) -> Types:
    check.arity("dim_size", types, 0)
    type = TensorType((), attrs["dtype"])
    check.element_type("dim_size", type, check.NUMBERS)
    check.extents("dim_size", (attrs["dim"],))
    return (type,)


def _dim_size_kernel(inputs: Types, outputs: Types, attrs: Attrs) -> Sequence[Kernel]:
    dim: DimLike = attrs["dim"]
    value = position(Aff((), dim), outputs[0].dtype, dim)
    return [mapped("dim_size", operands(inputs, outputs), "out0", (), (), value)]


dim_size = register(Op(
    name="dim_size",
    doc="A scalar: the extent of a dimension, such as the batch.",
    infer=_dim_size_infer,
    reference=lambda dim, dtype: np.asarray(dim, dtype.numpy),
    vjp=_SOURCE,
    kernel=_dim_size_kernel,
    samples=(of(attrs={"dim": _B, "dtype": i64}), of(attrs={"dim": 3 * _B + 1, "dtype": f32}), of(attrs={"dim": 5, "dtype": i32})),
))


# -- random_bits ------------------------------------------------------------------------------------------------
# bits = mix(mix(n + key[0]) ^ (key[0] * SPREAD + key[1])): a counter-based generator. `mix` is a bijection of 32 bits in
# which each input bit flips each output bit half of the time (two multiplications, three folds). key[0] enters twice, so that
# the streams of keys that differ by a small number are not shifted copies of each other.
SPREAD = 0x9E3779B1
ROUNDS = ((16, 0x7FEB352D), (15, 0x846CA68B))
LAST_SHIFT = 16
BLOCK = 1 << 14  # numbers that numpy makes at a time, so that they stay in the cache


def _mix(h: Array) -> None:
    """In place: what takes time here is memory."""
    shifted = np.empty_like(h)
    for shift, factor in ROUNDS:
        np.right_shift(h, np.uint32(shift), out=shifted)
        h ^= shifted
        h *= np.uint32(factor)
    np.right_shift(h, np.uint32(LAST_SHIFT), out=shifted)
    h ^= shifted


def _random_reference(key: Array, shape: tuple[int, ...]) -> Array:
    count = int(np.prod(shape, dtype=np.int64))
    bits = np.empty(count, np.uint32)
    with np.errstate(over="ignore"):
        second = key[0] * np.uint32(SPREAD) + key[1]
        for start in range(0, count, BLOCK):
            part = bits[start:start + BLOCK]
            part[...] = np.arange(start, start + len(part))
            part += key[0]
            _mix(part)
            part ^= second
            _mix(part)
    return bits.reshape(shape)


class _Mixer:
    """Writes each step of the mixing as a `let`, since every step uses the one before twice."""

    def __init__(self, free: Iterable[str]) -> None:
        self.free = tuple(free)
        self.equations: list[Eq] = []

    def named(self, expr: Expr) -> Expr:
        self.equations.append(let(f"h{len(self.equations)}", expr, self.free))
        return ref(self.equations[-1])

    def mix(self, h: Expr) -> Expr:
        for shift, factor in ROUNDS:
            h = self.named(h)
            h = apply("mul", apply("xor", h, apply("shr", h, Const(shift, u32))), Const(factor, u32))
        h = self.named(h)
        return apply("xor", h, apply("shr", h, Const(LAST_SHIFT, u32)))


def _random_infer(types: Types, attrs: Attrs) -> Types:
    check.arity("random_bits", types, 1)
    if types[0] != TensorType((2,), u32):
        check.reject("random_bits", "a key u32[2]", types[0])
    return (TensorType(check.extents("random_bits", attrs["shape"]), u32),)


def _random_kernel(inputs: Types, outputs: Types, attrs: Attrs) -> Sequence[Kernel]:
    arrays = operands(inputs, outputs)
    shape = outputs[0].shape
    index = plain(axes_of(shape))
    first, second = (load(arrays, "in0", (Aff.of(n),)) for n in range(2))
    axes = axes_of(shape)
    mixer = _Mixer(axes)
    injected = apply("add", apply("mul", first, Const(SPREAD, u32)), second)
    bits = mixer.mix(apply("xor", mixer.mix(apply("add", AxisValue(row_major(index, shape), u32), first)), injected))
    return [described("random_bits", axes, arrays, (*mixer.equations, store(arrays, "out0", index, bits, axes)))]


random_bits = register(Op(
    name="random_bits",
    doc="32 random bits an element, a function of the key (u32[2]) and of the element's number in row-major order alone: the "
        "same in numpy, in native code, and for any number of threads.",
    infer=_random_infer,
    reference=_random_reference,
    vjp=NoGradient("bits have no gradient"),
    kernel=_random_kernel,
    samples=tuple(of("u32[2]", attrs={"shape": shape}, integer_high=2**32) for shape in ((_B, 17), (16,), (), (2, _B, 5))),
))
