"""The command line: `python -m kcompile run|show|list`. Mistakes give one line and exit code 2."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import NoReturn


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see `{self.prog} --help`)\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="kcompile", description="A compiler for Keras-style models.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="run|show|list")
    run = commands.add_parser("run", help="run a tf.keras program, with tensorflow and keras resolved to kcompile")
    run.add_argument("program", help="a Python file")
    run.add_argument("arguments", nargs=argparse.REMAINDER, help="passed on to the program")
    show = commands.add_parser("show", help="print any stage of a model, from the traced graph to assembly")
    show.add_argument("target", help="file.py:name, where name is a model or a function that builds one")
    show.add_argument("--stage", default="simplified", help="see `kcompile list stages` (default: simplified)")
    show.add_argument("--step", default=None, help="train, test or predict (default: train when compiled, else predict)")
    show.add_argument("--no-names", action="store_true", help="graphs: number params and states in place of their names")
    show.add_argument("--locations", action="store_true", help="graphs: end each line with its layer and your own file and line")
    listing = commands.add_parser("list", help="list ops, rules, stages or options")
    listing.add_argument("what", help="ops, rules, stages or options")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code is 0, or 2 for a mistake in the arguments. A program that `run` runs has its own."""
    arguments = _parser().parse_args(argv)
    if arguments.command == "run":
        return _run(arguments.program, arguments.arguments)
    from .inspection import TargetError, check_names, listing, load_target, show
    try:
        if arguments.command == "list":
            text = listing(arguments.what)
        else:
            check_names(arguments.stage, arguments.step)  # before the file runs
            model = load_target(arguments.target)
            text = show(model, arguments.stage, arguments.step, names=not arguments.no_names, locations=arguments.locations)
    except TargetError as error:
        print(f"kcompile {arguments.command}: {error}", file=sys.stderr)
        return 2
    try:
        print(text, flush=True)
    except BrokenPipeError:  # `| head` has read enough; nothing is left to say when Python closes stdout
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _run(program: str, arguments: Sequence[str]) -> int:
    if not os.path.isfile(program):
        print(f"kcompile run: no such program: {program}", file=sys.stderr)
        return 2
    from .compat import run_program
    run_program(program, arguments)
    return 0


if __name__ == "__main__":
    sys.exit(main())
