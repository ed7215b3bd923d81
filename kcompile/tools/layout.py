"""`explain layout`: in which order each array lies, who reads or writes it in another order, by what means and why.

Arrays are row-major, in the order of their types, but for matrices that a step trains, which may lie in panels. What is in another order
besides is a copy: one that an op of its own makes (a transpose, a pad), or a private one that a kernel packs or turns on its way to
registers.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ..ir.program import Buffer, Program
from .report import Report
from .subject import Subject, label_matches, label_paths, matches, no_match

if TYPE_CHECKING:
    from ..codegen.nest import Nest
    from ..codegen.target import Target

AS_IT_LIES = "as it lies"
LONGEST = 60  # characters of a kernel's label in the text; the data has all of it
MOVING = frozenset({"transpose", "reverse", "pad", "concat", "slice"})  # ops that write their operand's elements elsewhere
PLAIN = frozenset({"reshape", "broadcast", "cast"})  # ops that a copy may do beside


@dataclass(frozen=True)
class Use:
    """What one kernel does with one array."""

    kernel: str
    label: str
    source: str
    access: str  # read or written
    how: str

    @property
    def text(self) -> str:
        place = f"  ({self.source})" if self.source else ""
        label = self.label if len(self.label) <= LONGEST else f"{self.label[:LONGEST]}..."
        return f"    {self.access} by {self.kernel} {label}{place}: {self.how}"


def explain_layout(subject: Subject, name: str | None, target: Target | None) -> Report:
    """The weights, the inputs and whatever is used in another order; with a name, all arrays of that layer, op, kernel or buffer."""
    program: Program = subject.at("planned", target)
    uses = _uses(program, subject.at("scheduled", target))
    shown = [array for array in uses if _asked(program, array, uses[array], name)]
    if name is not None and not shown:
        names = [path for step in program.steps for path in (step.kernel.name, *label_paths(step.kernel.label))]
        raise no_match(name, [*uses, *names], "array, layer, op or kernel")
    moved = sum(use.how != AS_IT_LIES for array in shown for use in uses[array])
    panels = sum(buffer.panels > 0 for buffer in program.buffers.values())
    those = f"all arrays but {panels} are row-major" if panels else "every array is row-major"
    rest = "" if name else "; arrays between kernels are listed where a use is, and for a layer or op that is named"
    lines = [f"{those}, their axes in the order of the types (images: batch, rows, columns, channels; kernels: rows, columns, in, out)",
             f"{len(shown)} arrays, {moved} uses in another order{rest}"]
    data: list[dict[str, Any]] = []
    for array in shown:
        buffer = program.buffers[array]
        lines.append(f"{array}: {buffer.type}, {buffer.role or buffer.kind}{_order(buffer)}")
        lines += [use.text for use in uses[array]]
        data.append({"array": array, "type": str(buffer.type), "kind": buffer.kind, "role": buffer.role, "panels": buffer.panels,
                     "uses": [asdict(use) for use in uses[array]]})
    return Report("\n".join(lines), data)


def _order(buffer: Buffer) -> str:
    shape = buffer.type.shape
    if buffer.panels:
        stored = ", ".join(map(str, buffer.stored))
        return f"; {buffer.why}; in memory [{stored}], {buffer.panels} side by side"
    return f"; {shape[-1]} side by side" if len(shape) > 1 else ""


def _asked(program: Program, array: str, uses: list[Use], name: str | None) -> bool:
    buffer = program.buffers[array]
    if name is not None:
        return matches(name, array) or any(name == use.kernel or label_matches(name, use.label) for use in uses)
    return buffer.role == "weight" or buffer.kind == "param" or buffer.panels > 0 or any(use.how != AS_IT_LIES for use in uses)


def _uses(program: Program, nests: list[Nest]) -> dict[str, list[Use]]:
    """By the array that owns the memory; views are other shapes of the same order."""
    found: dict[str, list[Use]] = {name: [] for name, buffer in program.buffers.items() if not buffer.of}
    for step, nest in zip(program.steps, nests, strict=True):
        kernel = step.kernel
        for access, arrays in (("read", kernel.reads), ("written", kernel.writes)):
            for array in arrays:
                how = _how(array, access, kernel.label, nest)
                found[program.root(array)].append(Use(kernel.name, kernel.label, kernel.source, access, how))
    return {array: uses for array, uses in found.items() if uses}


def _how(array: str, access: str, label: str, nest: Nest) -> str:
    own = [note for note in nest.notes if note.startswith(f"{array} is ")]
    if own:
        return "; ".join(note.removeprefix(f"{array} is ") for note in own)
    turning = [note for note in nest.notes if "transposed" in note or "turned" in note]
    if access == "written":
        ops = {path.rpartition("/")[2] for path in label_paths(label)}
        if ops & MOVING and ops <= MOVING | PLAIN:
            return f"a copy in another order, made by {' and '.join(sorted(ops & MOVING))}" + "".join(f"; {note}" for note in turning)
        if turning:
            return f"turned on its way from registers: {turning[-1]}"
    return AS_IT_LIES
