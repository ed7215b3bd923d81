"""KCOMPILE_DUMP=dir: the text of every stage of everything that is compiled, a folder for each compilation."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from ..compiler import STAGES
from ..ir.graph import Graph

if TYPE_CHECKING:
    from ..codegen.target import Target

SUFFIX = {"llvm": "ll", "assembly": "s", "loops": "nest", "scheduled": "nest"}


def dump(graph: Graph, target: Target, folder: Path) -> Path:
    """Write each stage to `folder/NAME[.number]/NN-stage.kir`; the folder it made. Raises OSError naming the place."""
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(f"KCOMPILE_DUMP={str(folder)!r} is not a folder")
    stem = re.sub(r"[^\w.-]+", "_", graph.name) or "graph"
    place, number = folder / stem, 1
    while True:
        try:
            place.mkdir(parents=True)
            break
        except FileExistsError:
            number += 1
            place = folder / f"{stem}.{number}"
        except OSError as error:
            raise type(error)(error.errno, f"KCOMPILE_DUMP: {place} cannot be made: {error.strerror}") from None
    item = graph
    for n, stage in enumerate(STAGES):
        item = stage.run(item, target)
        (place / f"{n:02}-{stage.name}.{SUFFIX.get(stage.name, 'kir')}").write_text(stage.text(item))
    return place
