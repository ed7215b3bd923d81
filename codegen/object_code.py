"""LLVM text to object code or assembly, with nothing but llvmlite: what `module` does in this process and `helper` in others.

Half of what it takes to load `llvmlite.binding` is Python that nothing here needs, and each process that compiles pays it before its first
module. So of versions of llvmlite whose functions are known (`KNOWN`) the library is opened by itself (`Library`). For another version,
and where someone has loaded `llvmlite.binding` before, it is asked (`Binding`), with the same results.

Run as a script (with the words `object` or `assembly`, the folder of llvmlite, and the target's triple, processor and features) it compiles
what comes in: for each module its length (8 bytes) and its text; it answers with the length and the result, or with length 0
where LLVM refuses the text (who asked finds out why).
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # typing takes as long to import as all that is here
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import IO, Any

    Machine = tuple[Any, bytes, bytes]  # LLVM's target machine, the triple and the layout of data of its modules

OBJECT, ASSEMBLY = "object", "assembly"
CODE_GENERATION_LEVEL = 1
# Lines that a module may begin with, and the pass of LLVM that it is then compiled without.
# Loop strength reduction brings 5 to 40 % where a short loop multiplies and adds; but its time grows faster than the number of accesses in
# a loop, and long ones wait for memory anyway.
FINAL_ADDRESSES = "; addresses are final\n"
# Moving constants out of loops saves loads; but they are then in registers beside all the sums of a tile, some of which are kept in memory.
CONSTANTS_STAY = "; constants stay where they are used\n"
PASSES = {FINAL_ADDRESSES: "lsr", CONSTANTS_STAY: "machine-licm"}
KNOWN = ("0.48.", "0.49.", "0.50.")  # of which SIGNATURES are those of llvmlite's own binding
# What is called: (result, arguments). p: a pointer, s: bytes, o: a place for a string, i: an int, b: a bool, n: a size, -: nothing of use.
SIGNATURES = {
    "InitializeNativeTarget": ("-", ""),
    "InitializeNativeAsmPrinter": ("-", ""),
    "SetCommandLine": ("-", "ss"),
    "GetProcessTriple": ("-", "o"),
    "GetHostCPUName": ("-", "o"),
    "GetHostCPUFeatures": ("i", "o"),
    "GetTargetFromTriple": ("p", "so"),
    "CreateTargetMachine": ("p", "psssissiis"),
    "GetTargetMachineTriple": ("-", "po"),
    "CreateTargetMachineData": ("p", "p"),
    "CopyStringRepOfTargetData": ("-", "po"),
    "ContextCreate": ("p", ""),
    "ContextDispose": ("-", "p"),
    "ParseAssembly": ("p", "pso"),
    "VerifyModule": ("b", "po"),
    "SetTarget": ("-", "ps"),
    "SetDataLayout": ("-", "ps"),
    "DisposeModule": ("-", "p"),
    "TargetMachineEmitToMemory": ("p", "ppio"),
    "GetBufferStart": ("p", "p"),
    "GetBufferSize": ("n", "p"),
    "DisposeMemoryBuffer": ("-", "p"),
    "DisposeString": ("-", "p"),
}


class Library:
    """The functions of llvmlite's library, called by themselves: one at a time, as llvmlite calls them."""

    def __init__(self, path: str) -> None:
        import ctypes

        kinds: dict[str, Any] = {"p": ctypes.c_void_p, "s": ctypes.c_char_p, "o": ctypes.POINTER(ctypes.c_char_p), "i": ctypes.c_int,
                 "b": ctypes.c_bool, "n": ctypes.c_size_t, "-": None}
        library = ctypes.CDLL(path)
        self._ctypes, self._functions = ctypes, {}
        for name, (result, arguments) in SIGNATURES.items():
            function = self._functions[name] = library["LLVMPY_" + name]
            function.restype, function.argtypes = kinds[result], [kinds[a] for a in arguments]
        self._call("InitializeNativeTarget")
        self._call("InitializeNativeAsmPrinter")

    def _call(self, name: str, *given: Any) -> Any:
        return self._functions[name](*given)

    def _told(self, name: str, *given: Any) -> tuple[Any, str]:
        """The result of a function, and the string that it leaves behind ('': none)."""
        told = self._ctypes.c_char_p()
        result = self._functions[name](*given, self._ctypes.byref(told))
        if told.value is None:
            return result, ""
        text = told.value.decode()
        self._functions["DisposeString"](self._ctypes.cast(told, self._ctypes.c_void_p))
        return result, text

    def processor(self) -> tuple[str, str, dict[str, bool]]:
        """The triple of this process, the name of this machine's processor, and every feature that LLVM knows: whether it is there."""
        triple, cpu, features = (self._told(name)[1] for name in ("GetProcessTriple", "GetHostCPUName", "GetHostCPUFeatures"))
        return triple, cpu, {one[1:]: one[0] == "+" for one in features.split(",") if one}

    def machine(self, triple: str, cpu: str, features: str) -> Machine:
        """Raises RuntimeError for a target that LLVM does not know."""
        target, error = self._told("GetTargetFromTriple", triple.encode())
        if not target:
            raise RuntimeError(error)
        made = self._call("CreateTargetMachine", target, triple.encode(), cpu.encode(), features.encode(), CODE_GENERATION_LEVEL,
                          b"pic", b"small", 0, 0, b"")
        if not made:
            raise RuntimeError("Cannot create target machine")
        layout = self._told("CopyStringRepOfTargetData", self._call("CreateTargetMachineData", made))[1]
        return made, self._told("GetTargetMachineTriple", made)[1].encode(), layout.encode()

    def compile(self, text: str, machine: Machine, kind: str) -> bytes:
        """The object or the assembly of a module's text. Raises RuntimeError with LLVM's words where it refuses the text."""
        context = self._call("ContextCreate")
        try:
            return self._compiled(context, text, machine, kind)
        finally:
            self._call("ContextDispose", context)

    def _compiled(self, context: Any, text: str, machine: Machine, kind: str) -> bytes:
        made, triple, layout = machine
        module, error = self._told("ParseAssembly", context, text.encode())
        try:
            if not module or error:
                raise RuntimeError(error)
            wrong, error = self._told("VerifyModule", module)
            if wrong:
                raise RuntimeError(error)
            self._call("SetTarget", module, triple)
            self._call("SetDataLayout", module, layout)
            _say(text, lambda option: self._call("SetCommandLine", b"kcompile", option.encode()))
            buffer, error = self._told("TargetMachineEmitToMemory", made, module, int(kind == OBJECT))
            if not buffer:
                raise RuntimeError(error)
            content: bytes = self._ctypes.string_at(self._call("GetBufferStart", buffer), self._call("GetBufferSize", buffer))
            self._call("DisposeMemoryBuffer", buffer)
            return content
        finally:
            if module:
                self._call("DisposeModule", module)


class Binding:
    """The same by llvmlite.binding."""

    def __init__(self) -> None:
        self.llvm = binding()

    def processor(self) -> tuple[str, str, dict[str, bool]]:
        return self.llvm.get_process_triple(), self.llvm.get_host_cpu_name(), dict(self.llvm.get_host_cpu_features())

    def machine(self, triple: str, cpu: str, features: str) -> Any:
        return self.llvm.Target.from_triple(triple).create_target_machine(cpu=cpu, features=features, opt=CODE_GENERATION_LEVEL,
                                                                          reloc="pic", codemodel="small")

    def compile(self, text: str, machine: Any, kind: str) -> bytes:
        module = self.llvm.parse_assembly(text)
        module.verify()
        return self.emit(module, text, machine, kind)

    def emit(self, module: Any, text: str, machine: Any, kind: str) -> bytes:
        """Of a verified module. `text`: with the lines that say how it is compiled."""
        module.triple = machine.triple
        module.data_layout = str(machine.target_data)
        _say(text, lambda option: self.llvm.set_option("kcompile", option))
        return bytes(machine.emit_object(module)) if kind == OBJECT else str(machine.emit_assembly(module)).encode()


_without = dict.fromkeys(PASSES, False)


def head_of(text: str) -> str:
    """The lines with which a module begins that say how it is compiled."""
    found = ""
    for line in PASSES:
        if text.startswith(found + line):
            found += line
    return found


def _say(text: str, say: Any) -> None:
    """Tell LLVM which passes a module goes without, if it was told otherwise before: an option is of the process."""
    head = head_of(text)
    for line, name in PASSES.items():
        if _without[line] != (line in head):
            _without[line] = line in head
            say(f"-disable-{name}={'true' if _without[line] else 'false'}")


def binding() -> Any:
    """llvmlite.binding with the native target ready."""
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm


def native() -> Library | Binding:
    """Whichever is there sooner."""
    import llvmlite

    path = f"{llvmlite.__path__[0]}/binding/libllvmlite.so"
    if "llvmlite.binding" in sys.modules or not llvmlite.__version__.startswith(KNOWN):
        return Binding()
    try:
        return Library(path)
    except (OSError, AttributeError):  # of another system, or installed in another way
        return Binding()


def main(kind: str, target: Sequence[str], given: IO[bytes], answers: IO[bytes]) -> None:
    llvm = native()
    machine = llvm.machine(*target)
    while size := int.from_bytes(given.read(8), "little"):
        text = given.read(size).decode()
        try:
            content = llvm.compile(text, machine, kind)
        except RuntimeError:
            content = b""
        answers.write(len(content).to_bytes(8, "little") + content)
        answers.flush()


if __name__ == "__main__":
    sys.path[:0] = sys.argv[2:3]  # where llvmlite is
    main(sys.argv[1], sys.argv[3:], sys.stdin.buffer, sys.stdout.buffer)
