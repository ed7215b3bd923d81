"""Owns files that layers keep beside their weights (`save_assets`, `load_assets`): vocabularies and the like, under assets/ in a file."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from typing import Any

from .errors import ModelFileError
from .state import walk

ASSETS = "assets"
_MOST = 1 << 30  # bytes of all assets of a model


def _keepers(model: Any) -> list[tuple[str, Any]]:
    return [(path, item) for path, item in walk(model) if hasattr(item, "save_assets") or hasattr(item, "load_assets")]


def collect_assets(model: Any) -> dict[str, bytes]:
    """{path below assets/: bytes} of what the layers want to keep."""
    found: dict[str, bytes] = {}
    for path, item in _keepers(model):
        if not hasattr(item, "save_assets"):
            continue
        with tempfile.TemporaryDirectory() as folder:
            item.save_assets(folder)
            for inner, _, files in os.walk(folder):
                for name in files:
                    place = os.path.join(inner, name)
                    with open(place, "rb") as file:
                        found[os.path.normpath(os.path.join(path, os.path.relpath(place, folder)))] = file.read()
    return found


def restore_assets(model: Any, read: Callable[[], dict[str, bytes]], what: str) -> None:
    """Give each layer its own files, in a private folder that is gone afterwards.

    read: gives {path below assets/: bytes}; not called where no layer wants any. Raises ModelFileError for names that leave the folder.
    """
    keepers = [(path, item) for path, item in _keepers(model) if hasattr(item, "load_assets")]
    if not keepers:
        return
    assets = read()
    if sum(map(len, assets.values())) > _MOST:
        raise ModelFileError(f"{what}: more than {_MOST} bytes of assets")
    for path, item in keepers:
        below = f"{path}/" if path else ""
        own = {name[len(below):]: data for name, data in assets.items() if name.startswith(below)}
        if not own:
            continue
        with tempfile.TemporaryDirectory() as folder:
            for name, data in own.items():
                if name.startswith("/") or ".." in name.split("/") or "\\" in name or "\0" in name:
                    raise ModelFileError(f"{what}: asset {name!r} points outside the file")
                place = os.path.join(folder, name)
                try:
                    os.makedirs(os.path.dirname(place), exist_ok=True)
                    with open(place, "xb") as file:
                        file.write(data)
                except OSError as error:
                    raise ModelFileError(f"{what}: asset {name!r} cannot be laid out ({error.strerror})") from None
            item.load_assets(folder)
