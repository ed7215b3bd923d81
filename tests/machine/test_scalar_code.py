"""Every word of the scalar language, natively, against its numpy reference: all dtypes, several numbers of lanes."""

from __future__ import annotations

import itertools

import ml_dtypes
import numpy as np
import pytest

from kcompile.codegen.assembly import assembly
from kcompile.codegen.scalar_code import apply, constant
from kcompile.codegen.target import Target
from kcompile.codegen.text_builder import Writer, join
from kcompile.ir.scalar import SCALAR_OPS
from kcompile.ir.types import DTYPES, FLOATS, INTEGERS, DType, bf16, boolean, f16, f32, f64, i8, i32, i64, u8, u32

from .native import loop_text, run

LANES = (1, 4, 16)
FLOAT_ONLY = {"div", "exp", "expm1", "log", "log1p", "sqrt", "rsqrt", "tanh", "sigmoid", "erf", "sin", "cos", "atan2"}
NUMBERS_ONLY = {"sub", "floordiv", "mod", "pow", "neg", "abs", "sign", "floor", "ceil", "round", "is_nan", "is_finite"}
BITS_ONLY = {"and", "or", "xor", "not"}
SHIFTS = {"shl", "shr"}


def meaningful(fn: str, dtype: DType) -> bool:
    if fn in FLOAT_ONLY:
        return dtype.is_float
    if fn in NUMBERS_ONLY:
        return dtype != boolean
    if fn in BITS_ONLY:
        return not dtype.is_float
    return dtype.is_integer if fn in SHIFTS else True


def operands(fn: str, dtype: DType, count: int, rng: np.random.Generator) -> list[np.ndarray]:
    """All pairs of special values, then random ones of several sizes."""
    if dtype == boolean:
        special = [False, True]
        drawn = [rng.integers(0, 2, 60).astype(bool) for _ in range(count)]
    elif dtype.is_float:
        special = [0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 3.5, 7.0, np.inf, -np.inf, np.nan, 1e4, -1e4]
        drawn = [(rng.normal(size=300) * rng.choice([0.1, 1, 10, 100], 300)) for _ in range(count)]
    else:
        limits = np.iinfo(dtype.numpy)
        below = [-1, -2, -7] if dtype.kind == "i" else []
        special = sorted({0, 1, 2, 3, 7, limits.max, limits.max - 1, limits.min, limits.min + 1, *below})
        drawn = [rng.integers(limits.min, limits.max, 300, dtype=dtype.numpy, endpoint=True) for _ in range(count)]
        drawn[-1][::2] = rng.integers(0, 9, 150).astype(dtype.numpy)
    grid = np.array(list(itertools.product(special, repeat=count)), dtype=np.float64 if dtype.is_float else dtype.numpy)
    return [np.concatenate([grid[:, k].astype(dtype.numpy), drawn[k].astype(dtype.numpy)]) for k in range(count)]


CASES = [(fn, d) for fn in SCALAR_OPS if fn not in ("cast", "select") for d in DTYPES.values() if meaningful(fn, d)]


@pytest.mark.parametrize(("fn", "dtype"), CASES, ids=[f"{fn}-{d}" for fn, d in CASES])
def test_against_reference(fn: str, dtype: DType) -> None:
    op = SCALAR_OPS[fn]
    args = operands(fn, dtype, op.arity, np.random.default_rng(1))
    if fn in SHIFTS:
        args[1] = (args[1].astype(np.int64) % (8 * dtype.size)).astype(dtype.numpy)
    if fn == "pow" and dtype.is_integer:
        args[1] = np.where(args[1] > 70, args[1] % 70, args[1]).astype(dtype.numpy)
    result = boolean if op.result == "bool" else dtype
    wide = [a.astype(np.float32) for a in args] if dtype in (f16, bf16) else args
    with np.errstate(all="ignore"):
        if fn in ("floor", "ceil", "round", "is_nan", "is_finite") and not dtype.is_float:
            wanted = {"is_nan": np.zeros, "is_finite": np.ones}[fn](len(args[0]), bool) if fn.startswith("is_") else args[0]
        else:
            wanted = np.asarray(op.reference(*wide)).astype(result.numpy)
    got = {lanes: run(fn, args, [dtype] * op.arity, result, lanes) for lanes in LANES}
    for lanes in LANES:
        compare(got[lanes], wanted, exact=fn not in FLOAT_ONLY | {"pow"} or not dtype.is_float)
        assert np.array_equal(got[lanes], got[LANES[0]], equal_nan=dtype.is_float), f"bits differ at {lanes} lanes"


@pytest.mark.parametrize("dtype", [f32, f64, f16, bf16, i32, i64, u8, boolean], ids=str)
@pytest.mark.parametrize("target", ["avx2", "scalar"])
def test_same_bits_on_lesser_targets(target: str, dtype: DType) -> None:
    """Instruction sets without masks, 64-bit conversions or bfloat16 take other ways to the same numbers."""
    for fn, of in CASES:
        if of != dtype or (target == "scalar" and fn not in ("cast", "pow", "sin", "max", "floordiv")):
            continue
        op = SCALAR_OPS[fn]
        args = operands(fn, dtype, op.arity, np.random.default_rng(1))
        result = boolean if op.result == "bool" else dtype
        lanes = max(1, Target.named(target).lanes(dtype))
        got = run(fn, args, [dtype] * op.arity, result, lanes, Target.named(target))
        assert np.array_equal(got, run(fn, args, [dtype] * op.arity, result, lanes), equal_nan=result.is_float), fn


def test_every_word_can_be_selected_on_neon() -> None:
    """One module with everything: an operation that LLVM cannot select ends the process that tries."""
    texts = [loop_text(fn, [d] * SCALAR_OPS[fn].arity, boolean if SCALAR_OPS[fn].result == "bool" else d, Target.named("neon").lanes(d),
                       f"f{n}") for n, (fn, d) in enumerate(CASES)]
    texts += [loop_text("cast", [a], b, 4, f"c.{a}.{b}") for a in DTYPES.values() for b in DTYPES.values()]
    assert assembly(join(texts), Target.named("neon")).count("ret\n") >= len(texts)


def compare(got: np.ndarray, wanted: np.ndarray, exact: bool) -> None:
    if got.dtype.kind not in "fV":
        assert np.array_equal(got, wanted)
        return
    a, b = got.astype(np.float64), wanted.astype(np.float64)
    close = (a == b) | (np.isnan(a) & np.isnan(b))
    if not exact:
        tolerance = 4 * float(ml_dtypes.finfo(got.dtype).eps)
        tiny = float(ml_dtypes.finfo(got.dtype).tiny)
        with np.errstate(all="ignore"):
            close |= (np.abs(a - b) <= tolerance * np.abs(b)) | ((np.abs(b) < tiny) & (a == 0))
    assert close.all(), [(a[k], b[k]) for k in np.flatnonzero(~close)[:5]]
    zero = (a == 0) & (b == 0) & exact
    assert np.array_equal(np.signbit(a[zero]), np.signbit(b[zero]))


@pytest.mark.parametrize("to", DTYPES.values(), ids=str)
@pytest.mark.parametrize("source", DTYPES.values(), ids=str)
def test_cast(source: DType, to: DType) -> None:
    """As numpy inside the range; outside it and for NaN integers saturate, and NaN is 0."""
    (x,) = operands("cast", source, 1, np.random.default_rng(2))
    with np.errstate(all="ignore"):
        if source.is_float and to.is_integer:
            limits = np.iinfo(to.numpy)
            wide = np.nan_to_num(np.trunc(x.astype(np.float64)), nan=0.0, posinf=np.inf, neginf=-np.inf)
            wanted = np.array([min(max(int(v), limits.min), limits.max) if np.isfinite(v) else
                               limits.max if v > 0 else limits.min for v in wide], dtype=to.numpy)
        elif to == bf16 and source == f64:
            wanted = x.astype(np.longdouble).astype(np.float64).astype(to.numpy)
        else:
            wanted = x.astype(to.numpy)
    for lanes in LANES:
        got = run("cast", [x], [source], to, lanes)
        if to.is_float:
            a, b = got.astype(np.float64), wanted.astype(np.float64)
            assert ((a == b) | (np.isnan(a) & np.isnan(b))).all(), (lanes, a[a != b][:5], b[a != b][:5])
            assert np.array_equal(np.signbit(a)[~np.isnan(a)], np.signbit(b)[~np.isnan(b)])
        else:
            assert np.array_equal(got, wanted), (lanes, got[got != wanted][:5], wanted[got != wanted][:5])


def test_storage_types_round_to_nearest_even() -> None:
    """Every f32 that lies between two neighbours, on the border, and one step beside it."""
    for dtype in (f16, bf16):
        lower = np.arange(0x0400 if dtype == f16 else 0x0080, 0x7B00, dtype=np.uint16).view(dtype.numpy)
        upper = (lower.view(np.uint16) + 1).view(dtype.numpy)
        border = ((lower.astype(np.float64) + upper.astype(np.float64)) / 2).astype(np.float32)
        x = np.concatenate([border, np.nextafter(border, np.float32(0)), np.nextafter(border, np.float32(np.inf))])
        got = run("cast", [x], [f32], dtype, 16)
        assert np.array_equal(got.view(np.uint16), x.astype(dtype.numpy).view(np.uint16))


def test_f64_to_f16_rounds_once() -> None:
    """Just above a border that f32 rounds onto: rounding twice would go down."""
    x = np.array([1 + 2.0**-11 + 2.0**-40, 1 + 2.0**-11, 1 + 3 * 2.0**-11 - 2.0**-40, -(1 + 2.0**-11 + 2.0**-40), 65519.999999, 65520.0])
    for lanes in (1, 8):
        with np.errstate(over="ignore"):
            assert np.array_equal(run("cast", [x], [f64], f16, lanes), x.astype(np.float16))


@pytest.mark.parametrize("dtype", [i32, u8, f32, f16, boolean, i64], ids=str)
def test_select(dtype: DType) -> None:
    rng = np.random.default_rng(3)
    c = rng.integers(0, 2, 50).astype(bool)
    a, b = (rng.integers(0, 2 if dtype == boolean else 100, 50).astype(dtype.numpy) for _ in range(2))
    for lanes in LANES:
        assert np.array_equal(run("select", [c, a, b], [boolean, dtype, dtype], dtype, lanes), np.where(c, a, b))


@pytest.mark.parametrize("dtype", [d for d in INTEGERS if d in (i8, i32, u32, i64)], ids=str)
def test_integer_division_never_traps(dtype: DType) -> None:
    limits = np.iinfo(dtype.numpy)
    a = np.array([5, limits.max, limits.min, 0, limits.min, limits.min], dtype.numpy)
    b = np.array([0, 0, 0, 0, -1 if dtype.kind == "i" else 1, 1], dtype.numpy)
    quotient = [0, 0, 0, 0, limits.min, limits.min]  # the smallest integer by -1 wraps
    for lanes in LANES:
        assert run("floordiv", [a, b], [dtype, dtype], dtype, lanes).tolist() == quotient
        assert run("mod", [a, b], [dtype, dtype], dtype, lanes).tolist() == [0] * 6


@pytest.mark.parametrize("fn", ["shl", "shr"])
def test_shifts_past_the_width(fn: str) -> None:
    for dtype in (i32, u32, i8, u8, i64):
        bits = 8 * dtype.size
        a = np.array([-5 if dtype.kind == "i" else 200, 77, -1 if dtype.kind == "i" else 255], dtype.numpy)
        fill = [-1, 0, -1] if fn == "shr" and dtype.kind == "i" else [0, 0, 0]
        for count in (bits, bits + 1, 100):
            assert run(fn, [a, np.full(3, count, dtype.numpy)], [dtype, dtype], dtype, 4).tolist() == fill


@pytest.mark.parametrize("fn", ["max", "min"])
@pytest.mark.parametrize("other", [0.0, -1.5, float("inf"), float("nan")])
def test_extremum_with_a_constant_keeps_nan(fn: str, other: float) -> None:
    for left in (True, False):
        w = Writer()
        c = constant(f32, other, 8)
        apply(w, fn, [c, "%x"] if left else ["%x", c], [f32, f32], f32, 8)
        if other == other:
            assert len(w.lines) == 2, "one compare and one select where the constant is a number"


def test_meaningless_dtypes_are_refused() -> None:
    for fn, dtype in (("exp", i32), ("neg", boolean), ("and", f32), ("shl", f64), ("sub", boolean)):
        with pytest.raises(TypeError, match=f"is not defined for {dtype}"):
            apply(Writer(), fn, ["%a"] * SCALAR_OPS[fn].arity, [dtype] * SCALAR_OPS[fn].arity, dtype, 4)
    assert FLOATS
