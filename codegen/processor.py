"""What LLVM calls this machine's processor, and which features it finds there, remembered in the cache.

Asking LLVM means loading it, for 50 MB and a twentieth of a second, which a process that compiles nothing can do without. An entry
is keyed on what the kernel says of the processor and on the compiler, and lies beside the object code under the same rules (cache.py).
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from kcompile.common.struct import struct

from . import cache
from .options import CodegenOptions

_TELLING = ("vendor_id", "cpu family", "model", "model name", "stepping", "microcode", "flags")  # lines of /proc/cpuinfo that stay the same


@struct(frozen=True)
class Processor:
    """LLVM's words: `features` holds every feature that LLVM knows, and whether it is there."""

    triple: str
    cpu: str
    features: dict[str, bool]


def processor(options: CodegenOptions | None) -> Processor:
    """This machine's; without options, and where the system does not say what tells processors apart, LLVM is asked."""
    identity = _identity()
    folder = cache.trusted_folder(options) if options is not None and identity else None
    if options is None or folder is None:
        return _asked()
    key = hashlib.sha256(f"processor\0{cache.compiler()}\0{identity}".encode()).hexdigest()
    known = cache.read_entry(folder / key)
    if known is not None:
        return Processor(**json.loads(known))
    found = _asked()
    content = {"triple": found.triple, "cpu": found.cpu, "features": found.features}
    cache.write_entry(folder, key, json.dumps(content).encode(), options.cache_bytes)
    return found


def _asked() -> Processor:
    from .module import COMPILING, native

    with COMPILING:
        return Processor(*native().processor())


def _identity() -> str:
    """What Linux says of the first processor of an x86 machine; '' elsewhere."""
    try:
        first = Path("/proc/cpuinfo").read_text().partition("\n\n")[0]
    except OSError:
        return ""
    lines = [line for line in first.splitlines() if line.partition("\t")[0].rstrip(" :") in _TELLING]
    return "\n".join(lines) if any(line.startswith("flags") for line in lines) else ""
