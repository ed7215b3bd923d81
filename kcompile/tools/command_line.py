"""The tools' part of the command line: their arguments, and what each calls. The tools themselves are imported when called."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from .report import Report

TOOLS: dict[str, Callable[[argparse.Namespace], Report]] = {}
TEXT_SUFFIXES = (".kir", ".nest", ".ll", ".s")  # of a target that is the text of a stage
Parsers = Any  # argparse has no public name for what add_subparsers returns


def _tool(function: Callable[[argparse.Namespace], Report]) -> Callable[[argparse.Namespace], Report]:
    TOOLS[function.__name__.strip("_")] = function
    return function


def add_tools(commands: Parsers) -> None:
    """Register every tool's parser."""
    show = _target(commands, "show", "print any stage of a model, from the traced graph to assembly, or of the text of a stage")
    show.add_argument("--stage", default=None, help="see `kcompile list stages` (default: simplified; a text's own stage)")
    show.add_argument("--no-names", action="store_true", help="graphs: number params and states in place of their names")
    show.add_argument("--locations", action="store_true", help="graphs: end each line with its layer and your own file and line")
    show.add_argument("--layer", default=None, metavar="PATH", help="only what this layer (or op) made")
    show.add_argument("--kernel", default=None, metavar="K", help="only this kernel, such as k3")
    show.add_argument("--batch", type=int, default=None, metavar="N", help="for this batch size in place of the symbol B")
    show.add_argument("--target", default=None, dest="cpu", metavar="CPU", help="see `kcompile list targets`")
    show.add_argument("--dot", default=None, metavar="FILE", help="also write the graph (or program) as Graphviz text")

    why = _target(commands, "explain", "why ops were fused or not, where buffers lie, why loops are as they are")
    why.add_argument("topic", help="fusion, memory, schedule or layout")
    why.add_argument("names", nargs="*", default=[], metavar="A B", help="layers or ops (fusion: two; the others: one)")
    why.add_argument("--batch", type=int, default=None, metavar="N", help="rows of a batch (default: 32)")
    why.add_argument("--target", default=None, dest="cpu", metavar="CPU", help="see `kcompile list targets`")

    memory = _target(commands, "memory", "the exact memory of a step, buffer by buffer, before anything runs")
    memory.add_argument("--batch", type=int, default=None, metavar="N", help="rows of a batch (default: 32)")
    memory.add_argument("--fail-if", action="append", default=[], metavar="LIMIT", help="exit code 1 where it holds: 'peak>512MB'")

    trace = _target(commands, "trace", "what each pass and rule did, and how long it took")
    trace.add_argument("--target", default=None, dest="cpu", metavar="CPU", help="see `kcompile list targets`")

    verify = _target(commands, "verify", "every op of this model, native against float64, and its gradients against differences")
    verify.add_argument("--batch", type=int, default=5, metavar="N", help="rows of the random batch (default: 5)")
    verify.add_argument("--seed", type=int, default=0, metavar="N", help="of the random weights and batch (default: 0)")

    profile = _target(commands, "profile", "run a step: time, FLOP and bytes of each kernel against this machine's limits")
    profile.add_argument("--batch", type=int, default=None, metavar="N", help="rows of the random batch (default: 32)")
    profile.add_argument("--threads", type=int, default=None, metavar="N", help="default: as many as a step of this size gets")

    diff = commands.add_parser("diff", help="what differs: two stages of a target, one stage of two targets, or two snapshots")
    diff.add_argument("things", nargs="+", metavar="THING", help="TARGET STAGE_A STAGE_B, TARGET_A TARGET_B --stage S, or two snapshots")
    diff.add_argument("--stage", default=None, help="of two targets (default: simplified)")
    diff.add_argument("--step", default=None, help="train, test or predict")
    diff.add_argument("--target", default=None, dest="cpu", metavar="CPU", help="see `kcompile list targets`")
    diff.add_argument("--json", action="store_true", help="for programs to read")

    snapshot = commands.add_parser("snapshot", help="write every kernel of the examples and benchmark models, to compare with `diff`")
    snapshot.add_argument("folder", metavar="DIR", help="where to write them")
    snapshot.add_argument("targets", nargs="*", default=[], metavar="TARGET",
                          help="default: examples/ and benchmarks/ of the working folder")
    snapshot.add_argument("--target", default="avx512", dest="cpu", metavar="CPU", help="default: avx512")
    snapshot.add_argument("--json", action="store_true", help="for programs to read")


def _target(commands: Parsers, name: str, text: str) -> Any:
    parser = commands.add_parser(name, help=text)
    parser.add_argument("target", help="file.py:name, where name is a model or a function that builds one (may be left out where the "
                                       f"file has one model); or a stage's text ({', '.join(TEXT_SUFFIXES)})")
    parser.add_argument("--step", default=None, help="train, test or predict (default: train when compiled, else predict)")
    parser.add_argument("--json", action="store_true", help="for programs to read")
    return parser


def _batch(arguments: argparse.Namespace) -> int:
    from .subject import DEFAULT_BATCH
    return DEFAULT_BATCH if arguments.batch is None else int(arguments.batch)


@_tool
def _show(arguments: argparse.Namespace) -> Report:
    from ..inspection import check_names
    from .show import show_report
    from .subject import load_subject, target_named
    if arguments.stage is not None:
        check_names(arguments.stage, arguments.step)  # before the file runs
    cpu = target_named(arguments.cpu) if arguments.cpu else None
    subject = load_subject(arguments.target, arguments.step, arguments.batch)
    return show_report(subject, arguments.stage, layer=arguments.layer, kernel=arguments.kernel, target=cpu,
                       names=not arguments.no_names, locations=arguments.locations, dot=arguments.dot)


@_tool
def _explain(arguments: argparse.Namespace) -> Report:
    from .explain import explain
    from .subject import load_subject, target_named
    cpu = target_named(arguments.cpu) if arguments.cpu else None
    return explain(load_subject(arguments.target, arguments.step), arguments.topic, arguments.names, _batch(arguments), cpu)


@_tool
def _memory(arguments: argparse.Namespace) -> Report:
    from .limits import parse_limits, passed_limits
    from .memory import memory_report
    from .subject import load_subject
    limits = parse_limits(arguments.fail_if, ("peak",))
    report = memory_report(load_subject(arguments.target, arguments.step), _batch(arguments))
    failed = passed_limits(limits, {"peak": report.data["peak"]})
    return Report("\n".join([report.text, *failed]), {**report.data, "failed": failed}, 1 if failed else 0)


@_tool
def _trace(arguments: argparse.Namespace) -> Report:
    from .subject import load_subject, target_named
    from .trace import trace
    return trace(load_subject(arguments.target, arguments.step), target_named(arguments.cpu))


@_tool
def _verify(arguments: argparse.Namespace) -> Report:
    from .subject import load_subject
    from .verify import verify_report
    return verify_report(load_subject(arguments.target, arguments.step), arguments.batch, arguments.seed)


@_tool
def _profile(arguments: argparse.Namespace) -> Report:
    from .profile import profile
    from .report import TargetError
    from .subject import load_subject
    if arguments.threads is not None and arguments.threads < 1:
        raise TargetError(f"--threads must be at least 1, not {arguments.threads}")
    return profile(load_subject(arguments.target, arguments.step), _batch(arguments), arguments.threads)


@_tool
def _diff(arguments: argparse.Namespace) -> Report:
    from .compare import compare_stages, compare_subjects
    from .report import TargetError
    from .snapshot_diff import compare_snapshots, is_snapshot
    from .subject import load_subject, target_named
    things = arguments.things
    cpu = target_named(arguments.cpu) if arguments.cpu else None
    if len(things) == 3:
        if arguments.stage is not None:
            raise TargetError("diff TARGET STAGE_A STAGE_B takes no --stage")
        return compare_stages(load_subject(things[0], arguments.step), things[1], things[2], cpu)
    if len(things) != 2:
        raise TargetError(f"expected TARGET STAGE_A STAGE_B, TARGET_A TARGET_B, or two snapshots; given {len(things)}")
    if any(is_snapshot(thing) for thing in things):
        return compare_snapshots(*things)
    first, second = (_fresh(thing, arguments.step) for thing in things)
    return compare_subjects(first, second, arguments.stage or "simplified", cpu)


def _fresh(target: str, step: str | None) -> Any:
    """A subject whose names are counted from the beginning, so that two of them have the same."""
    from ..naming import clear_session
    from .subject import load_subject
    clear_session()
    return load_subject(target, step)


@_tool
def _snapshot(arguments: argparse.Namespace) -> Report:
    from .snapshot import snapshot
    return snapshot(arguments.folder, arguments.targets, arguments.cpu)


def add_run_options(run: Any) -> None:
    """What `run` takes beside a program and its arguments."""
    run.add_argument("--fail-if", action="append", default=[], metavar="LIMIT",
                     help="exit code 1 where it holds: 'recompiles>0', 'peak>512MB'")
    run.add_argument("--json", action="store_true", help="of a .kir text: for programs to read")
    run.add_argument("--passes", default=None, metavar="A,B,C", help="of a .kir text: the passes to run on it")
    run.add_argument("--target", default=None, dest="cpu", metavar="CPU", help="of a .kir text, for scheduled, llvm and assembly")


def run_text_command(program: str, arguments: list[str], passes: str | None, cpu: str | None) -> Report:
    """`run file.kir --passes a,b,c`, with the options before or after the file. Raises TargetError."""
    from .report import TargetError
    from .run_text import run_text
    given = {"--passes": passes, "--target": cpu}
    rest = list(arguments)
    while rest:
        name, equals, value = rest.pop(0).partition("=")
        if name == "--json" and not equals:
            continue  # main has seen it
        if name not in given or not (equals or rest):
            raise TargetError(f"unexpected {name!r} after {program}; expected --passes a,b,c or --target CPU")
        given[name] = value if equals else rest.pop(0)
    if given["--passes"] is None:
        raise TargetError(f"{program} is a text: say what to run on it with --passes a,b,c")
    return run_text(program, given["--passes"], given["--target"])


def run_with_limits(limits: list[str], run: Callable[[], None]) -> list[str]:
    """Run a program and return a line for each limit it passed. Raises TargetError for what is no limit, before it runs."""
    from ..compiler import LISTENERS
    from .limits import Record, parse_limits, passed_limits
    parsed, record = parse_limits(limits), Record()
    LISTENERS.append(record.listen)
    try:
        run()
    except SystemExit as exit:
        if exit.code not in (None, 0):
            raise
    finally:
        LISTENERS.remove(record.listen)
    return passed_limits(parsed, record.found())
