"""Every stage's text, parsed and printed again, is the same text. Of all examples and benchmark models:

    python -m tests.tools.round_trip            # minutes; or name targets: file.py:name ...
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from kcompile.compiler import STAGES, current_target, stage_index
from kcompile.inspection import TargetError, load_target, step_graph
from kcompile.naming import clear_session
from kcompile.tools.snapshot import default_targets
from kcompile.tools.texts import read_text

STEPS = ("train", "predict")


def different(target: str, last: str = "assembly") -> Iterator[str]:
    """'step stage' of each text of a target, up to a stage, that is not what its parse prints."""
    for step in STEPS:
        clear_session()
        try:
            item = step_graph(load_target(target), step)
        except TargetError as error:
            if "model.compile()" not in str(error):
                raise
            continue  # a model that is not compiled has no train step
        cpu = current_target()
        for stage in STAGES[:stage_index(last) + 1]:
            item = stage.run(item, cpu)
            text = stage.text(item)
            parsed, found = read_text(text, f"{target} {stage.name}")
            if STAGES[stage_index(found)].text(parsed).rstrip("\n") != text.rstrip("\n"):
                yield f"{step} {stage.name}"


def main(targets: list[str]) -> int:
    failed = 0
    for target in targets or default_targets(Path()):
        found = list(different(target))
        failed += bool(found)
        print(f"{target}: {', '.join(found) or 'the same'}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
