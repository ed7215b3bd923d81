"""From a planned program to a step: every distinct kernel lowered, scheduled and emitted once, and the calls in their order."""

from __future__ import annotations

from collections.abc import Callable, Hashable

from kcompile.common.struct import replace

from ..ir.kernel import ACCUMULATE, STORE, Kernel
from ..ir.kernel_edit import rename
from ..ir.passes.row_tables import gathered
from ..ir.program import Program
from ..ir.samples import sample_axis
from ..ir.structure import structure
from .claimed import claimed_inside, each_pass
from .emit import HiddenRow, emit
from .lower import lower
from .nest import Nest
from .object_code import CONSTANTS_STAY, FINAL_ADDRESSES
from .runs import asked_in_a_sample, cost_of_a_trip, joined, trips_of_a_sample, trips_worth_a_call
from .runtime.helping import HELPING
from .runtime.layout import ALL_AT_ONCE, CLAIMS, EACH_PASS, FRAME_WORDS, WORDS_BEFORE
from .step import KeptPanel, KernelCall, NativeKernel, PanelKernel, StepCode, Storage
from .strategy import plan
from .target import Target
from .text_builder import join
from .work import estimate

MODULE_LINES = 300  # kernels are spread over modules of about this size
ANNOUNCED_LINES = 100  # and those that are announced over such ones: LLVM has nothing else to do
FEW_AXES = 2  # of a kernel whose text is soon made
LONG_LOOP = 32  # loads, stores and requests in a block, beyond which addresses are left as they are

Compile = Callable[[Kernel, Target, str, bool], tuple[str, NativeKernel]]


def compile_kernel(kernel: Kernel, target: Target, name: str, along: bool = False) -> tuple[str, NativeKernel]:
    """Lower, schedule and emit one kernel: its text, and how it is called. `along`: see Step."""
    return emit_kernel(plan(lower(kernel, along), target), target, name)


def emit_kernel(nest: Nest, target: Target, name: str) -> tuple[str, NativeKernel]:
    """The text of a scheduled nest, and of what fills its panels, and how these are called."""
    texts, panels = [emit(nest, target, name)], []
    arrays = list(nest.arrays)
    for number, (array, panel) in enumerate(nest.panels.items()):
        filling, function = nest.filling(array), f"{name}.fill{number}"
        texts.append(emit(filling, target, function))
        panels.append(PanelKernel(function, arrays.index(panel.array), panel.elements * panel.dtype.size, filling.trips))
    inside = EACH_PASS if each_pass(nest) else CLAIMS if claimed_inside(nest) else ALL_AT_ONCE
    return join(texts), NativeKernel(name, nest.symbols, nest.trips, tuple(panels), trips_of_a_sample(nest),
                                     asked_in_a_sample(nest), trips_worth_a_call(nest), cost_of_a_trip(nest),
                                     sum(dtype.size * size for dtype, size in nest.scratch.values()), inside)


def canonical(kernel: Kernel) -> Kernel:
    """The kernel with neutral names for arrays, axes and equations, in order of appearance, and without labels."""
    arrays = {a: f"p{n}" for n, a in enumerate(kernel.arrays)}
    locals_ = [e.name for e in kernel.equations if e.kind not in (STORE, ACCUMULATE)]
    axes = {a: f"a{n}" for n, a in enumerate(dict.fromkeys([*kernel.axes, *locals_]))}
    return replace(rename(kernel, arrays, axes), name="kernel", label="", source="")


def step_code(program: Program, target: Target, compile: Compile = compile_kernel) -> StepCode:
    """The code of a planned program."""
    return StepText(target, compile).code(program)


class StepText:
    """The text of a step: each distinct kernel once. Each module is `emitted` as soon as its text is there."""

    def __init__(self, target: Target, compile: Compile = compile_kernel, emitted: Callable[[str], None] = lambda text: None) -> None:
        self.target, self.compile = target, compile
        self.kernels: dict[Hashable, NativeKernel] = {}
        self.helped = False  # whether the functions are there with which threads take over passes of a kernel
        self.modules = _Modules(target, emitted)

    def announce(self, kernel: Kernel) -> None:
        """The program of a step that trains will most likely have this kernel: its text is made at once, and LLVM has something to
        do while the program is made. Should it not have it, nothing calls it."""
        self.native(kernel, sample_axis(kernel) is not None, ANNOUNCED_LINES)

    def native(self, kernel: Kernel, along: bool, lines: int = MODULE_LINES) -> NativeKernel:
        key = structure(kernel), along
        found = self.kernels.get(key)
        if found is None:
            text, found = self.compile(canonical(kernel), self.target, f"k{len(self.kernels)}", along)
            self.kernels[key] = found
            self.modules.add(text, lines)
            if found.inside == EACH_PASS and not self.helped:
                self.helped = True
                self.modules.add(HELPING, lines)
        return found

    def _first_module(self, program: Program) -> None:
        """Kernels of few axes until they fill one, whichever come first: LLVM has it soon, while the text of the first product, of three
        times as many lines, is made."""
        for step in program.steps:
            if not step.kernel.by_row and len(step.kernel.axes) <= FEW_AXES:
                before = len(self.modules.done)
                self.native(step.kernel, step.along)
                if len(self.modules.done) > before:
                    return

    def code(self, program: Program) -> StepCode:
        """All of it. A param whose rows the schedule of one of the kernels hides is gathered, as those are that no table suits."""
        if program.updates:
            raise ValueError(f"program {program.name!r} has not been planned: it still has updates of {', '.join(program.updates)}")
        self._first_module(program)
        panels: dict[str, KeptPanel] = {}
        calls: list[KernelCall] = []
        word = FRAME_WORDS
        for step in program.steps:
            arrays = list(step.kernel.arrays)
            try:
                native = self.native(step.kernel, step.along)
            except HiddenRow as hidden:
                array = arrays[list(canonical(step.kernel).arrays).index(hidden.array)]
                return self.code(gathered(program, array, step.kernel.name))
            for panel in native.panels:
                source = program.root(arrays[panel.source])
                arrays.append(panel_name(panel, source))
                panels[arrays[-1]] = KeptPanel(panel, source, word + 1 + len(native.symbols) + WORDS_BEFORE + panel.source)
            if step.kept:
                source, made = map(program.root, arrays)
                size = int(str(program.buffers[made].type.size)) * program.buffers[made].type.dtype.size
                panels[made] = KeptPanel(PanelKernel(native.name, 0, size, native.trips), source, word)
                word += 1
                continue
            trips, dims = word, word + 1
            args = dims + len(native.symbols) + WORDS_BEFORE
            word = args + len(arrays)
            calls.append(KernelCall(native, tuple(arrays), step.barrier, trips, dims, args))
        written = frozenset(program.root(a) for step in program.steps for a in step.kernel.writes)
        storage = Storage(program.name, program.buffers, program.outputs, program.lifetimes, written)
        called = replace(program, steps=tuple([step for step in program.steps if not step.kept]))
        return StepCode(tuple(self.modules.finished()), joined(called, calls, self.target), word, storage,
                        tuple(estimate(called, calls, self.target)), panels, _read_by_row(program))


def _read_by_row(program: Program) -> dict[str, int]:
    """The params that kernels read through tables of rows, and the bytes of a row."""
    kernels = [step.kernel for step in program.steps]
    rows = {program.root(a): int(str(k.arrays[a].shape[-1])) * k.arrays[a].dtype.size for k in kernels for a in k.by_row}
    for kernel in kernels if rows else ():
        for array in kernel.arrays:
            if (program.root(array) in rows) != (array in kernel.by_row):
                raise ValueError(f"kernel {kernel.name} reads {array} as a whole, others row by row")
    for name in rows:
        if program.buffers[name].kind != "param":
            raise ValueError(f"{program.buffers[name].kind} {name} is no param: nobody gives a table of its rows")
    return rows


def panel_name(panel: PanelKernel, source: str) -> str:
    """What calls name a panel: no buffer is called so, and calls of one kernel on one weight share it."""
    return f"{source}\0{panel.name}"


class _Modules:
    """Kernels in order, joined into modules, each of kernels that LLVM is to compile in the same way."""

    def __init__(self, target: Target, emitted: Callable[[str], None]) -> None:
        self.target, self.emitted = target, emitted
        self.done: list[str] = []
        self.open: dict[str, list[str]] = {}
        self.lines: dict[str, int] = {}

    def add(self, text: str, enough: int) -> None:
        """To the open module of its kind, which is closed where it has as many lines then."""
        head = head_for(text, self.target)
        self.open.setdefault(head, []).append(text)
        self.lines[head] = self.lines.get(head, 0) + text.count("\n")
        if self.lines[head] >= enough:
            self._close(head)

    def _close(self, head: str) -> None:
        if self.open[head]:
            self.done.append(head + join(self.open[head]))
            self.emitted(self.done[-1])
            self.open[head], self.lines[head] = [], 0

    def finished(self) -> list[str]:
        for head in self.open:
            self._close(head)
        return self.done


def head_for(text: str, target: Target) -> str:
    """The lines that say how a kernel is compiled."""
    return (FINAL_ADDRESSES if has_final_addresses(text, target) else "") + (CONSTANTS_STAY if has_many_sums(text, target) else "")


def has_many_sums(text: str, target: Target) -> bool:
    """Whether a loop adds up vectors in half of the registers or more."""
    most = target.registers // 2
    return text.count(" = phi <") >= most and any(block.count(" = phi <") >= most for block in text.split(":\n"))


def has_final_addresses(text: str, target: Target) -> bool:
    """Whether LLVM has nothing to win by other induction variables than the text's own (see emit/indices.py): with wide vectors, in loops
    without multiply-adds, and in long ones."""
    if target.wide or "@llvm.fma." not in text:
        return True
    accesses = 0
    for line in text.splitlines():
        if line.endswith(":"):
            accesses = 0
        elif " load " in line or line.startswith("  store ") or "@llvm.prefetch" in line:
            accesses += 1
            if accesses > LONG_LOOP:
                return True
    return False
