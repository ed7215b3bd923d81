"""The program stage: fused kernels in execution order, and the buffers they read and write.

A program is what code generation compiles to one native step: every thread runs all kernels side by side, each its
share of a kernel's parallel loop, and meets the others where `Step.barrier` says that data crosses between them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from typing import TYPE_CHECKING, overload

from kcompile.common.lazy import lazy, remember
from kcompile.common.struct import struct

from .kernel import Kernel
from .types import Shape, TensorType, f32

if TYPE_CHECKING:
    from .forms import Placed

# param: the caller's array, given at each call. state: lives between calls. output: the caller's, written.
# temp: lies in the arena. kept: made of weights that hold still, and not made again until they change. view: shares the storage of `of`
# (same element count and dtype, another shape).
BUFFER_KINDS = ("param", "state", "output", "temp", "kept", "view")
COLUMNS = 32  # of a panel: two vectors of 64 bytes
LEAST_COLUMNS = 128  # of a matrix in panels: rows of less than half a kilobyte are near enough to each other
LEAST_ELEMENTS = 1 << 16  # smaller matrices stay in a near cache however they lie
LEARNED = ("weight", "statistic")  # roles of states that change when a model learns, and hold still while it predicts


@struct(frozen=True)
class Buffer:
    """`of`: for a view, the buffer whose storage it shares; for a temp or state that is written in place, likewise."""

    name: str
    type: TensorType
    kind: str
    of: str = ""
    role: str = ""  # for states: weight, statistic, slot, metric, rng, counter, hyper, constant
    why: str = ""  # what the planner says about where it lies
    panels: int = 0  # for states: the columns of a panel, where it is stored panel by panel; 0: row by row

    @property
    def stored(self) -> Shape:
        """The shape of its memory."""
        return stored_shape(self.type.shape, self.panels) if self.panels else self.type.shape


def stored_shape(shape: Shape, columns: int) -> Shape:
    """The shape of an array's memory, in panels of so many columns one after the other."""
    return int(str(shape[-1])) // columns, *shape[:-1], columns


def suits_panels(type_: TensorType) -> bool:
    """Whether a state of this type is a matrix that may be worth panels."""
    shape, size = type_.shape, type_.size
    return type_.dtype == f32 and len(shape) == 2 and isinstance(size, int) and size >= LEAST_ELEMENTS \
        and int(str(shape[-1])) >= LEAST_COLUMNS and int(str(shape[-1])) % COLUMNS == 0


def root_of(buffers: Mapping[str, Buffer], name: str) -> str:
    """The buffer that owns the storage of `name`."""
    while buffers[name].of:
        name = buffers[name].of
    return name


@struct(frozen=True)
class Step:
    """One kernel call. The kernel's array names are buffer names. `barrier`: all threads meet before it starts. `along`: of what the
    other steps since the last barrier make that are `along`, it needs that of its own samples alone, so that a thread may go through
    all of them with a few samples before it takes the next few. `kept`: it is done when weights have changed, not in every call."""

    kernel: Kernel
    barrier: bool = True
    along: bool = False
    kept: bool = False

    @property
    def marks(self) -> str:
        """What its text says after its number."""
        return " barrier" * self.barrier + " along" * self.along + " kept" * self.kept


@struct(frozen=True)
class Lifetime:
    """A temp lives from the step that first writes it to the last that reads it (indices into Program.steps)."""

    first: int
    last: int


@struct(frozen=True)
class Verdict:
    """Why two kernels became one, or did not: `row` names the row of the fusion table that decided."""

    producer: str
    consumer: str
    array: str
    fused: bool
    row: str
    reason: str


class Verdicts(Sequence[Verdict]):
    """Verdicts that are written when somebody looks at them: who compiles does not."""

    def __init__(self, find: Callable[[], list[Verdict]]) -> None:
        self._find = find

    @lazy
    def _found(self) -> list[Verdict]:
        return self._find()

    @overload
    def __getitem__(self, n: int) -> Verdict: ...
    @overload
    def __getitem__(self, n: slice) -> list[Verdict]: ...
    def __getitem__(self, n: int | slice) -> Verdict | list[Verdict]:
        return self._found[n]

    def __len__(self) -> int:
        return len(self._found)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash(tuple(self))


@struct(frozen=True)
class Program:
    """`outputs`: output name -> buffer. `updates`: state buffer -> buffer that holds its new value; the planner turns
    each into an update in place or a copy step and leaves none. `verdicts`: what fusion decided on each edge, and why."""

    name: str
    buffers: Mapping[str, Buffer]
    steps: tuple[Step, ...]
    outputs: Mapping[str, str]
    updates: Mapping[str, str] = field(default_factory=dict)
    lifetimes: Mapping[str, Lifetime] = field(default_factory=dict)
    verdicts: Sequence[Verdict] = ()

    @lazy
    def placed(self) -> tuple[Placed, ...]:
        """The kernels of its steps as forms over buffers (see forms.py)."""
        return tuple([step.kernel.placed for step in self.steps])

    def root(self, name: str) -> str:
        """The buffer that owns the storage of `name`."""
        return root_of(self.buffers, name)


def unfused(name: str, buffers: Mapping[str, Buffer], placed: tuple[Placed, ...], outputs: Mapping[str, str],
            updates: Mapping[str, str]) -> Program:
    """A program of forms. Its steps are made when somebody looks at them: fusion, which takes nine of ten kernels away, does not."""
    program: Program = object.__new__(Program)
    values = {"name": name, "buffers": buffers, "placed": placed, "outputs": outputs, "updates": updates, "lifetimes": {}, "verdicts": ()}
    for attribute, value in values.items():
        remember(program, attribute, value)
    return program


def _steps(program: Program) -> tuple[Step, ...]:
    return tuple([Step(one.kernel(f"k{n}")) for n, one in enumerate(program.placed)])


_made_late = lazy(_steps)
_made_late.__set_name__(Program, "steps")
Program.steps = _made_late  # type: ignore[assignment]  # where a program has none of its own: of `unfused`
