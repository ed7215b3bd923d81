"""The list of packages in pyproject.toml is the tree's."""

from __future__ import annotations

import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def packages_in_tree():
    found = set()
    for room in ("kcompile", "ir", "codegen"):
        for init in (ROOT / room).rglob("__init__.py"):
            parts = init.relative_to(ROOT).parent.parts
            if room == "kcompile" and parts[1:2] in (("ir",), ("codegen",)):
                continue
            found.add(".".join(parts if room == "kcompile" else ("kcompile", *parts)))
    return found


def test_every_package_is_listed():
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert set(config["tool"]["setuptools"]["packages"]) == packages_in_tree()


def test_links_lead_to_the_rooms():
    for room in ("ir", "codegen"):
        link = ROOT / "kcompile" / room
        assert link.is_symlink() and link.resolve() == ROOT / room
