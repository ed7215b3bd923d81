"""Text to object code by llvmlite's library itself: what llvmlite.binding makes of it, in a process that does not load that."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from pathlib import Path

import llvmlite
import pytest

from kcompile.codegen import object_code
from kcompile.codegen.object_code import ASSEMBLY, FINAL_ADDRESSES, OBJECT, Binding, Library
from kcompile.codegen.runtime.text import runtime_text
from kcompile.codegen.target import Target

KINDS = {"p": None, "s": ctypes.c_char_p, "o": ctypes.POINTER(ctypes.c_char_p), "i": ctypes.c_int, "b": ctypes.c_bool,
         "n": ctypes.c_size_t}


@pytest.fixture(scope="module")
def library():
    return Library(f"{llvmlite.__path__[0]}/binding/libllvmlite.so")


def same(kind: str, theirs: object) -> bool:
    """Whether llvmlite declares what SIGNATURES say; any pointer is one."""
    return theirs is ctypes.c_void_p or issubclass(theirs, ctypes._Pointer) if kind == "p" else theirs is KINDS[kind]


def test_functions_are_declared_as_llvmlite_declares_them():
    import llvmlite.binding
    from llvmlite.binding import ffi

    assert llvmlite.__version__.startswith(object_code.KNOWN), "compare SIGNATURES with the new version's"
    undeclared = []
    for name, (result, arguments) in object_code.SIGNATURES.items():
        theirs = getattr(ffi.lib, f"LLVMPY_{name}")
        if arguments and theirs.argtypes is None:
            undeclared.append(name)
            continue
        assert len(arguments) == len(theirs.argtypes or ()), name
        assert all(map(same, arguments, theirs.argtypes or ())), name
        assert result == "-" or same(result, theirs.restype), name
    assert undeclared == ["DisposeString"]  # called with a pointer


def test_objects_and_assembly_are_those_of_the_binding(library):
    target = Target.host()
    ours, theirs = (by.machine(target.triple, target.cpu, target.features) for by in (library, Binding()))
    plain = runtime_text(target.triple).removeprefix(FINAL_ADDRESSES)
    for text in (plain, FINAL_ADDRESSES + plain):
        for kind in (OBJECT, ASSEMBLY):
            assert library.compile(text, ours, kind) == Binding().compile(text, theirs, kind)
    assert library.processor() == Binding().processor()


def test_what_llvm_refuses_is_told_in_its_words(library):
    target = Target.host()
    machine = library.machine(target.triple, target.cpu, target.features)
    with pytest.raises(RuntimeError, match="expected type"):
        library.compile("define nothing", machine, OBJECT)
    with pytest.raises(RuntimeError, match="does not dominate"):
        library.compile("define i64 @f() {\n  %a = add i64 %b, 1\n  %b = add i64 1, 1\n  ret i64 %a\n}\n", machine, OBJECT)
    with pytest.raises(RuntimeError, match="nowhere"):
        library.machine("nowhere-unknown-none", "", "")


def test_a_script_that_compiles_imports_little():
    """The helper: neither the binding nor what takes longer to import than to compile a module."""
    target = Target.host()
    code = f"""import sys
sys.path[:0] = {[str(Path(object_code.__file__).parent), str(Path(llvmlite.__file__).parents[1])]!r}
import object_code
llvm = object_code.native()
assert isinstance(llvm, object_code.Library), llvm
machine = llvm.machine({target.triple!r}, {target.cpu!r}, {target.features!r})
assert llvm.compile("define i64 @f() {{ ret i64 1 }}", machine, "object").startswith(b"\\x7fELF")
print(*sys.modules)
"""
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], check=True, capture_output=True, text=True)
    assert not {"llvmlite.binding", "json", "re", "threading", "typing", "enum", "collections"} & set(done.stdout.split())


def test_another_version_of_llvmlite_is_asked_by_its_binding(monkeypatch):
    monkeypatch.delitem(sys.modules, "llvmlite.binding", raising=False)
    assert isinstance(object_code.native(), Library)
    monkeypatch.setattr(llvmlite, "__version__", "0.99.0")
    assert isinstance(object_code.native(), Binding)
