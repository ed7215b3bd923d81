"""What a tool looks at: a model's step, or the text of any stage."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..compiler import STAGE_NAMES, lower_to, stage_index
from ..inspection import check_names, load_target, mistakes_of, step_graph
from ..ir.graph import Graph, GraphError, Node
from ..ir.op import OpaqueKernel
from ..ir.passes.describe import DescribeError
from .command_line import TEXT_SUFFIXES
from .recall import watching
from .report import TargetError
from .texts import read_text

if TYPE_CHECKING:
    from ..codegen.target import Target

DEFAULT_BATCH = 32


@dataclass(frozen=True)
class Subject:
    """`item` is the object of stage `start` (see compiler.STAGES); `model` is None for a text."""

    name: str
    item: Any
    start: str
    model: Any = None

    def at(self, stage: str, target: Target | None = None) -> Any:
        """The object of a stage. Raises TargetError for one that comes before what there is, or that cannot be made of it."""
        check_names(stage, None)
        if stage_index(stage) < stage_index(self.start):
            raise TargetError(f"{self.name} holds the stage {self.start!r}; {stage!r} comes before it")
        try:
            return lower_to(self.item, stage, target, self.start)
        except (DescribeError, GraphError) as error:
            raise TargetError(f"{self.name}: {error}") from error
        except ValueError as error:
            if stage != "assembly":
                raise
            raise TargetError(f"{self.name}: {error}") from error  # a target that cannot be compiled for here


def load_subject(target: str, step: str | None = None, batch: int | None = None) -> Subject:
    """The subject that `file.py:name` or `file.kir` means; with `batch`, for that batch size alone. Raises TargetError."""
    check_names(STAGE_NAMES[0], step)
    with watching():
        subject = _loaded(target, step)
    return subject if batch is None else bound(subject, batch)


def _loaded(target: str, step: str | None) -> Subject:
    if target.endswith(TEXT_SUFFIXES):
        if step is not None:
            raise TargetError(f"{target} is a text: it has no other step than its own")
        return _from_text(target)
    model = load_target(target)
    with mistakes_of(target.rpartition(":")[0] or target):
        return of_model(model, step, target)


def of_model(model: Any, step: str | None = None, name: str = "") -> Subject:
    """The traced step of a model (train when compiled, else predict). Raises TargetError."""
    graph = step_graph(model, step)
    return Subject(name or graph.name, graph, "traced", model)


def _from_text(path: str) -> Subject:
    file = Path(path)
    if not file.is_file():
        raise TargetError(f"no such file: {path}")
    try:
        return Subject(path, *read_text(file.read_text(), path))
    except UnicodeDecodeError:
        raise TargetError(f"{path} is not a text") from None


def bound(subject: Subject, batch: int) -> Subject:
    """The subject with the symbol B replaced by a number. Raises TargetError for a batch below 1, or for a program."""
    from ..ir.evaluate import bind
    from ..ir.rebuild import rebuild
    if batch < 1:
        raise TargetError(f"--batch must be at least 1, not {batch}")
    if not isinstance(subject.item, Graph):
        raise TargetError(f"{subject.name} holds the stage {subject.start!r}; a batch size can be put into graphs only")
    others = sorted(subject.item.symbols() - {"B"})
    if others:
        raise TargetError(f"{subject.name} has other sizes than the batch that are unknown: {', '.join(others)}")
    graph = rebuild(subject.item, lambda new, node, inputs: new.add(
        node.op, inputs, {name: bind(value, {"B": batch}) for name, value in node.attrs.items()}))
    return Subject(subject.name, graph, subject.start, subject.model)


def target_named(name: str | None) -> Target:
    """The target of that name, or the one KCOMPILE_TARGET names. Raises TargetError."""
    from ..codegen.target import Target
    from ..compiler import current_target
    if name is None:
        return current_target()
    try:
        return Target.named(name)
    except ValueError as error:
        raise TargetError(str(error)) from None


# -- names of layers and ops, as people write them ----------------------------------------------------------------
def matches(query: str, path: str) -> bool:
    """Whether a query such as `dense`, `dense/add` or `add` names a path such as `net/dense/add`, or something inside it. One that ends
    with / names layers alone."""
    return f"/{query.lstrip('/')}" in f"/{path}" if query.endswith("/") else f"/{query.lstrip('/')}/" in f"/{path}/"


def meant(query: str, paths: Iterable[str]) -> str:
    """The query for what a person means by it: a layer, where one has that name (`add` is an op of many layers, and may be one itself)."""
    layer = f"{query.strip('/')}/"
    return layer if any(matches(layer, path) for path in paths) else query


def label_paths(label: str) -> list[str]:
    """`net/dense/dot + add` -> [net/dense/dot, net/dense/add]: the ops of a kernel's label, each with its layer."""
    paths, layer = [], ""
    for part in filter(None, label.split(" + ")):
        stem, slash, op = part.rpartition("/")
        layer = stem if slash else layer
        paths.append(f"{layer}/{op}" if layer else op)
    return paths


def label_matches(query: str, label: str) -> bool:
    return any(matches(query, path) for path in label_paths(label))


def layers_of(label: str) -> str:
    """The layers a kernel's label names, each once."""
    return ", ".join(dict.fromkeys(path.rpartition("/")[0] or "(top)" for path in label_paths(label)))


def no_match(query: str, paths: list[str], what: str) -> TargetError:
    """The error for a name that nothing has: it names the nearest."""
    names = dict.fromkeys(part for path in paths for part in path.split("/") if part)
    near = get_close_matches(query, list(names), n=3, cutoff=0.5)
    hint = f"did you mean {', '.join(map(repr, near))}?" if near else f"there are {', '.join(list(names)[:12])}"
    return TargetError(f"no {what} is named {query!r}; {hint}")


def absent(subject: Subject, name: str, paths: list[str]) -> TargetError:
    """The error for a name that no kernel has: a view, removed by the rules, a layer that does nothing in this step, or unknown."""
    layers = [layer.name for layer in subject.model._flatten_layers()] if subject.model is not None else []
    if isinstance(subject.item, Graph):
        for stage in ("traced", "differentiated")[stage_index(subject.start):]:
            found = [node for node in subject.at(stage).nodes() if matches(name, f"{node.path}/{node.op.name}")]
            if found and all(isinstance(node.op.kernel, OpaqueKernel) for node in found):
                return TargetError(f"{name!r} has no kernel: it computes nothing. {_views(found)}; ask about the layers beside it")
            if found:
                return TargetError(f"{name!r} is in the {stage} graph but has no kernel: it was rewritten, merged with an equal op, "
                                   "or found dead (`kcompile trace` lists the rules)")
    if name in layers:
        return TargetError(f"layer {name!r} does nothing in this step ({subject.item.name}); --step chooses train, test or predict")
    return no_match(name, [*paths, *layers], "layer or op")


def _views(nodes: list[Node]) -> str:
    views = sorted({node.op.name for node in nodes if isinstance(node.op.kernel, OpaqueKernel) and node.op.kernel.view})
    return f"Its {', '.join(views)} only {'names' if len(views) == 1 else 'name'} the same memory by another shape" if views else \
        "Its values come from outside"
