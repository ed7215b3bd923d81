"""What a person sees of a model on its way to machine code: `model.show(stage)`, `python -m kcompile show`, and the lists."""

from __future__ import annotations

import importlib.util
import inspect
import sys
from pathlib import Path
from typing import Any

from .compiler import STAGES, UnknownStageError, stage_index, stage_text
from .ir.graph import Graph

STEPS = ("train", "test", "predict")


class TargetError(ValueError):
    """A target, stage or step that cannot be shown; the message is one line."""


def step_graph(model: Any, step: str | None = None) -> Graph:
    """The traced graph of a model's train, test or predict step. Raises TargetError when the model is not ready for it."""
    from .training.steps import trace_step
    if step is None:
        step = "train" if getattr(model, "compiled", False) else "predict"
    if step not in STEPS:
        raise TargetError(f"unknown step {step!r}; the steps are: {', '.join(STEPS)}")
    if step != "predict" and not getattr(model, "compiled", False):
        raise TargetError(f"the {step} step of model {model.name!r} needs its loss and optimizer: call model.compile() first")
    if not model.built:
        raise TargetError(f"model {model.name!r} has no weights yet, so its shapes are unknown: give it an Input or call model.build()")
    return trace_step(model, step).graph


def show(model: Any, stage: str = "simplified", step: str | None = None, names: bool = True) -> str:
    """The text of one stage of a model's step."""
    try:
        index = stage_index(stage)
    except UnknownStageError as error:
        raise TargetError(str(error)) from None
    graph = step_graph(model, step)
    if index <= stage_index("simplified"):
        return stage_text(graph, stage, names=names).rstrip("\n")
    return stage_text(graph, stage).rstrip("\n")


def load_target(target: str) -> Any:
    """The model that `file.py:name` means: the object itself, or what the function `name` returns."""
    path, colon, name = target.rpartition(":")
    if not colon or not path.endswith(".py") or not name:
        raise TargetError(f"not a target: {target!r}; expected file.py:name, where name is a model or a function that builds one")
    file = Path(path)
    if not file.is_file():
        raise TargetError(f"no such file: {path}")
    module = _load(file)
    found = getattr(module, name, None)
    if found is None:
        from .models import Model
        models = [n for n, v in vars(module).items() if isinstance(v, Model)]
        hint = f"; models there: {', '.join(models)}" if models else ""
        raise TargetError(f"{path} defines no {name!r}{hint}")
    return _as_model(found, path, name)


def _load(file: Path) -> Any:
    from .compat import as_tensorflow
    as_tensorflow()
    spec = importlib.util.spec_from_file_location(f"_kcompile_target_{file.stem}", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    sys.path.insert(0, str(file.resolve().parent))
    try:
        spec.loader.exec_module(module)
    except SyntaxError as error:
        raise TargetError(f"{file}:{error.lineno}: {error.msg}") from None
    finally:
        sys.path.pop(0)
    return module


def _as_model(found: Any, path: str, name: str) -> Any:
    from .models import Model
    if isinstance(found, type) or (callable(found) and not isinstance(found, Model)):
        needed = [p.name for p in inspect.signature(found).parameters.values()
                  if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
        if needed == ["keras"]:
            import kcompile
            found = found(kcompile)
        elif needed:
            raise TargetError(f"{path}:{name} wants the arguments {', '.join(needed)}; expected a model or a function without arguments")
        else:
            found = found()
    if isinstance(found, tuple) and found and isinstance(found[0], Model):  # a benchmark's (model, data, compile arguments)
        model, *rest = found
        for item in rest:
            if isinstance(item, dict) and "loss" in item:
                model.compile(**item)
        return model
    if not isinstance(found, Model):
        raise TargetError(f"{path}:{name} is a {type(found).__name__}; expected a model or a function that builds one")
    return found


def listing(what: str) -> str:
    """A table of the ops, rules, stages or options, a line each."""
    if what == "ops":
        from .ir import build  # noqa: F401  (defines every op)
        from .ir.op import OPS
        rows = [(name, _first_line(op.doc)) for name, op in sorted(OPS.items())]
    elif what == "rules":
        from .ir.rewrite import all_rules
        rows = [(rule.name, rule.describe()) for rule in all_rules()]
    elif what == "stages":
        rows = [(stage.name, stage.doc) for stage in STAGES]
    elif what == "options":
        from .options import OPTIONS
        rows = [(o.name, f"{o.doc} (default: {o.shown_default or 'none'})") for o in OPTIONS.values()]
    else:
        raise TargetError(f"cannot list {what!r}; expected ops, rules, stages or options")
    width = max((len(name) for name, _ in rows), default=0)
    return "\n".join(f"{name:{width}}  {doc}" for name, doc in rows)


def _first_line(doc: str) -> str:
    return doc.strip().splitlines()[0]
