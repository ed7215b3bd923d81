"""Every one of the 2^32 float32 inputs of the elementary functions, native against float64: the worst error of each, in ULP.

    python -m tests.machine.exhaustive                          all functions, avx512, avx2 and scalar; hours on a busy machine
    python -m tests.machine.exhaustive exp tanh --stride 2003   every 2003rd bit pattern only
    python -m tests.machine.exhaustive --check-reference 3000   the float64 reference itself, against mpmath

Code runs in the float mode of a training step: subnormals are taken for zero, and flushed to zero. An error is
|result - exact| in units in the last place of float32 at the exact value. NaN, infinities, and the signs of exact zeros
must be those of the exact value; anything else counts as infinite. A subnormal result may be 0, a subnormal argument may
count as a zero of its sign. The exact value is our own float64 function, which is several times faster than numpy's; on
every 61st block it must agree with numpy's and scipy's to 2^-45, and --check-reference compares those with mpmath. The
figures are in docs/accuracy.md.
"""

from __future__ import annotations

import argparse
import ctypes
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from kcompile.codegen.module import Loaded, object_code
from kcompile.codegen.runtime.system import PROCESSORS
from kcompile.codegen.target import Target
from kcompile.codegen.text_builder import join
from kcompile.ir.types import f32, f64

from .native import loop_text

_MEMCMP = ctypes.CDLL(None).memcmp
_MEMCMP.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t]
BLOCK = 1 << 15  # the float64 arrays of a block stay in the second-level cache
SIGN = 0x80000000
SMALLEST_NORMAL = 0x00800000
RUNNABLE = ("avx512", "avx2", "scalar")
_NANS = np.full(BLOCK, np.nan)

_IN_MODE = """
define void @run(ptr %out, ptr %in, i64 %n) {
  %mode = call i64 @kc.enter_float_mode()
  call void @loop(ptr %out, ptr %in, i64 %n)
  call void @kc.leave_float_mode(i64 %mode)
  ret void
}
"""

# errors(out f64[2], got f32, exact f64, n): the largest error and how many are above one half; see the module's text. Native,
# because numpy takes twenty passes over memory for it.
_ERRORS = """
declare <8 x double> @llvm.fabs.v8f64(<8 x double>)
declare <8 x i64> @llvm.umax.v8i64(<8 x i64>, <8 x i64>)
declare double @llvm.vector.reduce.fmax.v8f64(<8 x double>)
declare i64 @llvm.vector.reduce.add.v8i64(<8 x i64>)
define void @errors(ptr %out, ptr %got, ptr %exact, i64 %n) {
entry:
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %next, %loop ]
  %most = phi <8 x double> [ zeroinitializer, %entry ], [ %more.most, %loop ]
  %count = phi <8 x i64> [ zeroinitializer, %entry ], [ %more.count, %loop ]
  %got.place = getelementptr float, ptr %got, i64 %i
  %exact.place = getelementptr double, ptr %exact, i64 %i
  %g = load <8 x float>, ptr %got.place, align 4
  %e = load <8 x double>, ptr %exact.place, align 8
  %wide = fpext <8 x float> %g to <8 x double>
  %difference = fsub <8 x double> %wide, %e
  %distance = call <8 x double> @llvm.fabs.v8f64(<8 x double> %difference)
  %e.bits = bitcast <8 x double> %e to <8 x i64>
  %e.exponent = and <8 x i64> %e.bits, splat (i64 9218868437227405312)
  %exponent = call <8 x i64> @llvm.umax.v8i64(<8 x i64> %e.exponent, <8 x i64> splat (i64 4039728865751334912))
  %scale.bits = sub <8 x i64> splat (i64 9317947629029556224), %exponent
  %scale = bitcast <8 x i64> %scale.bits to <8 x double>
  %ulps = fmul <8 x double> %distance, %scale
  %rounded = fptrunc <8 x double> %e to <8 x float>
  %rounded.wide = fpext <8 x float> %rounded to <8 x double>
  %got.size = call <8 x double> @llvm.fabs.v8f64(<8 x double> %wide)
  %rounded.size = call <8 x double> @llvm.fabs.v8f64(<8 x double> %rounded.wide)
  %got.finite = fcmp olt <8 x double> %got.size, splat (double 0x7FF0000000000000)
  %rounded.finite = fcmp olt <8 x double> %rounded.size, splat (double 0x7FF0000000000000)
  %finite = and <8 x i1> %got.finite, %rounded.finite
  %equal = fcmp oeq <8 x double> %wide, %rounded.wide
  %got.nan = fcmp uno <8 x double> %wide, %wide
  %rounded.nan = fcmp uno <8 x double> %rounded.wide, %rounded.wide
  %nans = and <8 x i1> %got.nan, %rounded.nan
  %same = or <8 x i1> %equal, %nans
  %special = select <8 x i1> %same, <8 x double> zeroinitializer, <8 x double> splat (double 0x7FF0000000000000)
  %measured = select <8 x i1> %finite, <8 x double> %ulps, <8 x double> %special
  %g.bits = bitcast <8 x double> %wide to <8 x i64>
  %signs = xor <8 x i64> %g.bits, %e.bits
  %signs.differ = icmp slt <8 x i64> %signs, zeroinitializer
  %is.zero = fcmp oeq <8 x double> %e, zeroinitializer
  %wrong.zero = and <8 x i1> %is.zero, %signs.differ
  %signed = select <8 x i1> %wrong.zero, <8 x double> splat (double 0x7FF0000000000000), <8 x double> %measured
  %e.size = call <8 x double> @llvm.fabs.v8f64(<8 x double> %e)
  %tiny = fcmp olt <8 x double> %e.size, splat (double 0x3810000000000000)
  %got.zero = fcmp oeq <8 x double> %wide, zeroinitializer
  %not.zero = xor <8 x i1> %is.zero, splat (i1 true)
  %flush = and <8 x i1> %tiny, %got.zero
  %flushed = and <8 x i1> %flush, %not.zero
  %error = select <8 x i1> %flushed, <8 x double> zeroinitializer, <8 x double> %signed
  %larger = fcmp ugt <8 x double> %error, %most
  %more.most = select <8 x i1> %larger, <8 x double> %error, <8 x double> %most
  %above = fcmp ugt <8 x double> %error, splat (double 0x3FE0000000000000)
  %one = zext <8 x i1> %above to <8 x i64>
  %more.count = add <8 x i64> %count, %one
  %next = add i64 %i, 8
  %more = icmp ult i64 %next, %n
  br i1 %more, label %loop, label %done
done:
  %largest = call double @llvm.vector.reduce.fmax.v8f64(<8 x double> %more.most)
  store double %largest, ptr %out, align 8
  %all = call i64 @llvm.vector.reduce.add.v8i64(<8 x i64> %more.count)
  %count.place = getelementptr i64, ptr %out, i64 1
  store i64 %all, ptr %count.place, align 8
  ret void
}
"""


def _erf(x: Any) -> Any:
    from scipy.special import erf
    return erf(x)


@dataclass(frozen=True)
class Function:
    """`exact` in float64; `parity` 1 for even, -1 for odd functions; `positive`: NaN below zero; `bar`: what is to be reached."""

    exact: Callable[[Any], Any]
    parity: int = 0
    positive: bool = False
    bar: float | None = None


FUNCTIONS: dict[str, Function] = {
    "exp": Function(np.exp, bar=2),
    "log": Function(np.log, positive=True, bar=1),
    "tanh": Function(np.tanh, parity=-1, bar=2),
    "sigmoid": Function(lambda x: 1 / (1 + np.exp(-x)), bar=2),
    "erf": Function(_erf, parity=-1, bar=2),
    "sqrt": Function(np.sqrt, positive=True, bar=0.5),
    "rsqrt": Function(lambda x: 1 / np.sqrt(x), positive=True),
    "sin": Function(np.sin, parity=-1),
    "cos": Function(np.cos, parity=1),
}


class Native:
    """One function for one target, and the measure of errors."""

    def __init__(self, name: str, target: Target) -> None:
        text = join([loop_text(name, [f32], f32, target.lanes(f32)), PROCESSORS["x86_64"].definitions, _IN_MODE])
        self.loaded = Loaded([object_code(text, target)], ["run"])
        self.call = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)(self.loaded.addresses["run"])

    def __call__(self, x: Any) -> Any:
        out = np.empty_like(x)
        self.call(out.ctypes.data, x.ctypes.data, len(x))
        return out


class Reference:
    """The function in float64; every CHECKED-th call is compared with numpy's or scipy's."""

    CHECKED = 61

    def __init__(self, name: str) -> None:
        self.name, self.calls = name, 0
        target = Target.host()
        self.loaded = Loaded([object_code(loop_text(name, [f64], f64, target.lanes(f64)), target)], ["loop"])
        self.call = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)(self.loaded.addresses["loop"])

    def __call__(self, x: Any) -> Any:
        out = np.empty(len(x))
        self.call(out.ctypes.data, x.ctypes.data, len(x))
        if self.calls % self.CHECKED == 0:
            other = FUNCTIONS[self.name].exact(x)
            same = (out == other) | (np.isnan(out) & np.isnan(other)) | (np.abs(out - other) <= 2.0**-45 * np.abs(other))
            assert np.all(same | (np.abs(other) < 2.0**-150)), f"the references of {self.name} disagree at {x[np.argmin(same)]!r}"
        self.calls += 1
        return out


class Measure:
    """The largest error in ULP, and how many results are not the nearest float32."""

    def __init__(self) -> None:
        self.loaded = Loaded([object_code(_ERRORS, Target.host())], ["errors"])
        self.call = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 3, ctypes.c_int64)(self.loaded.addresses["errors"])
        self.out = np.empty(2, np.float64)

    def __call__(self, got: Any, exact: Any) -> tuple[float, int]:
        self.call(self.out.ctypes.data, got.ctypes.data, exact.ctypes.data, len(got))
        return float(self.out[0]), int(self.out.view(np.int64)[1])

    def place(self, got: Any, exact: Any, wanted: float) -> int:
        """Where an error of that size is: by halves of eights."""
        low, high = 0, len(got)
        while high - low > 8:
            middle = low + (high - low) // 16 * 8
            middle = middle if middle > low else low + 8
            if self(got[low:middle], exact[low:middle])[0] == wanted:
                high = middle
            else:
                low = middle
        return low + next(n for n in range(high - low)
                          if self(np.repeat(got[low + n:low + n + 1], 8), np.repeat(exact[low + n:low + n + 1], 8))[0] == wanted)


@dataclass
class Worst:
    """The largest error so far, its argument's bits, and how many results were not the nearest float32."""

    ulps: float = -1.0
    bits: int = 0
    points: int = 0
    not_nearest: int = 0

    @property
    def argument(self) -> float:
        return float(np.array([self.bits], np.uint32).view(np.float32)[0])


def blocks(stride: int) -> Iterator[Any]:
    """All bit patterns of non-negative floats, NaNs included, or every stride-th of them; a multiple of 32 at a time, so that no
    block has both subnormal numbers and others."""
    if stride == 1:
        for first in range(0, SIGN, BLOCK):
            yield np.arange(first, first + BLOCK, dtype=np.uint32)
        return
    for low, high in ((0, SMALLEST_NORMAL), (SMALLEST_NORMAL, SIGN)):
        patterns = np.arange(low, high, stride, dtype=np.uint32)
        for start in range(0, len(patterns), BLOCK):
            yield _padded(patterns[start:start + BLOCK])


def edges() -> Iterator[Any]:
    """Both sides of every power of two, of zero and of infinity."""
    near = (np.arange(0, 257, dtype=np.int64)[:, None] * SMALLEST_NORMAL + np.arange(-16, 16)[None, :]).ravel()
    near = np.unique(near[(near >= 0) & (near < SIGN)]).astype(np.uint32)
    yield _padded(near[near < SMALLEST_NORMAL])
    yield _padded(near[near >= SMALLEST_NORMAL])


def _padded(patterns: Any) -> Any:
    return np.concatenate([patterns, np.repeat(patterns[-1:], -len(patterns) % 32)])


def sweep(name: str, reference: Reference, natives: dict[str, Native], measure: Measure, patterns: Any, worst: dict[str, Worst]) -> None:
    """Enter the errors of one block of non-negative patterns, and of the same with the sign bit, into `worst`."""
    function = FUNCTIONS[name]
    subnormal = 0 < patterns[-1] < SMALLEST_NORMAL
    exact_positive: Any = None
    for sign in (0, SIGN):
        signed = patterns | np.uint32(sign)
        x = signed.view(np.float32)
        with np.errstate(all="ignore"):
            if sign and function.parity:
                exact = exact_positive * function.parity
            elif sign and function.positive and patterns[0]:
                exact = _NANS[:len(x)]
            else:
                exact = reference(x.astype(np.float64))
            exact_positive = exact
            of_zero = reference(np.copysign(np.zeros(len(x)), x.astype(np.float64))) if subnormal else None
            if of_zero is not None:
                exact = _nearer(natives, x, exact, of_zero, patterns)
        known: list[tuple[Any, float, int, int]] = []
        for target, native in natives.items():
            got = native(x)
            entry = worst[target]
            found = next((k for k in known if _same_bits(k[0], got)), None)
            if found is None:
                largest, count = measure(got, exact)
                place = measure.place(got, exact, largest) if largest > entry.ulps else 0
                found = got, largest, count, place
                known.append(found)
            _, largest, count, place = found
            if largest > entry.ulps:
                entry.ulps, entry.bits = largest, int(signed[place])
            entry.points += len(x)
            entry.not_nearest += count


def _nearer(natives: dict[str, Native], x: Any, exact: Any, of_zero: Any, patterns: Any) -> Any:
    """For subnormal arguments: the value at the argument or at a zero of its sign, whichever the first target's result is nearer to."""
    got = next(iter(natives.values()))(x).astype(np.float64)
    takes_zero = (patterns != 0) & ((got == of_zero) | (np.abs(got - of_zero) < np.abs(got - exact)))
    return np.where(takes_zero, of_zero, exact)


def _same_bits(a: Any, b: Any) -> bool:
    return _MEMCMP(a.ctypes.data, b.ctypes.data, a.nbytes) == 0


def run(name: str, targets: tuple[str, ...], pieces: Iterator[Any], measure: Measure) -> dict[str, Worst]:
    natives = {t: Native(name, Target.named(t)) for t in targets}
    worst, reference = {t: Worst() for t in targets}, Reference(name)
    for patterns in pieces:
        sweep(name, reference, natives, measure, patterns, worst)
    return worst


def check_reference(count: int) -> None:
    """How far the float64 reference is from the true value, in ULP of float32, on random arguments of every size."""
    import mpmath
    mpmath.mp.dps = 60  # sin of 3e38 needs forty digits of pi
    true: dict[str, Callable[[Any], Any]] = {
        "exp": mpmath.exp, "log": mpmath.log, "tanh": mpmath.tanh, "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)), "erf": mpmath.erf,
        "sqrt": mpmath.sqrt, "rsqrt": lambda x: 1 / mpmath.sqrt(x), "sin": mpmath.sin, "cos": mpmath.cos}
    rng = np.random.default_rng(0)
    sized = (rng.integers(0x2F000000, 0x42B00000, count // 2, dtype=np.uint32)).view(np.float32)  # 1e-10 to 88
    x = np.concatenate([sized, -sized, rng.integers(SMALLEST_NORMAL, 0x7F800000, count // 2, dtype=np.uint32).view(np.float32)])
    for name, function in FUNCTIONS.items():
        chosen = (x[x > 0] if function.positive else x).astype(np.float64)
        with np.errstate(all="ignore"):
            values = function.exact(chosen)
        far = 0.0
        for argument, value in zip(chosen, values, strict=True):
            if 2.0**-126 <= abs(value) < 2.0**128:
                exact = true[name](mpmath.mpf(float(argument)))
                far = max(far, float(abs(exact - mpmath.mpf(float(value))) / mpmath.mpf(2) ** (int(np.frexp(value)[1]) - 24)))
        print(f"{name}: the reference is within {far:.1e} ULP of float32 on {len(chosen)} arguments", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Worst errors of the elementary functions over all float32 inputs.")
    parser.add_argument("functions", nargs="*", help=f"of {', '.join(FUNCTIONS)} (all)")
    parser.add_argument("--targets", default=",".join(RUNNABLE), help="comma-separated, of those this machine can run (%(default)s)")
    parser.add_argument("--stride", type=int, default=1, help="look at every stride-th bit pattern only")
    parser.add_argument("--check-reference", type=int, metavar="N", help="compare the float64 reference with mpmath on N arguments")
    given = parser.parse_args()
    unknown = [f for f in given.functions if f not in FUNCTIONS]
    if unknown:
        parser.error(f"no function is called {unknown[0]!r}; there are {', '.join(FUNCTIONS)}")
    if given.check_reference:
        check_reference(given.check_reference)
        return
    measure, targets = Measure(), tuple(given.targets.split(","))
    print("| function | target | worst ULP | at | not the nearest float32 | points |\n|---|---|---|---|---|---|")
    for name in given.functions or FUNCTIONS:
        start = time.process_time()
        for target, worst in run(name, targets, blocks(given.stride), measure).items():
            print(f"| {name} | {target} | {worst.ulps:.4f} | {worst.argument!r} (0x{worst.bits:08X}) | "
                  f"{100 * worst.not_nearest / worst.points:.2f} % | {worst.points} |", flush=True)
        print(f"<!-- {name}: {time.process_time() - start:.0f} s of processor time -->", flush=True)


if __name__ == "__main__":
    main()
