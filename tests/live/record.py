"""Writes recorded.json: what both judges said of every case. From the folder `tests`:

    python -m live.record --tf PYTHON --jax PYTHON [--keep FOLDER] [--only PART_OF_A_NAME ...]

Per case: `expected`, the summary of the reference's outcome; the second judge's losses; and the
distances between the two judges. Prints the cases in which these are above 1e-5. One line per
case, nine digits per number, so that a change can be read in a diff. With --only the other cases
stay as they are recorded.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from .cases import CASES
from .compare import WITHIN, distances, summary
from .runner import load

FILE = Path(__file__).with_name("recorded.json")
TESTS = Path(__file__).parents[1]


def run_engine(python, engine, folder, extra_path=None, only=()):
    """Run the cases in a process of their own; what it prints is kept for the report of a failure."""
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "KERAS_BACKEND")}
    if extra_path:
        environment["PYTHONPATH"] = str(extra_path)
    command = [str(python), "-m", "live.runner", "--engine", engine, "--out", str(folder), "--only", *only]
    done = subprocess.run(command, cwd=TESTS, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.stdout[-2000:] if done.returncode else ""


def judged(case, tf_folder, jax_folder):
    """The reference's outcome and the second judge's."""
    tf, jax = load(tf_folder, case.name), load(jax_folder, case.jax_twin or case.name)
    for engine, result in (("tf", tf), ("jax", jax)):
        if "error" in result:
            raise RuntimeError(f"Keras on {engine} cannot run {case.name}:\n{result['error']}")
    return (jax, tf) if case.reference == "jax" else (tf, jax)


def apart(case, reference, second):
    """The judges' distances."""
    return distances(second, reference, twins=case.jax_twin is not None)


def allowance(case, distance):
    """Distances as an excuse: where TensorFlow is not followed, its distance excuses nothing."""
    return distance if case.reference == "tf" else {}


def plain(value, digits=9):
    """Numbers and arrays as short JSON."""
    if isinstance(value, dict):
        return {key: plain(part, digits) for key, part in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [plain(part, digits) for part in value]
    if isinstance(value, (float, np.floating)):
        return float(f"{value:.{digits}g}")
    return value


def entry(case, tf_folder, jax_folder):
    reference, second = judged(case, tf_folder, jax_folder)
    expected = summary(reference)
    found = apart(case, expected, summary(second))
    if not np.isfinite(list(found.values())).all():
        raise RuntimeError(f"{case.name} diverges: {found}")
    return {"reference": case.reference, "distance": plain(found, 2),
            "second_loss": plain(second["logs"]["loss"]), "expected": plain(expected)}


def recorded():
    """The file: name -> entry."""
    return json.loads(FILE.read_text())["cases"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tf", required=True, help="python with keras and tensorflow")
    parser.add_argument("--jax", required=True, help="python with keras and jax")
    parser.add_argument("--keep", type=Path, help="keep the outcomes there; an outcome which is there is not run again")
    parser.add_argument("--only", nargs="+", default=[""], help="only the cases with one of these in their names")
    arguments = parser.parse_args()
    chosen = {name: case for name, case in CASES.items() if any(part in name for part in arguments.only)}
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.keep or Path(temporary)
        for engine in ("tf", "jax"):
            if not (folder / engine).exists():
                sys.stderr.write(run_engine(getattr(arguments, engine), engine, folder / engine, only=arguments.only))
        entries = {name: entry(case, folder / "tf", folder / "jax") for name, case in chosen.items()}
    if len(chosen) < len(CASES):
        entries = {name: found for name, found in recorded().items() if name in CASES} | entries
    lines = [f"{json.dumps(name)}: {json.dumps(entries[name])}" for name in sorted(entries)]
    FILE.write_text('{"about": "written by record.py", "cases": {\n' + ",\n".join(lines) + "\n}}\n")
    for name in chosen:
        found = entries[name]
        far = {key: value for key, value in found["distance"].items() if value > WITHIN}
        if far:
            print(f"{name} ({found['reference']}): {far}")


if __name__ == "__main__":
    main()
