"""The command line: `python -m kcompile run`, `list`, and the tools. Mistakes give one line and exit code 2."""

from __future__ import annotations

import argparse
import gc
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from .tools.command_line import TEXT_SUFFIXES, TOOLS, add_run_options, add_tools, run_text_command, run_with_limits


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see `{self.prog} --help`)\n")

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """What a command does not know is its own mistake: by itself argparse leaves it to the parser of all commands."""
        found, others = super().parse_known_args(args, namespace)
        if others:
            self.error(f"unrecognized arguments: {' '.join(others)}")
        return found, others


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="kcompile", description="A compiler for Keras-style models.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    run = commands.add_parser("run", help="run a tf.keras program, with tensorflow and keras resolved to kcompile")
    add_run_options(run)
    run.add_argument("program", help="a Python file; or a .kir text, with --passes")
    rest = run.add_argument("arguments", nargs=argparse.REMAINDER, help="passed on to the program")
    rest.required = False  # of the error where there is no program, either
    add_tools(commands)
    listing = commands.add_parser("list", help="list ops, rules, stages, options or targets")
    listing.add_argument("what", help="ops, rules, stages, options or targets")
    listing.add_argument("--json", action="store_true", help="for programs to read")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code is 0, 1 for what a tool was to rule out, or 2 for a mistake in the arguments.

    A program that `run` runs has its own.
    """
    arguments = _parser().parse_args(argv)
    if arguments.command == "run" and not arguments.program.endswith(TEXT_SUFFIXES):
        return _run(arguments.program, arguments.arguments, arguments.fail_if)
    from .options import OptionError
    from .tools.report import TargetError
    code = 0
    try:
        if arguments.command == "list":
            from .inspection import listing
            text = listing(arguments.what, arguments.json)
        elif arguments.command == "run":
            arguments.json |= "--json" in arguments.arguments
            report = run_text_command(arguments.program, arguments.arguments, arguments.passes, arguments.cpu)
            text = report.printed(arguments.json)
        else:
            recall = _recall(argv, arguments)
            known = recall.known() if recall is not None else None
            if known is None:
                gc.set_threshold(200_000, 20, 100)  # graphs are many objects that live on: looking for dead ones takes half of the time
                report = TOOLS[arguments.command](arguments)
                known, code = report.printed(getattr(arguments, "json", False)), report.code
                if recall is not None and code == 0:
                    recall.keep(known)
            text = known
    except (TargetError, OptionError) as error:
        print(f"kcompile {arguments.command}: {error}", file=sys.stderr)
        return 2
    from .tools.colour import coloured, wanted
    try:
        print(coloured(text) if wanted(sys.stdout) and not getattr(arguments, "json", False) else text, flush=True)
        if argv is None:
            gc.freeze()  # the process ends: a last look for dead objects takes longer than everything else that is left to do
    except BrokenPipeError:  # `| head` has read enough; nothing is left to say when Python closes stdout
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code


def _recall(argv: Sequence[str] | None, arguments: argparse.Namespace) -> Any:
    """What remembers this call's text; None for a tool whose answer changes, or that writes a file, or in a process that does more."""
    from .tools import recall
    if argv is not None or arguments.command not in recall.TOOLS or getattr(arguments, "dot", None):
        return None
    return recall.Recall(sys.argv[1:])


def _run(program: str, arguments: Sequence[str], limits: list[str]) -> int:
    if not os.path.isfile(program):
        print(f"kcompile run: no such program: {program}", file=sys.stderr)
        return 2
    from .compat import run_program
    if not limits:
        run_program(program, arguments)
        return 0
    from .tools.report import TargetError
    try:
        failed = run_with_limits(limits, lambda: run_program(program, arguments))
    except TargetError as error:
        print(f"kcompile run: {error}", file=sys.stderr)
        return 2
    for line in failed:
        print(f"kcompile run: {line}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
