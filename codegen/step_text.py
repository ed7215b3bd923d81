"""From a planned program to a step: every distinct kernel lowered, scheduled and emitted once, and a function that calls them in order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ..ir.kernel import ACCUMULATE, STORE, Kernel
from ..ir.kernel_edit import rename_arrays, rename_axes
from ..ir.program import Program
from ..ir.text.kernels import print_kernel
from .emit import emit
from .lower import lower
from .runtime.text import barrier_text
from .step import KernelCall, NativeKernel, StepCode, Storage
from .strategy import plan
from .target import Target
from .text_builder import join
from .work import estimate

MODULE_LINES = 4000  # kernels are spread over modules of about this size

_SHARE = """
define internal void @kc.share(ptr %kernel, ptr %frame, i64 %trips.word, i64 %dims.word, i64 %args.word, i64 %thread, i64 %threads) {
entry:
  %trips.place = getelementptr i64, ptr %frame, i64 %trips.word
  %trips = load i64, ptr %trips.place
  %up = sub i64 %threads, 1
  %before = mul i64 %trips, %thread
  %before.up = add i64 %before, %up
  %lo = udiv i64 %before.up, %threads
  %after.up = add i64 %before.up, %trips
  %hi = udiv i64 %after.up, %threads
  %any = icmp ult i64 %lo, %hi
  br i1 %any, label %work, label %done
work:
  %dims = getelementptr i64, ptr %frame, i64 %dims.word
  %args = getelementptr i64, ptr %frame, i64 %args.word
  call void %kernel(ptr %args, ptr %dims, i64 %lo, i64 %hi)
  br label %done
done:
  ret void
}
"""


Compile = Callable[[Kernel, Target, str], tuple[str, NativeKernel]]


def compile_kernel(kernel: Kernel, target: Target, name: str) -> tuple[str, NativeKernel]:
    """Lower, schedule and emit one kernel: its text, and how it is called."""
    nest = plan(lower(kernel), target)
    return emit(nest, target, name), NativeKernel(name, nest.symbols, nest.trips)


def canonical(kernel: Kernel) -> Kernel:
    """The kernel with neutral names for arrays, axes and equations, in order of appearance, and without labels."""
    arrays = {a: f"p{n}" for n, a in enumerate(kernel.arrays)}
    locals_ = [e.name for e in kernel.equations if e.kind not in (STORE, ACCUMULATE)]
    axes = {a: f"a{n}" for n, a in enumerate(dict.fromkeys([*kernel.axes, *locals_]))}
    neutral = rename_axes(rename_arrays(kernel, arrays), axes)
    return replace(neutral, name="kernel", label="", source="")


def step_code(program: Program, target: Target, compile: Compile = compile_kernel) -> StepCode:
    """The text of a planned program. This is all that depends on lowering; step_cache keeps its result."""
    if program.updates:
        raise ValueError(f"program {program.name!r} has not been planned: it still has updates of {', '.join(program.updates)}")
    kernels: dict[str, tuple[str, NativeKernel]] = {}
    calls: list[KernelCall] = []
    word = 1
    for step in program.steps:
        neutral = canonical(step.kernel)
        key = print_kernel(neutral)
        if key not in kernels:
            kernels[key] = compile(neutral, target, f"k{len(kernels)}")
        native = kernels[key][1]
        trips, dims = word, word + 1
        args = dims + len(native.symbols)
        word = args + len(step.kernel.arrays)
        calls.append(KernelCall(native, tuple(step.kernel.arrays), step.barrier, trips, dims, args))
    texts = [text for text, _ in kernels.values()]
    written = frozenset(program.root(a) for step in program.steps for a in step.kernel.writes)
    storage = Storage(program.name, program.buffers, program.outputs, program.lifetimes, written)
    return StepCode((*_modules(texts), step_text(calls, target)), tuple(calls), word, storage, tuple(estimate(program, target)))


def _modules(texts: list[str]) -> list[str]:
    """Kernels in order, joined into modules of about MODULE_LINES lines."""
    groups: list[list[str]] = []
    lines = MODULE_LINES
    for text in texts:
        if lines >= MODULE_LINES:
            groups.append([])
            lines = 0
        groups[-1].append(text)
        lines += text.count("\n")
    return [join(group) for group in groups]


def step_text(calls: list[KernelCall], target: Target) -> str:
    """The module of @step: one line for each call and barrier."""
    declarations = "".join(f"declare void @{name}(ptr, ptr, i64, i64)\n" for name in dict.fromkeys(c.kernel.name for c in calls))
    lines = ["define i64 @step(ptr %frame, i64 %thread, i64 %threads, i64 %t0) {", "entry:", "  %shared = load ptr, ptr %frame"]
    met = 0
    for number, call in enumerate(calls):
        if call.barrier and number:
            lines.append(f"  %t{met + 1} = call i64 @kc.meet(ptr %shared, i64 %threads, i64 %t{met})")
            met += 1
        lines.append(f"  call void @kc.share(ptr @{call.kernel.name}, ptr %frame, i64 {call.trips_word}, i64 {call.dims_word}, "
                     f"i64 {call.args_word}, i64 %thread, i64 %threads)")
    lines += [f"  ret i64 %t{met}", "}"]
    return join([declarations, barrier_text(target.triple), _SHARE, "\n".join(lines)])
