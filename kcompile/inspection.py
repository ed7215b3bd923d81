"""What a person sees of a model on its way to machine code: `model.show(stage)`, `python -m kcompile show`, and the lists."""

from __future__ import annotations

import contextlib
import importlib.util
import inspect
import json
import os
import sys
import sysconfig
import traceback
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import Any

from .compiler import STAGES, UnknownStageError, stage_index, stage_text
from .ir.graph import Graph
from .tools.command_line import TEXT_SUFFIXES
from .tools.report import TargetError

STEPS = ("train", "test", "predict")


def check_names(stage: str, step: str | None) -> None:
    """Raises TargetError for a stage or step that does not exist."""
    try:
        stage_index(stage)
    except UnknownStageError as error:
        raise TargetError(str(error)) from None
    if step is not None and step not in STEPS:
        raise TargetError(f"unknown step {step!r}; the steps are: {', '.join(STEPS)}")


def step_graph(model: Any, step: str | None = None) -> Graph:
    """The traced graph of a model's train, test or predict step. Raises TargetError when the model is not ready for it."""
    from .training.steps import default_spec, trace_step
    compiled = getattr(model, "compiled", False)
    if step is None:
        step = "train" if compiled else "predict"
    if step != "predict" and not compiled:
        raise TargetError(f"the {step} step of model {model.name!r} needs its loss and optimizer: call model.compile() first")
    if not model.built:
        raise TargetError(f"model {model.name!r} has no weights yet, so its shapes are unknown: give it an Input or call model.build()")
    try:
        spec = default_spec(model, step)
    except ValueError as error:  # an input of unknown sizes
        raise TargetError(f"the {step} step of model {model.name!r} cannot be shown: {str(error).splitlines()[0]}") from error
    return trace_step(model, step, spec).graph


def show(model: Any, stage: str = "simplified", step: str | None = None, names: bool = True, locations: bool = False) -> str:
    """The text of one stage of a model's step.

    For graphs: `names=False` numbers params and states in place of their names; `locations` ends each line with the layer that
    made the node and the user's own file and line. Raises TargetError for an unknown stage or step, or a model that is not ready.
    """
    check_names(stage, step)
    graph = step_graph(model, step)
    options: dict[str, Any] = {"names": names, "locations": locations} if stage_index(stage) <= stage_index("filtered") else {}
    return stage_text(graph, stage, **options).rstrip("\n")


def load_target(target: str) -> Any:
    """The model that `file.py:name` means: the object itself, or what the function `name` returns; `file.py` its only model.

    The file runs as a module, not as the main program; what it prints goes to stderr. Raises TargetError.
    """
    path, colon, name = target.rpartition(":") if ":" in target else (target, "", "")
    if not path.endswith(".py") or (colon and not name):
        raise TargetError(f"not a target: {target!r}; expected file.py:name, where name is a model or a function that builds one, "
                          f"or a stage's text ({', '.join(TEXT_SUFFIXES)})")
    file = Path(path)
    if not file.is_file():
        raise TargetError(f"no such file: {path}")
    with contextlib.redirect_stdout(sys.stderr), mistakes_of(path):
        module = _load(file)
        name = name or _only_model(module, path)
        if not hasattr(module, name):
            raise TargetError(f"{path} defines no {name!r}{_hint(module, name)}")
        return _as_model(getattr(module, name), path, name)


@contextlib.contextmanager
def mistakes_of(path: str) -> Iterator[None]:
    """An exception of the user's code becomes a TargetError that names the line of theirs it came from; one of ours stays."""
    try:
        yield
    except TargetError:
        raise
    except SyntaxError as error:
        raise TargetError(f"{error.filename}:{error.lineno}: {error.msg}") from None
    except SystemExit as error:
        raise TargetError(f"{path} ends the program (exit code {error.code}) when it is loaded") from None
    except Exception as error:
        place = next((f"{_shown(frame.filename)}:{frame.lineno}" for frame in reversed(traceback.extract_tb(error.__traceback__))
                      if _is_users(frame.filename)), None)
        if place is None:
            raise
        first = (str(error).strip().splitlines() or [""])[0]
        raise TargetError(f"{place}: {type(error).__name__}{f': {first}' if first else ''}") from error


_NOT_THE_USERS = (os.path.dirname(os.path.abspath(__file__)), *(os.path.realpath(p) for p in sysconfig.get_paths().values()))


def _is_users(file: str) -> bool:
    return not file.startswith("<") and not os.path.abspath(file).startswith(_NOT_THE_USERS) and \
        not os.path.realpath(file).startswith(_NOT_THE_USERS)


def _shown(file: str) -> str:
    beside = os.path.relpath(file)
    return file if beside.startswith("..") else beside


def _only_model(module: ModuleType, path: str) -> str:
    models, functions = _defined(module)
    if len(models) == 1:
        return models[0]
    found = models or functions
    raise TargetError(f"{path} defines {'the models' if models else 'no model, but'} {', '.join(found)}: name one, as {path}:{found[0]}"
                      if found else f"{path} defines no model, nor a function that builds one")


def _defined(module: ModuleType) -> tuple[list[str], list[str]]:
    """The names of a file's models, and of its own functions."""
    from .models import Model
    models = [key for key, value in vars(module).items() if isinstance(value, Model)]
    return models, [key for key, value in vars(module).items() if inspect.isfunction(value) and value.__module__ == module.__name__]


def _hint(module: ModuleType, name: str) -> str:
    models, functions = _defined(module)
    near = get_close_matches(name, [*models, *functions], n=1)
    if near:
        return f"; did you mean {near[0]!r}?"
    found = models or functions
    return f"; it defines {', '.join(found)}" if found else ""


def _load(file: Path) -> ModuleType:
    from .compat import as_tensorflow
    as_tensorflow()
    spec = importlib.util.spec_from_file_location(f"_kcompile_target_{file.stem}", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    sys.path.insert(0, str(file.resolve().parent))
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.pop(0)
    return module


def _as_model(found: Any, path: str, name: str) -> Any:
    from .models import Model
    if not isinstance(found, Model) and callable(found):
        found = _called(found, path, name)
    if isinstance(found, tuple) and found and isinstance(found[0], Model):  # a benchmark's (model, data, compile arguments)
        model, *rest = found
        for item in rest:
            if isinstance(item, dict) and "loss" in item:
                model.compile(**item)
        return model
    if not isinstance(found, Model):
        raise TargetError(f"{path}:{name} is a {type(found).__name__}; expected a model or a function that builds one")
    return found


def _called(function: Any, path: str, name: str) -> Any:
    """What a function (or class) of no arguments gives; one of a single argument `keras` gets kcompile."""
    needed = [p.name for p in inspect.signature(function).parameters.values()
              if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    if needed == ["keras"]:
        import kcompile
        return function(kcompile)
    if needed:
        raise TargetError(f"{path}:{name} wants the arguments {', '.join(needed)}; expected a model or a function without arguments")
    return function()


def listing(what: str, as_json: bool = False) -> str:
    """A table of the ops, rules, stages, options or targets, a line each, or an object of them as JSON. Raises TargetError."""
    if what == "ops":
        from .ir import build  # noqa: F401  (defines every op)
        from .ir.op import OPS
        rows = [(name, op.text.splitlines()[0]) for name, op in sorted(OPS.items())]
    elif what == "rules":
        from .ir.rewrite import all_rules
        rows = [(rule.name, rule.describe()) for rule in all_rules()]
    elif what == "stages":
        rows = [(stage.name, stage.doc) for stage in STAGES]
    elif what == "options":
        from .options import OPTIONS
        rows = [(o.name, f"{o.doc} (default: {o.shown_default or 'none'})") for o in OPTIONS.values()]
    elif what == "targets":
        from .codegen.target import NAMED, Target
        from .compiler import codegen_options
        rows = [(name, str(target)) for name, target in (*NAMED.items(), ("host", Target.host(codegen_options())))]
    else:
        raise TargetError(f"cannot list {what!r}; expected ops, rules, stages, options or targets")
    if as_json:
        return json.dumps(dict(rows), indent=2)
    width = max(len(name) for name, _ in rows)
    text = "\n".join(f"{name:{width}}  {doc}" for name, doc in rows)
    if what == "ops":
        from .ir.subnormals import FLUSHED
        text = f"{text.replace(FLUSHED, ' *')}\n\n*{FLUSHED}"  # said once, not of fifty ops
    return text
