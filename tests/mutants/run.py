"""Are the tests worth anything? One small change of the compiler at a time, in a copy of the tree: does a quick subset of the tests fail?

    python tests/mutants/run.py --count 120 --seed 1
    python tests/mutants/run.py --area planner --count 10

The mutants are derived mechanically (sites.py) and sampled by the seed, as many of each area. Each area has its subset (AREAS), which
takes less than a minute and must pass on the unchanged copy. A mutant is caught if a test fails, the run crashes, or takes
longer than TIMEOUT. The report names the survivors; figures and what was said about them are in docs/testing.md.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from sites import Site, mutated, sites

ROOT = Path(__file__).resolve().parents[2]
TREE = ("ir", "codegen", "kcompile", "tests", "pyproject.toml")
TIMEOUT = 240  # seconds; the subsets take a fraction of it on a free machine
FILES = "tests/files/test_files.py"


@dataclass(frozen=True)
class Area:
    """Files (globs), which scopes in them, and the arguments of pytest for each run of its subset."""

    globs: tuple[str, ...]
    tests: tuple[tuple[str, ...], ...]
    scope: str = ""  # the scope's name must contain this

    def wanted(self, scope: str) -> bool:
        return self.scope in scope


AREAS: dict[str, Area] = {
    "rules": Area(("ir/rules/*.py",), ((FILES, "-k", "simplify"), ("tests/ir/test_ir_rules.py",))),
    "gradients": Area(("ir/ops/*.py",), (("tests/ops/test_op_gradients.py",),), "vjp"),
    "fusion": Area(("ir/fusion_table.py", "ir/fusion.py"),
                   ((FILES, "-k", "fused or split or planned"), ("tests/native/test_random_programs.py",))),
    "planner": Area(("ir/passes/plan.py",), ((FILES, "-k", "planned"), ("tests/native/test_states.py",))),
    "lowering": Area(("codegen/lower.py",), ((FILES, "-k", "nest or kinds"), ("tests/codegen/test_native.py",))),
    "schedule steps": Area(("codegen/schedule/*.py",), ((FILES, "-k", "steps or scheduled or kinds or tails"),
                                                        ("tests/codegen/test_schedule.py", "tests/codegen/test_native.py"))),
    "tails and emitter": Area(("codegen/emit/*.py", "codegen/access.py"),
                              ((FILES, "-k", "llvm or code"), ("tests/codegen/test_native.py",))),
    "differentiation": Area(("ir/passes/differentiate.py",), ((FILES, "-k", "differentiate"), ("tests/ir/test_ir_differentiate.py",))),
}


def copy_tree() -> Path:
    scratch = Path(tempfile.mkdtemp(prefix="kcompile-mutants-"))
    for name in TREE:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, scratch / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, scratch / name)
    return scratch


def passes(scratch: Path, area: Area) -> bool:
    """Whether the area's subset passes in the copy."""
    environment = {**os.environ, "PYTHONPATH": str(scratch), "KCOMPILE_CACHE": "off", "PYTHONDONTWRITEBYTECODE": "1"}
    for arguments in area.tests:
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-n", "0", "-p", "no:cacheprovider", *arguments]
        try:
            done = subprocess.run(command, cwd=scratch, env=environment, capture_output=True, timeout=TIMEOUT, check=False)
        except subprocess.TimeoutExpired:
            return False
        if done.returncode:
            return False
    return True


def sample(names: list[str], count: int, seed: int) -> list[tuple[str, Site]]:
    """`count` mutants, as many of each area, in the order of the areas."""
    chosen: list[tuple[str, Site]] = []
    for number, name in enumerate(names):
        area = AREAS[name]
        found = [site for pattern in area.globs for path in sorted(ROOT.glob(pattern))
                 for site in sites(path.relative_to(ROOT).as_posix(), path.read_text(), area.wanted)]
        share = count // len(names) + (number < count % len(names))
        chosen += [(name, site) for site in random.Random(f"{seed} {name}").sample(found, min(share, len(found)))]
    return chosen


def main() -> None:
    parser = argparse.ArgumentParser(description="Mutants of the compiler against quick subsets of its tests.")
    parser.add_argument("--count", type=int, default=120)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--area", choices=AREAS, action="append", help="only this area; may be given several times")
    parser.add_argument("--list", action="store_true", help="name the mutants, run nothing")
    given = parser.parse_args()
    chosen = sample(given.area or list(AREAS), given.count, given.seed)
    if given.list:
        print("\n".join(f"{area}: {site}" for area, site in chosen))
        return
    scratch = copy_tree()
    try:
        survivors, caught = [], 0
        for name in dict.fromkeys(area for area, _ in chosen):
            start = time.monotonic()
            if not passes(scratch, AREAS[name]):
                sys.exit(f"the tests of {name} fail without any mutant")
            print(f"{name}: the subset takes {time.monotonic() - start:.0f} s", flush=True)
            for _, site in (one for one in chosen if one[0] == name):
                path = scratch / site.file
                source = path.read_text()
                path.write_text(mutated(source, site))
                try:
                    survived = passes(scratch, AREAS[name])
                finally:
                    path.write_text(source)
                caught += not survived
                survivors += [f"{name}: {site}"] * survived
                print(f"  {'SURVIVED' if survived else 'caught  '}  {site}", flush=True)
        total = caught + len(survivors)
        print(f"{total} mutants (seed {given.seed}): {caught} caught, {len(survivors)} survived, {100 * caught / max(1, total):.1f} %")
        print("\n".join(survivors))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    main()
