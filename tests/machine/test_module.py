"""Text to object code: errors name their place, several modules link, memory is given back."""

from __future__ import annotations

import ctypes

import pytest

from kcompile.codegen.assembly import assembly
from kcompile.codegen.module import InvalidText, Loaded, object_code, parse
from kcompile.codegen.target import Target
from kcompile.codegen.text_builder import Writer, join

ADD = """define i64 @add(i64 %a, i64 %b) {
  %c = add i64 %a, %b
  ret i64 %c
}
"""
TWICE = """declare i64 @add(i64, i64)
define i64 @twice(i64 %a) {
  %c = call i64 @add(i64 %a, i64 %a)
  ret i64 %c
}
"""


def test_modules_link_with_each_other() -> None:
    loaded = Loaded([object_code(ADD, Target.host()), object_code(TWICE, Target.host())], ["twice"])
    assert ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(loaded.addresses["twice"])(21) == 42
    loaded.close()


def test_loaded_code_gives_its_memory_back() -> None:
    content = object_code(ADD, Target.host())

    def pages() -> int:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1])

    for _ in range(20):
        Loaded([content], ["add"]).close()
    before = pages()
    for _ in range(200):
        Loaded([content], ["add"]).close()
    assert pages() - before < 100


def test_a_parse_error_names_line_function_and_text() -> None:
    with pytest.raises(InvalidText) as caught:
        parse(ADD.replace("%a, %b\n", "%a, %missing\n"), "layer")
    message = str(caught.value)
    assert "layer, line 2" in message and "in @add" in message and "%c = add i64 %a, %missing" in message


def test_a_verifier_error_names_line_and_function() -> None:
    text = "define void @other() {\n  ret void\n}\ndefine i64 @bad(i1 %q) {\nentry:\n  br i1 %q, label %a, label %b\na:\n" \
           "  %x = add i64 1, 2\n  br label %b\nb:\n  %y = add i64 %x, 1\n  ret i64 %y\n}\n"
    with pytest.raises(InvalidText) as caught:
        parse(text)
    message = str(caught.value)
    assert "in @bad" in message and "line 11" in message and "does not dominate" in message


def test_assembly_shows_wide_vectors() -> None:
    text = "define void @f(ptr %p) {\n  %x = load <16 x float>, ptr %p\n  %y = fadd <16 x float> %x, %x\n" \
           "  store <16 x float> %y, ptr %p\n  ret void\n}\n"
    assert "zmm" in assembly(text, Target.named("avx512"))
    assert "ymm" in assembly(text, Target.named("avx2")) and "zmm" not in assembly(text, Target.named("avx2"))


def test_assembly_of_a_foreign_target() -> None:
    assert "add\tx0, x0, x1" in assembly(ADD, Target.named("neon"))


def test_writer_is_deterministic_and_declares_once() -> None:
    def build() -> Writer:
        w = Writer()
        w.raw("define float @f(float %x) {")
        w.label("entry")
        a = w.call("float", "llvm.fabs.f32", ("float", "%x"))
        b = w.call("float", "llvm.fabs.f32", ("float", a))
        w.line(f"ret float {b}")
        w.raw("}")
        return w

    assert build().text() == build().text()
    assert build().text().count("declare") == 1
    parse(build().text())


def test_join_keeps_equal_blocks_once_and_definitions_over_declarations() -> None:
    joined = join([ADD, TWICE, TWICE])
    assert joined.count("define") == 2 and "declare" not in joined
    parse(joined)
    with pytest.raises(ValueError, match="closing brace"):
        join(["define void @f() {\n  ret void }"])
