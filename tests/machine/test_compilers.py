"""The modules of a step, compiled by a thread and by a helper: the same objects, whoever makes them, and whatever becomes of the helper."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import pytest

from kcompile.codegen import assembly as assembly_module
from kcompile.codegen import helper as helper_module
from kcompile.codegen.cache import COUNTERS
from kcompile.codegen.compilers import Compilers
from kcompile.codegen.module import InvalidText, Loaded, object_code
from kcompile.codegen.object_code import CONSTANTS_STAY, FINAL_ADDRESSES, head_of
from kcompile.codegen.options import CodegenOptions
from kcompile.codegen.runtime.pool import pool
from kcompile.codegen.step_text import has_final_addresses, has_many_sums, head_for
from kcompile.codegen.target import Target

TEXTS = tuple(f"define i64 @f{n}(i64 %x) {{\n  %y = add i64 %x, {n}\n  ret i64 %y\n}}\n" for n in range(6))


@pytest.fixture
def target(monkeypatch) -> Target:
    """A machine with two cores, so that there is a helper; the runtime is there already."""
    from kcompile.common.struct import replace
    pool(CodegenOptions(cache_dir=None))
    return replace(Target.host(), cores=2)


def wait_for(condition) -> None:
    until = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


def compilers(target, options, monkeypatch=None) -> Compilers:
    """At work, with a helper; `monkeypatch`: one that has all to do."""
    made = Compilers(target, options, "test")
    if monkeypatch is not None:
        monkeypatch.setattr(Compilers, "_work", lambda self: None)
    made.start(help=True)
    return made


@pytest.mark.parametrize("helper_alone", [True, False])
def test_the_same_objects_whoever_makes_them(target, tmp_path, monkeypatch, helper_alone):
    helped = compilers(target, CodegenOptions(cache_dir=tmp_path), monkeypatch if helper_alone else None)
    for text in TEXTS:
        helped.submit(text)
    if helper_alone:
        wait_for(lambda: all(text in helped.made for text in TEXTS))
    objects = helped.objects(TEXTS)
    assert objects == [object_code(text, target) for text in TEXTS]
    loaded = Loaded(objects, ["f5"])
    assert loaded.addresses["f5"]
    loaded.close()


def test_a_second_time_nothing_is_compiled(target, tmp_path):
    options = CodegenOptions(cache_dir=tmp_path)
    first = Compilers(target, options, "test").objects(TEXTS)
    before = COUNTERS.compiled, COUNTERS.loaded
    assert compilers(target, options).objects(TEXTS) == first
    assert (COUNTERS.compiled - before[0], COUNTERS.loaded - before[1]) == (0, len(TEXTS))


@pytest.mark.parametrize("program", ["/bin/false", "/nowhere/python", ""])
def test_without_a_helper_everything_is_compiled_here(target, monkeypatch, program):
    monkeypatch.setattr(sys, "executable", program)
    assert len(compilers(target, CodegenOptions(cache_dir=None)).objects(TEXTS)) == len(TEXTS)


def test_on_one_processor_nothing_runs_beside(target):
    from kcompile.common.struct import replace
    alone = compilers(replace(target, cores=1), CodegenOptions(cache_dir=None))
    assert alone._thread is None and alone._helper.thread is None
    assert len(alone.objects(TEXTS)) == len(TEXTS)


def test_a_helper_that_dies_over_a_module_loses_nothing(target, monkeypatch, tmp_path):
    script = tmp_path / "object_code.py"
    script.write_text("import sys; sys.stdin.buffer.readline(); sys.stdin.buffer.read(20); sys.exit(3)")
    monkeypatch.setattr(helper_module, "__file__", str(tmp_path / "helper.py"))
    helped = compilers(target, CodegenOptions(cache_dir=None), monkeypatch)
    helped.submit(TEXTS[0])
    wait_for(lambda: not helped._helper.waiting)
    assert helped.objects(TEXTS) == [object_code(text, target) for text in TEXTS]


@pytest.mark.parametrize("helper_alone", [True, False])
def test_a_text_that_llvm_refuses_is_explained_here(target, monkeypatch, helper_alone):
    helped = compilers(target, CodegenOptions(cache_dir=None), monkeypatch if helper_alone else None)
    bad = "define void @f() {\n  ret i64 1\n}\n"
    helped.submit(bad)
    wait_for(lambda: not helped._helper.waiting)
    with pytest.raises(InvalidText, match="line 2"):
        helped.objects((bad,))


def test_with_two_processors_this_process_lends_a_hand_at_the_end(target, monkeypatch):
    """The helper, given two modules at a time, has begun nothing else when the last was submitted."""
    release, listen = threading.Event(), helper_module.Helper._listen
    monkeypatch.setattr(helper_module.Helper, "_listen", lambda self, answers: release.wait() and listen(self, answers))
    here: list[str] = []
    compile_here = Compilers._compile
    monkeypatch.setattr(Compilers, "_compile", lambda self, text: (here.append(text), compile_here(self, text), release.set()))
    helped = compilers(target, CodegenOptions(cache_dir=None))
    assert helped._thread is None
    for text in TEXTS:
        helped.submit(text)
    wait_for(lambda: len(helped._helper._given) == helper_module.AHEAD)
    assert list(helped._helper.waiting) == list(TEXTS[2:]) and not here
    assert helped.objects(TEXTS) == [object_code(text, target) for text in TEXTS]
    assert here[0] == TEXTS[2] and not set(here) & set(TEXTS[:2])


def test_the_helper_makes_the_runtime_first():
    """Where there is none yet: in a process of its own. Without a cache, too, it is compiled once."""
    script = """
from kcompile.codegen.compilers import Compilers
from kcompile.codegen.options import CodegenOptions
from kcompile.codegen.runtime.pool import pool
from kcompile.codegen.runtime import pool
from kcompile.codegen.target import Target
from kcompile.codegen import cache
from kcompile.common.struct import replace
Target.host = staticmethod(lambda options=None, host=replace(Target.host(), cores=2): host)
Compilers._work = lambda self: None
options = CodegenOptions(cache_dir=None)
compilers = Compilers(Target.host(), options, "test")
compilers.start(help=True)
compilers.objects(())
assert list(compilers.made) == [pool.missing_runtime(options)] and cache.COUNTERS.compiled == 1
assert pool.pool(options, compilers.made).step_entry and cache.COUNTERS.compiled == 1
assert pool.missing_runtime(options) is None
"""
    subprocess.run([sys.executable, "-c", script], check=True)


def test_threads_switch_as_before_and_end(target):
    """Also where the modules are given up."""
    from kcompile.common.struct import replace
    usual = sys.getswitchinterval()
    for cores in (2, 3):
        for end in (lambda one: one.objects(TEXTS), Compilers.give_up):
            helped = compilers(replace(target, cores=cores), CodegenOptions(cache_dir=None))
            threads = [thread for thread in (helped._thread, helped._helper.thread) if thread is not None]
            assert len(threads) == cores - 1 and sys.getswitchinterval() < usual
            for text in TEXTS:
                helped.submit(text)
            end(helped)
            assert not any(thread.is_alive() for thread in threads) and sys.getswitchinterval() == usual


def test_assembly_is_the_same_with_and_without_a_helper(target, monkeypatch):
    """The helper takes its share, the order is what was asked for, and a text that comes twice is compiled once."""
    asked = [*TEXTS, TEXTS[0]]
    alone = [assembly_module.assembly(text, target) for text in asked]
    both = assembly_module.Assembler(target)
    both.start()
    assert both.run(iter(asked)) == alone and "f3" in alone[3]
    monkeypatch.setattr(assembly_module, "_here", lambda marked, target: pytest.fail("compiled here"))
    monkeypatch.setattr(helper_module.Helper, "take", lambda self: None)
    helped = assembly_module.Assembler(target)
    helped.start()
    assert helped.run(asked) == alone  # all of it by the helper


def test_assembly_that_llvm_refuses_names_the_line(target):
    helped = assembly_module.Assembler(target)
    helped.start()
    with pytest.raises(InvalidText, match="line 2"):
        helped.run([TEXTS[0], "define void @f() {\n  ret i64 1\n}\n"])
    assert helped._helper.thread is None


def block(loads: int, fma: bool, requests: int = 0) -> str:
    lines = ["entry:", *(f"  %v{n} = load float, ptr %p" for n in range(loads))]
    lines += ["  call void @llvm.prefetch.p0(ptr %p, i32 0, i32 3, i32 1)"] * requests
    return "\n".join([*lines, "  call float @llvm.fma.f32(float %a, float %b, float %c)" if fma else ""])


def test_only_short_loops_of_multiply_adds_are_left_to_llvm():
    """Not even these where vectors are wide."""
    narrow, wide = Target.named("avx2"), Target.named("avx512")
    assert not has_final_addresses(block(10, fma=True), narrow) and has_final_addresses(block(10, fma=True), wide)
    assert has_final_addresses(block(100, fma=True), narrow) and has_final_addresses(block(10, fma=False), narrow)
    assert not has_final_addresses(block(32, fma=True), narrow) and has_final_addresses(block(31, fma=True, requests=2), narrow)


def test_how_a_module_is_compiled_is_part_of_its_text(target):
    for head in (FINAL_ADDRESSES, CONSTANTS_STAY, FINAL_ADDRESSES + CONSTANTS_STAY):
        assert object_code(head + TEXTS[0], target)  # the lines are comments to LLVM
        assert head_of(head + TEXTS[0]) == head and head_of(TEXTS[0]) == ""


def test_constants_stay_where_sums_fill_the_registers():
    """A constant of an epilogue in a register, during the sum of the next tile, would put one of the sums into memory."""
    def loop(sums: int) -> str:
        return "loop1:\n" + "".join(f"  %c{n} = phi <16 x float> [ %a, %b ], [ %d, %e ]\n" for n in range(sums)) + "  br label %loop1\n"
    wide, narrow = Target.named("avx512"), Target.named("avx2")
    assert has_many_sums(loop(16), wide) and not has_many_sums(loop(15), wide) and not has_many_sums(loop(15) + loop(15), wide)
    assert has_many_sums(loop(8), narrow) and not has_many_sums(loop(7), narrow)
    assert head_for(loop(24), wide) == FINAL_ADDRESSES + CONSTANTS_STAY
