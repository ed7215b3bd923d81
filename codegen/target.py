"""What code generation knows about a processor: vector width, registers, caches, instruction sets, cores.

`Target.host()` describes this machine; `Target.named(...)` gives fixed descriptions, so that golden tests do not depend
on the machine they run on.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from kcompile.ir.struct import struct

from ..ir.program import COLUMNS
from ..ir.types import DType

if TYPE_CHECKING:
    from .options import CodegenOptions

LINE = 64  # bytes of a line of the caches
WAITING_BYTES = 512 << 10  # of sums that wait while others are summed, once or twice: they lie on the stack of a worker
FULL_L1 = 48 << 10  # bytes of a first-level cache beside which vectors of 64 bytes are worked on whole, not in halves
_X86_TRIPLE = "x86_64-unknown-linux-gnu"
# LLVM prefers 256-bit vectors on some processors with AVX-512 and would cut our 512-bit vectors in two.
_WIDE = "-prefer-256-bit"


@struct(frozen=True)
class Target:
    """`features` is LLVM's comma-separated string; sizes are bytes; `registers` counts vector registers."""

    name: str
    triple: str
    cpu: str
    features: str
    vector_bytes: int
    registers: int
    l1: int
    l2: int
    cores: int
    masks: bool = False  # masked loads and stores cost about as much as plain ones
    native_bf16: bool = False

    def lanes(self, dtype: DType) -> int:
        """Elements of one vector register, counted in the type that computes: f16 and bf16 compute as f32, bool as u8.

        1 where the target has no vectors.
        """
        size = 4 if dtype.is_float and dtype.size < 4 else dtype.size
        return max(1, self.vector_bytes // size)

    @property
    def wide(self) -> bool:
        """Whether vectors have 64 bytes. They leave two ports for all that computes, and what some steps gain has been measured with
        them alone."""
        return self.vector_bytes == 64

    @property
    def panel_columns(self) -> int:
        """Columns of the panels in which matrices lie that are trained: two vectors; 0 where they lie row by row. With vectors of 32 bytes
        updates lost more, where rows of activations lie a power of two apart, than products gained."""
        return COLUMNS if self.wide else 0

    @property
    def twice(self) -> bool:
        """Whether two multiply-adds of 64 bytes begin in a cycle: all that is no multiply-add then weighs twice as much."""
        return self.wide and self.l1 >= FULL_L1

    @property
    def filtered_lanes(self) -> int:
        """Lanes of which few may be dead in the products of minimal filtering, whose transforms are dear then; 1 where nothing is asked."""
        return self.vector_bytes // 4 if self.twice else 1

    @property
    def is_x86(self) -> bool:
        return self.triple.startswith("x86_64")

    @staticmethod
    def host(options: CodegenOptions | None = None) -> Target:
        """This machine, as far as this process may use it (affinity and cgroup quota count). Found out once; `options` say where
        it may be remembered for other processes."""
        if not _found:
            _found.append(_host(options))
        return _found[0]

    @staticmethod
    def named(name: str) -> Target:
        """One of 'avx512', 'avx2', 'neon', 'scalar', or 'host'. Raises ValueError for other names."""
        if name == "host":
            return Target.host()
        if name not in NAMED:
            raise ValueError(f"no target is called {name!r}; there are {', '.join([*NAMED, 'host'])}")
        return NAMED[name]


NAMED: dict[str, Target] = {
    t.name: t
    for t in (
        Target("avx512", _X86_TRIPLE, "x86-64-v4", _WIDE, 64, 32, 32 << 10, 1 << 20, 2, masks=True),
        Target("avx2", _X86_TRIPLE, "x86-64-v3", "", 32, 16, 32 << 10, 512 << 10, 2),
        Target("neon", "aarch64-unknown-linux-gnu", "generic", "+fullfp16", 16, 32, 64 << 10, 1 << 20, 2),
        Target("scalar", _X86_TRIPLE, "x86-64-v3", "", 0, 16, 32 << 10, 512 << 10, 2),
    )
}


_found: list[Target] = []


def _host(options: CodegenOptions | None) -> Target:
    from .processor import processor

    found = processor(options)
    has = {name for name, present in found.features.items() if present}
    triple = found.triple
    wide = "avx512f" in has and "avx512vl" in has and "avx512dq" in has and "avx512bw" in has
    if triple.startswith("x86_64"):
        if not {"avx2", "fma", "f16c"} <= has:
            missing = sorted({"avx2", "fma", "f16c"} - has)
            raise RuntimeError(f"this processor lacks {', '.join(missing)}; kcompile needs x86-64 with AVX2, FMA and F16C")
        vector_bytes, registers = (64, 32) if wide else (32, 16)
    else:
        vector_bytes, registers = 16, 32
    flags = ",".join(sorted(("+" if present else "-") + name for name, present in found.features.items()))
    return Target(
        name="host", triple=triple, cpu=found.cpu, features=f"{flags},{_WIDE}" if wide else flags,
        vector_bytes=vector_bytes, registers=registers, l1=_cache_size(1, 32 << 10), l2=_cache_size(2, 512 << 10),
        cores=usable_cores(), masks=wide, native_bf16="avx512bf16" in has)


def _cache_size(level: int, otherwise: int) -> int:
    """Bytes of the data cache of that level as Linux reports it for processor 0."""
    for folder in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        try:
            found, kind, size = ((folder / f).read_text().strip() for f in ("level", "type", "size"))
        except OSError:
            continue
        if found == str(level) and kind in ("Data", "Unified") and size[:-1].isdigit() and size[-1] in "KM":
            return int(size[:-1]) << (10 if size[-1] == "K" else 20)
    return otherwise


def usable_cores() -> int:
    """Processors this process may run on: affinity, then the cgroup's quota rounded up; at least 1."""
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    quota = _cgroup_quota()
    return max(1, min(cores, quota) if quota else cores)


def _cgroup_quota() -> int | None:
    """Processors that the cgroup's CPU quota amounts to, rounded up; None where there is no quota."""
    own = {}
    try:
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            own[controllers] = path.strip("/")
    except OSError:
        return None
    limits = []
    for controllers, path in own.items():
        root = Path("/sys/fs/cgroup") / controllers
        for folder in [root / path, *(root / path).parents]:
            limits.append(_quota_v2(folder) if not controllers else _quota_v1(folder) if "cpu" in controllers.split(",") else None)
            if folder == root:
                break
    known = [limit for limit in limits if limit]
    return min(known) if known else None


def _quota_v2(folder: Path) -> int | None:
    try:
        quota, period = (folder / "cpu.max").read_text().split()
    except (OSError, ValueError):
        return None
    return None if quota == "max" else -(-int(quota) // int(period))


def _quota_v1(folder: Path) -> int | None:
    try:
        quota = int((folder / "cpu.cfs_quota_us").read_text())
        period = int((folder / "cpu.cfs_period_us").read_text())
    except (OSError, ValueError):
        return None
    return None if quota <= 0 or period <= 0 else -(-quota // period)
