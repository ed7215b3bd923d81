"""Objects loaded without LLVM: constants, calls, several objects; what is not understood goes to LLVM's loader; failures are told."""

from __future__ import annotations

import ctypes
from pathlib import Path

import pytest

from kcompile.codegen.elf import Image, Object, Unsupported
from kcompile.codegen.module import InvalidText, Loaded, object_code
from kcompile.codegen.target import Target

pytestmark = pytest.mark.skipif(not Target.host().is_x86, reason="the loader is for x86-64")

TABLE = """@table = private constant [4 x i64] [i64 3, i64 5, i64 7, i64 11]
define i64 @look(i64 %n) {
  %place = getelementptr [4 x i64], ptr @table, i64 0, i64 %n
  %found = load i64, ptr %place
  ret i64 %found
}
"""
LENGTH = """declare i64 @strlen(ptr)
define i64 @length(ptr %text) {
  %n = call i64 @strlen(ptr %text)
  ret i64 %n
}
define ptr @where() {
  ret ptr @strlen
}
"""
COUNTER = """@count = global i64 0
define i64 @next() {
  %old = load i64, ptr @count
  %new = add i64 %old, 1
  store i64 %new, ptr @count
  ret i64 %new
}
"""
ELSEWHERE = """declare i64 @look(i64)
declare i64 @given()
define i64 @both(i64 %n) {
  %a = call i64 @look(i64 %n)
  %b = call i64 @given()
  %c = add i64 %a, %b
  ret i64 %c
}
"""


def made(text: str) -> bytes:
    return object_code(text, Target.host())


def function(address: int, *arguments: type) -> ctypes._CFuncPtr:
    return ctypes.CFUNCTYPE(ctypes.c_int64, *arguments)(address)


def test_constants_and_calls_of_the_c_library() -> None:
    image = Image([made(TABLE), made(LENGTH)], {})
    assert [function(image.symbols["look"], ctypes.c_int64)(n) for n in range(4)] == [3, 5, 7, 11]
    assert function(image.symbols["length"], ctypes.c_char_p)(b"twelve bytes") == 12
    assert function(function(image.symbols["where"])(), ctypes.c_char_p)(b"seven..") == 7


def test_objects_call_each_other_and_what_they_are_given() -> None:
    given = ctypes.CFUNCTYPE(ctypes.c_int64)(lambda: 100)
    image = Image([made(ELSEWHERE), made(TABLE)], {"given": ctypes.cast(given, ctypes.c_void_p).value or 0})
    assert function(image.symbols["both"], ctypes.c_int64)(2) == 107


def test_code_is_executed_and_not_written() -> None:
    image = Image([made(TABLE)], {})
    address = image.symbols["look"]
    for line in Path("/proc/self/maps").read_text().splitlines():
        start, _, stop = line.split()[0].partition("-")
        if int(start, 16) <= address < int(stop, 16):
            assert line.split()[1].startswith("r-x")
            return
    raise AssertionError("the code is not mapped")


def test_memory_that_is_written_goes_to_llvm() -> None:
    with pytest.raises(Unsupported, match="written"):
        Object(made(COUNTER))
    loaded = Loaded([made(COUNTER)], ["next"])
    assert [function(loaded.addresses["next"])() for _ in range(3)] == [1, 2, 3]
    loaded.close()


def test_what_is_no_object_of_this_processor_is_not_understood() -> None:
    arm = bytearray(made(TABLE))
    arm[18:20] = (183).to_bytes(2, "little")
    for content in (b"", b"\xcf\xfa\xed\xfe" + bytes(100), bytes(arm)):
        with pytest.raises(Unsupported):
            Object(content)


def test_a_symbol_that_nobody_defines_or_two_define() -> None:
    with pytest.raises(InvalidText, match="given"):
        Loaded([made(ELSEWHERE), made(TABLE)], ["both"])
    with pytest.raises(InvalidText, match="look"):
        Loaded([made(TABLE), made(TABLE)], ["look"])
    with pytest.raises(InvalidText, match="missing"):
        Loaded([made(TABLE)], ["missing"])
