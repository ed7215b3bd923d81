"""Modules as assembly, for people: by this process and a helper, or by a process of its own for a foreign target."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

from .helper import ASSEMBLY, Helper
from .module import llvm_binding, machine_of, parse
from .object_code import FINAL_ADDRESSES, emit_assembly
from .target import Target

WORTH_A_HELPER = 100_000  # characters of LLVM text: below it a second process takes longer to start than it saves


def assembly(text: str, target: Target) -> str:
    """Assembly of a module's text; see `assemblies`."""
    return assemblies([text], target)[0]


def assemblies(texts: Sequence[str], target: Target) -> list[str]:
    """Assembly of the text of each module. Raises InvalidText, and ValueError for a foreign target that cannot express a text.

    A foreign target is tried in a process of its own: LLVM ends it on a failure.
    """
    if target.triple != llvm_binding().get_process_triple():
        return _in_a_process(texts, target)
    found: dict[str, str] = {}
    helper = Helper(target, ASSEMBLY, lambda text, content: found.update({text: content.decode()}),
                    start=len(texts) > 1 and sum(map(len, texts)) > WORTH_A_HELPER)
    given = [_marked(text) for text in texts]
    try:
        for text in dict.fromkeys(given):
            helper.add(text)
        while (mine := helper.take()) is not None:
            found[mine] = _here(mine, target)
    finally:
        helper.close()
    return [found[text] if text in found else _here(text, target) for text in given]


def foreign_assemblies(texts: Sequence[str], target: Target) -> list[str]:
    """Assembly for any triple that llvmlite was built with; may end the process."""
    binding = llvm_binding()
    binding.initialize_all_targets()
    binding.initialize_all_asmprinters()
    return [_here(_marked(text), target) for text in texts]


def _in_a_process(texts: Sequence[str], target: Target) -> list[str]:
    for text in texts:
        parse(text)
    program = ("import sys, pickle; texts, target = pickle.load(sys.stdin.buffer); "
               "from kcompile.codegen import assembly; sys.stdout.buffer.write(pickle.dumps(assembly.foreign_assemblies(texts, target)))")
    import pickle

    done = subprocess.run([sys.executable, "-c", program], input=pickle.dumps((list(texts), target)), capture_output=True, check=False)
    if done.returncode:
        tail = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise ValueError(f"target {target.name!r} cannot express this program: {' '.join(tail)}")
    found: list[str] = pickle.loads(done.stdout)
    return found


def _marked(text: str) -> str:
    """The text as a step's modules have it: beginning with the line that says how its addresses are compiled."""
    from .step_text import has_final_addresses
    return text if text.startswith(FINAL_ADDRESSES) or not has_final_addresses(text) else FINAL_ADDRESSES + text


def _here(marked: str, target: Target) -> str:
    module = parse(marked.removeprefix(FINAL_ADDRESSES))  # so that an error counts lines as the text does
    return emit_assembly(llvm_binding(), machine_of(target), module, marked).decode()
