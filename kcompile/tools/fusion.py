"""`explain fusion`: why two layers or ops became one kernel or did not, value by value; or every verdict of a step.

Of two names the question is about what passes from one to the other: each array that an op of the one writes and an op of the other
reads, whether it still goes through memory in the end, and the row of the fusion table that decided. Both are named as they were
before fusion: labels of kernels that have grown tell a reader little.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..compiler import stage_index
from ..ir.program import Program, Verdict
from .report import Report, TargetError
from .subject import Subject, absent, label_matches, label_paths, meant


@dataclass(frozen=True)
class Passage:
    """One value between two ops: `inside` the kernels that hold both, or through memory from one kernel to others."""

    producer: str
    consumer: str
    array: str
    inside: bool
    kernels: str
    row: str
    reason: str

    def lines(self, types: str, times: int) -> list[str]:
        head = f"{'fused' if self.inside else 'apart'}: {self.producer}  ->  {self.consumer}  ({self.kernels})"
        why = f"row {self.row!r}: {self.reason}" if self.row else self.reason
        return [head + (f"  ({times} values)" if times > 1 else ""), f"       through {types}; {why}"]


def explain_fusion(subject: Subject, names: Sequence[str] = ()) -> Report:
    """Raises TargetError for names that nothing has, and for more than two."""
    if len(names) > 2:
        raise TargetError(f"explain fusion takes two layers or ops, not {len(names)}")
    after: Program = subject.at("fused")
    before = _before(subject)
    labels = [step.kernel.label for step in before.steps]
    paths = [path for label in labels for path in label_paths(label)]
    queries = [meant(name, paths) for name in names]
    for name, query in zip(names, queries, strict=True):
        if not any(label_matches(query, label) for label in labels):
            raise absent(subject, name, paths)
    kernels = [{"name": s.kernel.name, "label": s.kernel.label} for s in after.steps]
    if len(names) == 2:
        found, lines = _two(before, after, *queries)
        return Report("\n".join(lines), {"kernels": kernels, "values": [vars(one) for one in found]})
    verdicts = [v for v in after.verdicts if all(label_matches(q, v.producer) or label_matches(q, v.consumer) for q in queries)]
    lines = []
    if not names:
        lines.append(f"{after.name}: {len(labels)} kernels before fusion, {len(after.steps)} after; "
                     f"{sum(v.fused for v in verdicts)} verdicts fused, {sum(not v.fused for v in verdicts)} left apart. "
                     "Name two layers or ops (dense, add, dense/add) to ask about them alone")
    for verdict in sorted(verdicts, key=lambda v: v.fused):  # first what one asks about
        lines += _verdict_lines(after, verdict)
    if not lines:
        lines.append(f"{names[0]} reads and writes nothing that another kernel of this step touches")
    return Report("\n".join(lines), {"kernels": kernels, "verdicts": [vars(v) for v in verdicts]})


def _before(subject: Subject) -> Program:
    """The program in which every op has a kernel of its own; a text's own program where it comes after that."""
    program: Program = subject.at("described" if stage_index(subject.start) <= stage_index("described") else subject.start)
    return program


def _verdict_lines(program: Program, verdict: Verdict) -> list[str]:
    buffer = program.buffers.get(verdict.array)
    through = f"{verdict.array}: {buffer.type}" if buffer else verdict.array
    return [f"{'fused' if verdict.fused else 'apart'}: {verdict.producer}  ->  {verdict.consumer}",
            f"       through {through}; row {verdict.row!r}: {verdict.reason}"]


# -- two names ----------------------------------------------------------------------------------------------------
def _two(before: Program, after: Program, a: str, b: str) -> tuple[list[Passage], list[str]]:
    shown_a, shown_b = a.rstrip("/"), b.rstrip("/")
    together = [s.kernel.name for s in after.steps if label_matches(a, s.kernel.label) and label_matches(b, s.kernel.label)]
    where = f"together in {', '.join(together)}" if together else "in no kernel together"
    ends = list(dict.fromkeys((*_edges(before, after, a, b), *_edges(before, after, b, a))))
    if ends:
        found = [_passage(before, after, *end) for end in ends]
        apart = sum(not one.inside for one in found)
        lines = [f"{shown_a} and {shown_b}: {where}; of the {len(found)} values between them {apart or 'none'} "
                 f"{'go' if apart != 1 else 'goes'} through memory" if len(found) > 1 else f"{shown_a} and {shown_b}: {where}"]
    elif together:
        return [], [f"{shown_a} and {shown_b}: {where}, each fused with what lies between them"]
    else:
        way = _shortest(before, a, b) or _shortest(before, b, a)
        if not way:
            return [], [f"{shown_a} and {shown_b}: in no kernel together, and nothing flows from one to the other"]
        found = [_passage(before, after, *end) for end in way]
        lines = [f"{shown_a} and {shown_b}: in no kernel together; nothing goes from one straight to the other. Between them:"]
        return found, lines + [line for one in found for line in one.lines(_typed(before, one.array), 1)]
    alike = Counter((one.inside, one.producer, one.consumer, one.kernels, one.row) for one in found)
    told = set()
    for one in sorted(found, key=lambda p: p.inside):  # first what one asks about
        key = one.inside, one.producer, one.consumer, one.kernels, one.row
        if key not in told:
            told.add(key)
            lines += one.lines(_typed(before, one.array), alike[key])
    return found, lines


def _typed(program: Program, array: str) -> str:
    return f"{array}: {program.buffers[array].type}"


def _edges(before: Program, after: Program, a: str, b: str) -> Iterator[tuple[str, str, str]]:
    """(array, label of the kernel that writes it, label of one that reads it) for what passes from `a` straight to `b`; and within `a`,
    where the last op before `b` was taken over by a kernel of `b`, which reads from memory what that op needs."""
    readers, kernels = _readers(before), [step.kernel for step in before.steps]
    handed = {n for n, kernel in enumerate(kernels) for array in kernel.writes for m in readers.get(array, [])
              if label_matches(a, kernel.label) and label_matches(b, kernels[m].label)}
    for kernel in kernels:
        if label_matches(a, kernel.label):
            for array in kernel.writes:
                taken = {path for s in after.steps if array in map(after.root, s.kernel.reads) and array not in s.kernel.writes
                         and label_matches(b, s.kernel.label) for path in label_paths(s.kernel.label)}
                for m in readers.get(array, []):
                    if kernels[m] is not kernel and (label_matches(b, kernels[m].label) or (m in handed and kernels[m].label in taken)):
                        yield array, kernel.label, kernels[m].label


def _readers(program: Program) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for n, step in enumerate(program.steps):
        for array in dict.fromkeys(map(program.root, step.kernel.reads)):
            found.setdefault(array, []).append(n)
    return found


def _passage(before: Program, after: Program, array: str, producer: str, consumer: str) -> Passage:
    """What became of a value between two kernels of the program before fusion."""
    names = {array, *(b.name for b in before.buffers.values() if b.of == array)}
    first, second = label_paths(producer)[-1], label_paths(consumer)[-1]
    writers = [s.kernel for s in after.steps if array in s.kernel.writes]
    readers = [k for s in after.steps if second in label_paths((k := s.kernel).label) and names & set(k.reads) and array not in k.writes]
    told = [v for v in after.verdicts if v.array in names and second in label_paths(v.consumer) and v.fused != bool(readers)]
    row, reason = (told[-1].row, told[-1].reason) if told else ("", "with what was fused before it" if not readers else "not decided")
    if readers:
        kernels = f"{', '.join(k.name for k in writers)} to {', '.join(k.name for k in readers)}"
    else:
        kernels = "in " + ", ".join(s.kernel.name for s in after.steps if {first, second} <= set(label_paths(s.kernel.label)))
    return Passage(producer, consumer, array, not readers, kernels, row, reason)


def _shortest(program: Program, a: str, b: str) -> list[tuple[str, str, str]]:
    """The fewest arrays that lead from a kernel named `a` to one named `b`: (array, label that writes it, label that reads it)."""
    kernels, readers = [step.kernel for step in program.steps], _readers(program)
    seen = {n for n, kernel in enumerate(kernels) if label_matches(a, kernel.label)}
    waiting: deque[tuple[int, list[tuple[str, str, str]]]] = deque((n, []) for n in sorted(seen))
    while waiting:
        n, way = waiting.popleft()
        if way and label_matches(b, kernels[n].label):
            return way
        for array in kernels[n].writes:
            for m in readers.get(array, []):
                if m not in seen:
                    seen.add(m)
                    waiting.append((m, [*way, (array, kernels[n].label, kernels[m].label)]))
    return []
