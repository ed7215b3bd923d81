"""Why the cache had nothing for a step: beside each step lies a record of what its last entry was made from.

    program 'mlp.train': compiled, because the model, its data or its optimizer is another one
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path

from . import cache

# What an entry depends on, in the order in which it is blamed.
REASONS = {
    "llvmlite": "llvmlite is of another version",
    "source": "kcompile's compiler has changed since (its source in ir/ or codegen/)",
    "target": "it was compiled for another processor or with other features",
    "tune": "its tiles were measured then and are not now, or the other way round (KCOMPILE_TUNE)",
    "winograd": "its convolutions were products of transformed tiles then and are not now, or the other way round (KCOMPILE_WINOGRAD)",
    "text": "the model, its data or its optimizer is another one",
}


def explain(folder: Path, subject: str, key: str, parts: Mapping[str, str]) -> str:
    """The reason, from the record of the subject's last entry."""
    if (folder / key).exists():
        return "the entry is damaged, and made again"
    data = cache.read_entry(folder / _record_name(subject))
    if data is None:
        return "nothing of this name was compiled into this cache"
    known: dict[str, str] = json.loads(data)
    changed = [reason for part, reason in REASONS.items() if known.get(part) != parts[part]]
    return "; ".join(changed) or "the entry was evicted, or the cache was emptied"


def remember(folder: Path, subject: str, parts: Mapping[str, str], limit: int) -> None:
    """Keeps what the entry of a step was made from, for `explain`."""
    cache.write_entry(folder, _record_name(subject), json.dumps(dict(parts)).encode(), limit)


def report(log: str | None, subject: str, outcome: str, kind: str = "program") -> None:
    """A line to the log about a program or a kernel: a file, or standard error for '-'."""
    if log is None:
        return
    line = f"{kind} {subject!r}: {outcome}\n"
    if log == "-":
        sys.stderr.write(line)
        return
    with open(log, "a", encoding="utf-8") as file:
        file.write(line)


def _record_name(subject: str) -> str:
    """As long as the name of an entry: it is swept like one."""
    return hashlib.sha256(f"record of {subject}".encode()).hexdigest()
