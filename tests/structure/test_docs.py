"""The pages of docs/: what they link to and the files and functions that they name are there, and entry pages list their pages."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from kcompile.codegen.schedule import STEPS
from kcompile.ir.op import OPS

ROOT = Path(__file__).resolve().parents[2]
DECISIONS = ROOT / "docs" / "decisions"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
ENTRIES = {"runtime": "0004-runtime.md", "schedules": "0005-schedules.md"}
ROOMS = ("ir", "codegen", "kcompile", "benchmarks", "tests", "docs", "examples")


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def links(page: Path) -> list[tuple[Path, str]]:
    """The files that a page links to, and the places in them."""
    found = [target.partition("#") for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()) if "://" not in target]
    return [(Path(os.path.normpath(page.parent / to)) if to else page, place) for to, _, place in found]


def places(page: Path) -> set[str]:
    """The names under which links find a page's headings."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page):
    for to, place in links(page):
        assert to.exists(), f"{name(page)} links to {to}, which is not there"
        assert not place or place in places(to), f"{name(page)} links to #{place} of {name(to)}, which has no such heading"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_files_that_are_named_exist(page):
    for path in re.findall(rf"`((?:{'|'.join(ROOMS)})/[\w/.-]+)`", page.read_text()):
        assert (ROOT / path).exists(), f"{name(page)} names {path}, which is not there"


@pytest.fixture(scope="module")
def words() -> set[str]:
    """Of all code but this file."""
    files = (p for room in ("ir", "codegen", "kcompile", "benchmarks", "tests") for p in (ROOT / room).rglob("*.py"))
    return {word for path in files if path != Path(__file__) for word in re.findall(r"\w+", path.read_text())}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_functions_and_options_that_are_named_exist(page, words):
    """Names in backticks that have an underscore, so that they are no plain word: of functions, modules, variables of the environment."""
    named = {word for dotted in re.findall(r"`([\w.]+)`", page.read_text()) for word in dotted.split(".") if "_" in word}
    assert named <= words, f"{name(page)} names {sorted(named - words)}, which no code does"


@pytest.mark.parametrize("room", ["ir", "codegen"])
def test_the_map_of_the_house_names_every_module(room):
    named = set(re.findall(r"\w+", (ROOT / "docs" / "architecture.md").read_text()))
    modules = {path.stem for path in (ROOT / room).iterdir() if not path.name.startswith("__")}
    assert modules <= named, f"architecture.md says nothing of {sorted(modules - named)} in {room}/"


def test_contracts_name_every_op():
    named = set(re.findall(r"\w+", (DECISIONS / "0001-contracts.md").read_text()))
    assert set(OPS) <= named, f"0001-contracts.md says nothing of {sorted(set(OPS) - named)}"


def test_schedules_name_every_step():
    named = set(re.findall(r"`(\w+)`", (DECISIONS / "0005-schedules.md").read_text()))
    assert set(STEPS) <= named, f"no page listed in 0005-schedules.md is about {sorted(set(STEPS) - named)}"


@pytest.mark.parametrize("folder", sorted(p.name for p in DECISIONS.iterdir() if p.is_dir()))
def test_entry_pages_list_all_pages(folder):
    listed = {to for to, _ in links(DECISIONS / ENTRIES[folder])}
    assert {name(p) for p in (DECISIONS / folder).glob("*.md")} == {name(p) for p in listed if p.parent.name == folder}
