"""Program -> program that makes cheap arrays again where they are read long after, sample by sample, instead of keeping them.

    store a[n, y + 1, x + 1, c] = max(t[n, y, x, c] * s[c] + b[c], 0)       a normalization on the way to a depthwise convolution
    ...                                                                     the rest of the step; t is read on the way back too
    store g[n, ky, kx, c] = add over y, x of a[n, y + ky, x + kx, c] * d[n, y, x, c]
becomes
    store a/again[n, y + 1, x + 1, c] = max(t[n, y, x, c] * s[c] + b[c], 0)
    store g[n, ky, kx, c] = add over y, x of a/again[n, y + ky, x + kx, c] * d[n, y, x, c]

Both the convolution and its gradient then go through the samples together with what makes their operand (see `Step.along`): neither copy
of it is ever in memory, where writing it once and reading it once costs several times what it takes to compute.
"""

from __future__ import annotations

from kcompile.common.struct import replace

from ..kernel import INDEX, STORE, Kernel
from ..kernel_edit import rename_arrays
from ..program import LEARNED, Program, Step
from ..samples import Samples
from ..types import is_static
from .plan import Order, fresh_name

NARROW = 16  # elements of a pixel, below which it takes longer to make than to fetch it
CHEAP = 24  # instructions an element: less than what it takes to fetch one


def again(program: Program) -> Program:
    """In a step that trains, every such array."""
    if not any(program.buffers[state].role in LEARNED for state in program.updates):
        return program
    order = Order(program)
    samples = Samples(order.kernels, program.root)
    level = {n: number for number, phase in enumerate(order.phases(samples)) for n in phase}
    kept = {*program.outputs.values(), *program.updates.values(), *(b.of for b in program.buffers.values())}
    buffers = dict(program.buffers)
    kernels = list(order.kernels)
    copies: dict[int, list[Kernel]] = {}  # before which kernel
    for array, writers in order.writers.items():
        width = buffers[array].type.shape[-1:]
        if array in kept or buffers[array].kind != "temp" or not width or not is_static(width[0]) or int(str(width[0])) < NARROW \
                or not _cheap(order, writers):
            continue
        (maker,) = [n for n in writers if kernels[n].reads]
        readers = order.readers.get(array, set())
        near = {n for n in readers if level[n] == level[maker]}
        late = sorted(readers - near)
        if not near or not late or not all(samples.linked(maker, n) for n in readers) or not _alive(order, level, maker, late):
            continue
        for phase in sorted({level[n] for n in late}):
            name = fresh_name(buffers, f"{array}/again")
            buffers[name] = replace(buffers[array], name=name, why="made again for who reads it late")
            here = [n for n in late if level[n] == phase]
            copies.setdefault(here[0], []).extend(rename_arrays(order.kernels[n], {array: name}) for n in sorted(writers))
            for n in here:
                kernels[n] = rename_arrays(kernels[n], {array: name})
    steps = [step for n, kernel in enumerate(kernels) for step in (*map(Step, copies.get(n, ())), replace(program.steps[n], kernel=kernel))]
    return replace(program, steps=tuple(replace(s, kernel=replace(s.kernel, name=f"k{n}")) for n, s in enumerate(steps)), buffers=buffers)


def _cheap(order: Order, writers: set[int]) -> bool:
    """Whether one cheap map of one array of many elements makes the array, and nothing but borders of it comes beside."""
    makers = [order.kernels[n] for n in writers if order.kernels[n].reads]
    if len(makers) != 1 or any(len(order.kernels[n].writes) != 1 or {*order.kernels[n].sorts} - {STORE, "let"} for n in writers):
        return False
    large = [a for a in makers[0].reads if not is_static(makers[0].arrays[a].size)]
    return len(large) == 1 and INDEX not in makers[0].sorts and sum(q.cost for q in makers[0].equations) <= CHEAP


def _alive(order: Order, level: dict[int, int], maker: int, late: list[int]) -> bool:
    """Whether what the array is made of is read by others as late as that."""
    kernel, last = order.kernels[maker], max(level[n] for n in late)
    roots = {order.program.root(a) for a in kernel.reads if not is_static(kernel.arrays[a].size)}
    return all(order.program.buffers[root].kind == "param" or any(level[n] >= last for n in order.readers[root] if n != maker)
               for root in roots)
