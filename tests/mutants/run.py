"""Are the tests worth anything? One small change of the compiler at a time, in a copy of the tree: does a quick subset of the tests fail?

    python tests/mutants/run.py --count 120 --seed 1
    python tests/mutants/run.py --area planner --count 10

The mutants are derived mechanically (sites.py) and sampled by the seed, as many of each area. First the tests of QUICK run on the
unchanged copy, where they must pass; what each enters and how long it takes is written down (reach.py). A mutant's subset is
then those of them that enter the changed function, the quickest first, as many as fit into BUDGET seconds on a free machine. It is caught
if one of them fails, or the run crashes or does not end. The report names the survivors; figures and what was said about
them are in docs/testing.md.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from sites import Site, mutated, sites

ROOT = Path(__file__).resolve().parents[2]
TREE = ("ir", "codegen", "kcompile", "tests", "pyproject.toml")
PLAIN = ("-o", "addopts=", "-q", "-p", "no:cacheprovider")  # of pytest: one process, and nothing left behind
BUDGET = 60.0  # seconds of a mutant's subset
LIMIT = 90  # seconds of processor time after which a run is taken for one that does not end
PATIENCE = 3600  # seconds of any kind after which a run is taken for one that waits for ever
QUICK = ("tests/files/test_files.py", "tests/ir/test_ir_rules.py", "tests/ir/test_ir_differentiate.py", "tests/ops/test_op_gradients.py",
         "tests/native/test_states.py", "tests/native/test_random_programs.py", "tests/codegen/test_schedule.py",
         "tests/codegen/test_native.py")
TOO_SLOW = "conv_input_gradient or (test_nests_agree and conv)"  # of QUICK: minutes, and what they see others see as well


@dataclass(frozen=True)
class Area:
    """Files (globs), which scopes in them, and a pattern of the tests for what runs at import, and so in no test."""

    globs: tuple[str, ...]
    home: str
    scope: str = ""  # the scope's name must contain this

    def wanted(self, scope: str) -> bool:
        return self.scope in scope


AREAS: dict[str, Area] = {
    "rules": Area(("ir/rules/*.py",), r"simplify/|test_ir_rules"),
    "gradients": Area(("ir/ops/*.py",), r"test_op_gradients", "vjp"),
    "fusion": Area(("ir/fusion_table.py", "ir/fusion.py"), r"fused/|split/|planned/|test_random_programs"),
    "planner": Area(("ir/passes/plan.py",), r"planned/|test_states"),
    "lowering": Area(("codegen/lower.py",), r"nest/|kinds/|test_native"),
    "schedule steps": Area(("codegen/schedule/*.py",), r"steps/|scheduled/|kinds/|tails/|test_schedule|test_native"),
    "tails and emitter": Area(("codegen/emit/*.py", "codegen/access.py"), r"llvm/|code/|test_native"),
    "differentiation": Area(("ir/passes/differentiate.py",), r"differentiate"),
}


class Copy:
    """A copy of the tree to be changed. Tests run in children of this process, which has the libraries loaded already."""

    def __init__(self) -> None:
        import h5py  # noqa: F401
        import llvmlite.binding  # noqa: F401
        import networkx  # noqa: F401
        import numpy  # noqa: F401

        self.folder = Path(tempfile.mkdtemp(prefix="kcompile-mutants-"))
        self.edited = int(time.time())
        for name in TREE:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, self.folder / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, self.folder / name)
        self.reached: dict[str, list[str]] = {}  # function -> tests
        self.seconds: dict[str, float] = {}

    def write(self, file: str, text: str) -> None:
        """A time of its own for each edition of a file: bytecode is recognised by whole seconds."""
        self.edited += 2
        (self.folder / file).write_text(text)
        os.utime(self.folder / file, (self.edited, self.edited))

    def measure(self, report: Path) -> None:
        """QUICK on the unchanged copy, unless there is a report of it, of which the tests that are no more are left out. Ends the program
        if a test fails."""
        if report.exists():
            there = set(self._pytest("--collect-only", *QUICK).splitlines())
        else:
            self._pytest("-p", "reach", "--reach", str(report), "-k", f"not ({TOO_SLOW})", *QUICK)
            there = set()
        for test, facts in json.loads(report.read_text()).items():
            if not there or test in there:
                self.seconds[test] = facts["seconds"]
                for function in facts["functions"]:
                    self.reached.setdefault(function, []).append(test)

    def _pytest(self, *arguments: str) -> str:
        """What pytest prints. Ends the program if it fails."""
        command = [sys.executable, "-m", "pytest", *PLAIN, *arguments]
        environment = {**os.environ, **self._environment()}
        done = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"the tests fail without any mutant:\n{done.stdout[-3000:]}{done.stderr[-1000:]}")
        return done.stdout

    def subset(self, area: Area, site: Site) -> list[str]:
        """The tests of a mutant, in order."""
        entered = self.reached.get(f"{site.file}:{site.function}")
        tests = entered or [test for test in self.seconds if re.search(area.home, test)]
        name = site.scope.rpartition(".")[2]
        chosen, total = [], 0.0
        for test in sorted(tests, key=lambda test: (name not in test, self.seconds[test])):
            total += self.seconds[test]
            if total > BUDGET:
                break
            chosen.append(test)
        return chosen

    def failing(self, tests: list[str]) -> str:
        """The first of these that fails, another word for what went wrong, or nothing."""
        log = self.folder / "log.txt"
        child = os.fork()
        if not child:
            self._run(tests, log)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status == 0:
            return ""
        text = log.read_text(errors="replace")
        found = re.search(r"^(?:FAILED|ERROR) (\S+)", text, re.M)
        return found[1] if found else f"ended by signal {-status}" if status < 0 else f"exit code {status}"

    def _environment(self) -> dict[str, str]:
        paths = os.pathsep.join([str(self.folder), str(self.folder / "tests" / "mutants")])
        return {"PYTHONPATH": paths, "KCOMPILE_CACHE": "off", "OPENBLAS_NUM_THREADS": "1"}

    def _run(self, tests: list[str], log: Path) -> None:
        """In the child: never returns."""
        code = 70
        try:
            signal.alarm(PATIENCE)
            resource.setrlimit(resource.RLIMIT_CPU, (LIMIT, LIMIT))
            os.chdir(self.folder)
            os.environ.update(self._environment())
            sys.path[:] = [str(self.folder), *(p for p in sys.path if p and not Path(p).resolve().is_relative_to(ROOT))]
            output = os.open(log, os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
            os.dup2(output, 1)
            os.dup2(output, 2)
            code = int(pytest.main(["-x", "--tb=no", *PLAIN, *tests]))
        finally:
            sys.stdout.flush()
            os._exit(code)


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
    parser.add_argument("--reach", type=Path, metavar="FILE",
                        help="what each test enters: written there, or taken from there if it exists (from a tree like this one)")
    given = parser.parse_args()
    chosen = sample(given.area or list(AREAS), given.count, given.seed)
    if given.list:
        print("\n".join(f"{area}: {site}" for area, site in chosen))
        return
    copy = Copy()
    try:
        copy.measure(given.reach.resolve() if given.reach else copy.folder / "reach.json")
        print(f"{len(copy.seconds)} tests in {sum(copy.seconds.values()):.0f} s of processor time", flush=True)
        survivors = []
        for name, site in chosen:
            tests = copy.subset(AREAS[name], site)
            source = (copy.folder / site.file).read_text()
            start = time.monotonic()
            copy.write(site.file, mutated(source, site))
            try:
                failed = copy.failing(tests)
            finally:
                copy.write(site.file, source)
            if not failed:
                survivors.append(f"{name}: {site}")
            verdict = f"caught by {failed}" if failed else "SURVIVED"
            print(f"{name}: {site}: {verdict} ({len(tests)} tests, {time.monotonic() - start:.0f} s)", flush=True)
        caught, total = len(chosen) - len(survivors), len(chosen)
        print(f"{total} mutants (seed {given.seed}): {caught} caught, {len(survivors)} survived, {100 * caught / max(1, total):.1f} %")
        print("\n".join(survivors))
    finally:
        shutil.rmtree(copy.folder, ignore_errors=True)


if __name__ == "__main__":
    main()
