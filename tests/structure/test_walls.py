"""The one-way dependency `kcompile -> codegen -> ir -> common`, and which room may import which package, held by the imports themselves."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted(p for room in ("ir", "codegen", "kcompile") for p in (ROOT / room).rglob("*.py")
               if not {"ir", "codegen"} & set(p.relative_to(ROOT / room).parts[:1]) or room != "kcompile")

# outside package -> the places that may import it (a path below the root, or a folder)
ALLOWED = {
    "llvmlite": ("codegen/",),
    "networkx": ("ir/graph.py",),
    "h5py": ("kcompile/saving/",),
    "ml_dtypes": ("ir/types.py",),
    "numpy": ("ir/", "codegen/", "kcompile/"),
}
COMMON = "kcompile/common/"
OPTIONAL = {"rich", "PIL", "IPython"}


def absolute(module: str, level: int, path: Path) -> str:
    """The dotted name a (relative) import means."""
    if level == 0:
        return module
    relative = path.relative_to(ROOT).with_suffix("").parts
    package = list(relative if relative[0] == "kcompile" else ("kcompile", *relative))[:-1]
    return ".".join(package[: len(package) - level + 1] + ([module] if module else []))


def imports(path: Path) -> list[tuple[int, str]]:
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [(node.lineno, a.name) for a in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = absolute(node.module or "", node.level, path)
            found += [(node.lineno, f"{base}.{a.name}") for a in node.names]
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports(path):
    place = str(path.relative_to(ROOT))
    for line, name in imports(path):
        top = name.split(".")[0]
        where = f"{place}:{line} imports {name}"
        if top == "kcompile":
            room = name.split(".")[1] if "." in name else ""
            if place.startswith(COMMON):
                assert room == "common", f"{where}: common knows nothing but itself"
            if place.startswith("ir/"):
                assert room in ("ir", "common"), f"{where}: ir knows nothing but itself and what is common"
            if place.startswith("codegen/"):
                assert room in ("ir", "codegen", "common"), f"{where}: codegen never imports the front end"
        elif place.startswith(COMMON):
            assert top in sys.stdlib_module_names, f"{where}: common imports the standard library alone"
        elif top in ALLOWED:
            assert place.startswith(ALLOWED[top]), f"{where}: only {ALLOWED[top]} may"
        else:
            assert top in sys.stdlib_module_names or top in OPTIONAL, f"{where}: not a dependency of kcompile"


@pytest.mark.parametrize("name", ["ir", "codegen"])
def test_short_names_are_refused(name):
    """`import ir` from the root would load a second copy of every class."""
    done = subprocess.run([sys.executable, "-c", f"import {name}"], cwd=ROOT, text=True, capture_output=True, check=False)
    assert done.returncode == 1 and f"'kcompile.{name}'" in done.stderr
