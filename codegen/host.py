"""This machine as a target: what LLVM says of its processor, what Linux says of caches, and how many cores this process may use."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from .options import CodegenOptions
from .processor import Processor, processor
from .target import WHOLE_VECTORS, Target

_found: list[Target] = []


def host(options: CodegenOptions | None) -> Target:
    """The description of this machine; see Target.host."""
    if not _found:
        _found.append(_described(processor(options)))
    return _found[0]


def _described(found: Processor) -> Target:
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
        name="host", triple=triple, cpu=found.cpu, features=f"{flags},{WHOLE_VECTORS}" if wide else flags,
        vector_bytes=vector_bytes, registers=registers, l1=_cache_size(1, 32 << 10), l2=_cache_size(2, 512 << 10),
        cores=usable_cores(), masks=wide, native_bf16="avx512bf16" in has, multiply_adds=_wide_multiply_adds(has) if wide else 2)


def _wide_multiply_adds(has: set[str]) -> int:
    """Multiply-adds of 64 bytes that begin in a cycle of a processor with AVX-512 and these features: two, or one where nothing shows that
    it has units for two. Features, not a measurement: the bits of results depend on it, and neighbours would."""
    if "sse4a" in has:  # of AMD alone
        return 2 if "avxvnni" in has else 1  # since Zen 5; a Zen 4 works on halves
    if "avx512ifma" not in has:  # Skylake to Cooper Lake, which have AVX-512 in servers and workstations alone
        return 2
    return 2 if "wbnoinvd" in has or "amx-tile" in has else 1  # servers since Ice Lake; its like in laptops and desktops has one unit


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
