"""Targets: named ones are fixed, the host's is sane, what is told by features, quotas count."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kcompile.codegen import host
from kcompile.codegen.processor import Processor
from kcompile.codegen.target import Target
from kcompile.common.struct import replace
from kcompile.ir.types import bf16, boolean, f32, f64, i8


def test_lanes() -> None:
    wide, narrow, none = Target.named("avx512"), Target.named("avx2"), Target.named("scalar")
    assert [wide.lanes(d) for d in (f32, f64, bf16, i8, boolean)] == [16, 8, 16, 64, 64]
    assert [narrow.lanes(d) for d in (f32, f64, bf16)] == [8, 4, 8]
    assert none.lanes(f32) == 1
    with pytest.raises(ValueError, match=r"'sse'.*avx512, avx2, neon, scalar, host"):
        Target.named("sse")


def test_host() -> None:
    here = Target.host()
    assert here is Target.host() is Target.named("host")
    assert 1 <= here.cores <= (os.cpu_count() or 1)
    assert here.l1 >= 8 << 10 and here.l2 > here.l1
    assert here.vector_bytes in (16, 32, 64)
    assert here.multiply_adds in (1, 2)


AVX512 = {"avx2", "fma", "f16c", "avx512f", "avx512vl", "avx512dq", "avx512bw"}


@pytest.mark.parametrize(("more", "count"), [
    ({"avx512vnni", "clwb"}, 2),  # Cascade Lake
    ({"avx512ifma", "avx512vbmi", "avx512vp2intersect"}, 1),  # Tiger Lake
    ({"avx512ifma", "avx512vbmi", "wbnoinvd"}, 2),  # an Ice Lake server
    ({"avx512ifma", "avx512fp16", "avxvnni", "amx-tile"}, 2),  # Sapphire Rapids, wbnoinvd hidden by a hypervisor
    ({"sse4a", "avx512ifma", "avx512bf16", "wbnoinvd"}, 1),  # Zen 4
    ({"sse4a", "avx512ifma", "avx512bf16", "wbnoinvd", "avxvnni", "avx512vp2intersect"}, 2),  # Zen 5
])
def test_multiply_adds_are_told_by_features(more: set[str], count: int) -> None:
    features = dict.fromkeys(AVX512 | more, True) | dict.fromkeys({"sse4a", "amx-tile"} - more, False)
    assert host._described(Processor("x86_64-unknown-linux-gnu", "any", features)).multiply_adds == count
    narrow = {name: present and "avx512" not in name for name, present in features.items()}
    assert host._described(Processor("x86_64-unknown-linux-gnu", "any", narrow)).multiply_adds == 2


def test_numbers_after_a_name() -> None:
    found = Target.named("avx512,multiply_adds=2,l1=48K,l2=2M,cores=4")
    assert found == replace(Target.named("avx512"), name=found.name, multiply_adds=2, l1=48 << 10, l2=2 << 20, cores=4)
    assert Target.named("host,l1=32768").l1 == 32 << 10 and Target.named("host,l1=32768").cpu == Target.host().cpu
    assert "1 multiply-add a cycle" in str(Target.named("avx512")) and "2 multiply-adds a cycle" in str(found)
    for wrong in ("avx512,l3=1M", "avx512,l1", "avx512,l1=", "avx512,cores=0", "avx512,l2=big", "avx512,", "avx512,l1=-1"):
        with pytest.raises(ValueError, match=r"is no number of a target; expected one of l1, l2, cores, multiply_adds"):
            Target.named(wrong)
    with pytest.raises(ValueError, match="no target is called 'pentium'"):
        Target.named("pentium,l1=8K")


def test_what_two_multiply_adds_change() -> None:
    lanes = {name: Target.named(name).filtered_lanes for name in ("avx512", "avx512,multiply_adds=2", "avx2", "neon", "scalar")}
    assert lanes == dict.fromkeys(lanes, 1) | {"avx512,multiply_adds=2": 16}


def test_affinity_limits_cores() -> None:
    allowed = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(allowed)})
        assert host.usable_cores() == 1
    finally:
        os.sched_setaffinity(0, allowed)


@pytest.mark.parametrize(("text", "cores"), [("max 100000", None), ("150000 100000", 2), ("50000 100000", 1), ("nonsense", None)])
def test_quota_of_version_two(tmp_path: Path, text: str, cores: int | None) -> None:
    (tmp_path / "cpu.max").write_text(text)
    assert host._quota_v2(tmp_path) == cores


@pytest.mark.parametrize(("quota", "cores"), [("-1", None), ("250000", 3)])
def test_quota_of_version_one(tmp_path: Path, quota: str, cores: int | None) -> None:
    (tmp_path / "cpu.cfs_quota_us").write_text(quota)
    (tmp_path / "cpu.cfs_period_us").write_text("100000")
    assert host._quota_v1(tmp_path) == cores
    assert host._quota_v1(tmp_path / "none") is None
