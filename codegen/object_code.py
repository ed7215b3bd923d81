"""LLVM text to object code or assembly, with nothing but llvmlite: what `module` does in this process and `helper` in others.

Run as a script (with the words `object` or `assembly`, and the folder of llvmlite) it compiles what comes in: a line of JSON with the
target, then for each module its length (8 bytes) and its text; it answers with the length and the result, or with length 0
where LLVM refuses the text (who asked finds out why).
"""

from __future__ import annotations

import json
import sys
from typing import IO, Any

CODE_GENERATION_LEVEL = 1
# A module that begins with this line is compiled without LLVM's loop strength reduction. That pass brings 5 to 40 % where a short
# loop multiplies and adds; but its time grows faster than the number of accesses in a loop, and long ones wait for memory anyway.
FINAL_ADDRESSES = "; addresses are final\n"


def native() -> Any:
    """llvmlite.binding with the native target ready."""
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm


def machine_for(llvm: Any, triple: str, cpu: str, features: str) -> Any:
    """Raises RuntimeError for a target that LLVM does not know."""
    return llvm.Target.from_triple(triple).create_target_machine(cpu=cpu, features=features, opt=CODE_GENERATION_LEVEL, reloc="pic",
                                                                 codemodel="small")


def emit_object(llvm: Any, machine: Any, module: Any, text: str) -> bytes:
    """The object of a verified module."""
    _prepare(llvm, machine, module, text.startswith(FINAL_ADDRESSES))
    return bytes(machine.emit_object(module))


def emit_assembly(llvm: Any, machine: Any, module: Any, text: str) -> bytes:
    """The assembly of a verified module whose addresses are decided here: it is one function's text, as `emit` makes it."""
    _prepare(llvm, machine, module, text.startswith(FINAL_ADDRESSES))
    return str(machine.emit_assembly(module)).encode()


def _prepare(llvm: Any, machine: Any, module: Any, final: bool) -> None:
    """`final`: compiled without loop strength reduction."""
    module.triple = machine.triple
    module.data_layout = str(machine.target_data)
    llvm.set_option("kcompile", f"-disable-lsr={'true' if final else 'false'}")


def main(kind: str, given: IO[bytes], answers: IO[bytes]) -> None:
    emit = {"object": emit_object, "assembly": emit_assembly}[kind]
    target = json.loads(given.readline())
    llvm = native()
    machine = machine_for(llvm, **target)
    while size := int.from_bytes(given.read(8), "little"):
        text = given.read(size).decode()
        try:
            module = llvm.parse_assembly(text)
            module.verify()
            content = emit(llvm, machine, module, text)
        except RuntimeError:
            content = b""
        answers.write(len(content).to_bytes(8, "little") + content)
        answers.flush()


if __name__ == "__main__":
    sys.path[:0] = sys.argv[2:]  # where llvmlite is
    main(sys.argv[1], sys.stdin.buffer, sys.stdout.buffer)
