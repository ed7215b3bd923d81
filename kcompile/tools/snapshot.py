"""`snapshot DIR`: every kernel of a set of models as files, so that a change's effect on generated code can be listed.

A snapshot holds one file a kernel: its description, its scheduled nest, and facts of its LLVM text and assembly, for a fixed target.
`diff` of two snapshot folders goes kernel by kernel: snapshot_diff.py.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..ir.program import Program
from ..ir.text import print_kernel
from .command_line import TEXT_SUFFIXES
from .report import Report, TargetError
from .subject import Subject, load_subject, target_named

if TYPE_CHECKING:
    from ..codegen.target import Target

MARK = "kcompile-snapshot.json"
STEPS = ("train", "predict")
# a vector register stored to a fixed place of the stack; spilled addresses, which stay outside inner loops, are not counted
_SPILL = re.compile(r"v?mov\w*\s+%[xyz]mm\d+, -?\d*\(%r[sb]p\)")
FACTS = ("lines", "vector", "fma", "loads", "stores", "calls", "spills", "instructions")


def default_targets(root: Path) -> list[str]:
    """The examples and the benchmark models below a folder: functions `build` of examples, builders of the workloads."""
    found = [f"{path}:build" for path in sorted((root / "examples").glob("*.py")) if re.search(r"^def build\(\)", path.read_text(), re.M)]
    workloads = root / "benchmarks" / "workloads.py"
    if workloads.is_file():
        names = dict.fromkeys(re.findall(r'^    "\w+": \((\w+), \d+\)', workloads.read_text(), re.M))
        found += [f"{workloads}:{name}" for name in names]
    return found


def snapshot(folder: str, targets: Sequence[str] = (), cpu: str = "avx512") -> Report:
    """Write every kernel of the targets (default: the examples and benchmark models of the working folder). Raises TargetError."""
    chosen = list(targets) or default_targets(Path())
    if not chosen:
        raise TargetError("nothing to take: name targets (file.py:name), or run it where examples/ and benchmarks/ are")
    target = target_named(cpu)
    place = Path(folder)
    if place.exists() and any(place.iterdir()) and not (place / MARK).is_file():
        raise TargetError(f"{folder} is not empty and is no snapshot")
    place.mkdir(parents=True, exist_ok=True)
    for old in place.rglob("*.kernel"):
        old.unlink()
    counts = {}
    for name in chosen:
        for step in STEPS:
            subject = _of(name, step)
            if subject is not None:
                counts[f"{name} {step}"] = _write(place, subject, name, step, target)
    (place / MARK).write_text(json.dumps({"target": target.name, "models": list(chosen)}, indent=2) + "\n")
    lines = [f"{count:5}  {name}" for name, count in counts.items()]
    return Report("\n".join([f"{sum(counts.values())} kernels for {target.name} in {folder}", *lines]), {"kernels": counts})


def _of(name: str, step: str) -> Subject | None:
    """The step; None for the train step of a model that is not compiled, and the second step of a text."""
    from ..naming import clear_session
    clear_session()  # names do not depend on the models before
    if name.endswith(TEXT_SUFFIXES):
        return load_subject(name) if step == STEPS[0] else None
    try:
        return load_subject(name, step)
    except TargetError as error:
        if step == "train" and "model.compile()" in str(error):
            return None
        raise


def _write(place: Path, subject: Subject, name: str, step: str, target: Target) -> int:
    from ..codegen.emit import emit
    from ..codegen.lower import lower
    from ..codegen.nest_text import print_nest
    from ..codegen.step_text import canonical
    from ..codegen.strategy import plan as schedule
    program: Program = subject.at("planned")
    kernels = [canonical(one.kernel) for one in program.steps]  # without the names of buffers, which a kernel more or less would shift
    nests = [schedule(lower(kernel, step.along), target) for step, kernel in zip(program.steps, kernels, strict=True)]
    file, _, what = name.rpartition(":")
    model = "-".join(filter(None, (Path(file or name).stem, what if file else "")))
    into = place / f"{model}-{step}"
    into.mkdir(parents=True, exist_ok=True)
    seen: Counter[str] = Counter()
    for one, kernel, nest in zip(program.steps, kernels, nests, strict=True):
        label = re.sub(r"[^\w.]+", "_", one.kernel.label).strip("_")[:100] or "kernel"
        seen[label] += 1
        facts = "".join(f"{key} {value}\n" for key, value in facts_of(emit(nest, target, "kernel"), target).items())
        (into / f"{label}.{seen[label]}.kernel").write_text(f"{print_kernel(kernel)}\n{print_nest(nest)}\n{facts}")
    return len(program.steps)


def facts_of(llvm: str, target: Target) -> dict[str, int]:
    """What a reader of generated code looks at first: counts in the LLVM text and, for x86, in the assembly."""
    vectors = [int(n) for n in re.findall(r"<(\d+) x (?:float|double|half|bfloat|i\d+)>", llvm)]
    calls = re.findall(r"call .*?@([\w.]+)\(", llvm)
    facts = {"lines": llvm.count("\n"), "vector": max(vectors, default=1), "fma": sum("fma" in c for c in calls),
             "loads": len(re.findall(r"= load |@llvm\.masked\.(?:load|gather)", llvm)),
             "stores": len(re.findall(r"^\s*store |@llvm\.masked\.(?:store|scatter)", llvm, re.M)),
             "calls": sum(not c.startswith("llvm.") for c in calls)}
    if target.is_x86:
        from ..codegen.assembly import assembly
        from ..codegen.text_builder import join
        code = [line.strip() for line in assembly(join([llvm]), target).splitlines()]
        facts["calls"] = max(facts["calls"], sum(line.startswith("call") for line in code))  # those that LLVM puts in, too
        facts["spills"] = sum(bool(_SPILL.match(line)) for line in code)
        facts["instructions"] = sum(bool(line) and not line.startswith((".", "#")) and not line.endswith(":") for line in code)
    return facts
