"""The command line: `python -m kcompile run|show|list`. Mistakes give one line and exit code 2."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="kcompile", description="A compiler for Keras-style models.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="run|show|list")
    run = commands.add_parser("run", help="run a tf.keras program, with tensorflow and keras resolved to kcompile")
    run.add_argument("program", help="a Python file")
    run.add_argument("arguments", nargs=argparse.REMAINDER, help="passed on to the program")
    show = commands.add_parser("show", help="print any stage of a model, from the traced graph to assembly")
    show.add_argument("target", help="file.py:name, where name is a model or a function that builds one")
    show.add_argument("--stage", default="simplified", help="see `list stages` (default: simplified)")
    show.add_argument("--step", default=None, choices=("train", "test", "predict"), help="default: train when compiled, else predict")
    show.add_argument("--no-names", action="store_true", help="leave layer names and source lines out (graph stages)")
    listing = commands.add_parser("list", help="list ops, rules, stages or options")
    listing.add_argument("what", choices=("ops", "rules", "stages", "options"))
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code is 0, or 2 for a mistake in the arguments."""
    arguments = _parser().parse_args(argv)
    if arguments.command == "run":
        return _run(arguments.program, arguments.arguments)
    from .inspection import TargetError, listing, load_target, show
    try:
        if arguments.command == "list":
            print(listing(arguments.what))
        else:
            model = load_target(arguments.target)
            print(show(model, arguments.stage, arguments.step, names=not arguments.no_names))
    except TargetError as error:
        print(f"kcompile {arguments.command}: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # `| head` has read enough
        sys.stderr.close()
    return 0


def _run(program: str, arguments: Sequence[str]) -> int:
    from .compat import run_program
    try:
        run_program(program, arguments)
    except FileNotFoundError as error:
        if error.filename is None:
            print(f"kcompile run: {error}", file=sys.stderr)
            return 2
        raise
    return 0


if __name__ == "__main__":
    sys.exit(main())
