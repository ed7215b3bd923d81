"""`diff` of two snapshots: what a change did to generated code, kernel by kernel.

Kernels that changed in the same way (the same layer many times over) are one entry, the worst first: more spills, then more instructions.
An entry names the facts that moved, and the steps of the schedule that only the one or only the other has.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path

from .report import Report, TargetError
from .snapshot import FACTS, MARK

NAMED = 3  # kernels of an entry that are named; all are in the data
_STEPS = re.compile(r"^  steps (.*)$", re.M)
_STEP = re.compile(r"\w+\(.*?\)(?=, \w+\(|$)")


@dataclass(frozen=True)
class Change:
    """What became of one kernel's text."""

    before: str
    after: str

    @property
    def moved(self) -> dict[str, tuple[int, int]]:
        a, b = facts_in(self.before), facts_in(self.after)
        return {key: (a.get(key, 0), b.get(key, 0)) for key in FACTS if a.get(key) != b.get(key)}

    @property
    def badness(self) -> tuple[int, float]:
        a, b = facts_in(self.before), facts_in(self.after)
        return b.get("spills", 0) - a.get("spills", 0), b.get("instructions", b["lines"]) / max(1, a.get("instructions", a["lines"]))

    def lines(self) -> list[str]:
        facts = ", ".join(f"{key} {a} -> {b}" for key, (a, b) in self.moved.items())
        parts = [what for what, x, y in zip(("description", "schedule"), self.before.split("\n\n"), self.after.split("\n\n"), strict=False)
                 if x != y]
        found = [f"{facts or 'no fact moved'}; {' and '.join(parts) or 'the code alone'}"]
        first, second = steps_in(self.before), steps_in(self.after)
        gone: list[str] = []
        come: list[str] = []
        for kind, a0, a1, b0, b1 in SequenceMatcher(None, first, second, autojunk=False).get_opcodes():
            if kind != "equal":
                gone += first[a0:a1]
                come += second[b0:b1]
        return found + [f"{sign} {', '.join(steps)}" for sign, steps in (("-", gone), ("+", come)) if steps]


def is_snapshot(path: str) -> bool:
    return (Path(path) / MARK).is_file()


def compare_snapshots(a: str, b: str) -> Report:
    """Added, removed and changed kernels of the models that both have. Exit code 0 either way. Raises TargetError."""
    for path in (a, b):
        if not is_snapshot(path):
            raise TargetError(f"{path} is no snapshot: `kcompile snapshot {path}` makes one")
    targets = [json.loads((Path(path) / MARK).read_text())["target"] for path in (a, b)]
    if targets[0] != targets[1]:
        raise TargetError(f"{a} is for {targets[0]}, {b} for {targets[1]}: two targets' code differs everywhere")
    first, second = _read(a), _read(b)
    models = [{name.split("/")[0] for name in found} for found in (first, second)]
    names = sorted(name for name in {*first, *second} if name.split("/")[0] in models[0] & models[1])
    changed = {name: Change(first[name], second[name]) for name in names if name in first and second.get(name, first[name]) != first[name]}
    removed, added = [n for n in names if n not in second], [n for n in names if n not in first]
    same = sum(first.get(name) == second.get(name) for name in names)
    lines = [f"{a} -> {b} for {targets[0]}: {same} kernels the same, {len(changed)} changed, {len(added)} added, {len(removed)} removed"
             + _totals(changed)]
    for where, only in ((a, models[0] - models[1]), (b, models[1] - models[0])):
        if only:
            lines.append(f"only {where} has the models {', '.join(sorted(only))}")
    for group in _alike(changed):
        more = f" and {len(group) - NAMED} more" if len(group) > NAMED else ""
        lines.append(f"changed{f' alike, {len(group)} kernels' if len(group) > 1 else ''}: {', '.join(group[:NAMED])}{more}")
        lines += [f"    {line}" for line in changed[group[0]].lines()]
    lines += [f"added: {name}\n    {_facts_text(second[name])}" for name in added]
    lines += [f"removed: {name}\n    {_facts_text(first[name])}" for name in removed]
    if changed:
        lines.append(f"one of them whole: diff -u {a}/NAME.kernel {b}/NAME.kernel")
    return Report("\n".join(lines), {
        "same": same, "added": added, "removed": removed,
        "changed": {name: {key: list(pair) for key, pair in change.moved.items()} for name, change in changed.items()}})


def _totals(changed: dict[str, Change]) -> str:
    sums = []
    for fact in ("instructions", "spills"):
        before, after = (sum(facts_in(text).get(fact, 0) for text in texts)
                         for texts in ([c.before for c in changed.values()], [c.after for c in changed.values()]))
        if before != after:
            sums.append(f"{fact} {before} -> {after}")
    return f"; in what changed {', '.join(sums)}" if sums else ""


def _alike(changed: dict[str, Change]) -> list[list[str]]:
    """Names of the kernels that changed in the same way, the worst first."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for name, change in changed.items():
        groups.setdefault(tuple(change.lines()), []).append(name)
    return sorted(groups.values(), key=lambda names: changed[names[0]].badness, reverse=True)


def steps_in(text: str) -> list[str]:
    """The steps of a kernel's schedule, each as it is printed."""
    found = _STEPS.search(text)
    return _STEP.findall(found[1]) if found else []


def facts_in(text: str) -> dict[str, int]:
    return {key: int(value) for key, value in re.findall(rf"^({'|'.join(FACTS)}) (\d+)$", text, re.M)}


def _facts_text(text: str) -> str:
    return ", ".join(f"{key} {value}" for key, value in facts_in(text).items())


def _read(folder: str) -> dict[str, str]:
    root = Path(folder)
    return {path.relative_to(root).as_posix().removesuffix(".kernel"): path.read_text() for path in sorted(root.rglob("*.kernel"))}
