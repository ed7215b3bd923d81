"""Targets: named ones are fixed, the host's is sane, quotas count."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kcompile.codegen import target as target_module
from kcompile.codegen.target import Target
from kcompile.ir.types import bf16, boolean, f32, f64, i8


def test_lanes() -> None:
    wide, narrow, none = Target.named("avx512"), Target.named("avx2"), Target.named("scalar")
    assert [wide.lanes(d) for d in (f32, f64, bf16, i8, boolean)] == [16, 8, 16, 64, 64]
    assert [narrow.lanes(d) for d in (f32, f64, bf16)] == [8, 4, 8]
    assert none.lanes(f32) == 1
    with pytest.raises(ValueError, match=r"'sse'.*avx512, avx2, neon, scalar, host"):
        Target.named("sse")


def test_host() -> None:
    host = Target.host()
    assert host is Target.host() is Target.named("host")
    assert 1 <= host.cores <= (os.cpu_count() or 1)
    assert host.l1 >= 8 << 10 and host.l2 > host.l1
    assert host.vector_bytes in (16, 32, 64)


def test_affinity_limits_cores() -> None:
    allowed = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(allowed)})
        assert target_module.usable_cores() == 1
    finally:
        os.sched_setaffinity(0, allowed)


@pytest.mark.parametrize(("text", "cores"), [("max 100000", None), ("150000 100000", 2), ("50000 100000", 1), ("nonsense", None)])
def test_quota_of_version_two(tmp_path: Path, text: str, cores: int | None) -> None:
    (tmp_path / "cpu.max").write_text(text)
    assert target_module._quota_v2(tmp_path) == cores


@pytest.mark.parametrize(("quota", "cores"), [("-1", None), ("250000", 3)])
def test_quota_of_version_one(tmp_path: Path, quota: str, cores: int | None) -> None:
    (tmp_path / "cpu.cfs_quota_us").write_text(quota)
    (tmp_path / "cpu.cfs_period_us").write_text("100000")
    assert target_module._quota_v1(tmp_path) == cores
    assert target_module._quota_v1(tmp_path / "none") is None
