"""Which loss, metric, weight or label belongs to which output of a model.

`compile` and `fit` take per-output arguments as one value for all, a list in the order of the outputs, a dict by output name
(or by key of a dict output), or any structure like that of the outputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import tree


def output_names(y_pred: Any, model_names: Sequence[str] | None) -> list[str | None]:
    """A name for each leaf of y_pred: the model's own, else the keys of dicts; None for positions of lists."""
    paths = [path for path, _ in tree.flatten_with_path(y_pred)]
    if len(paths) == 1 and not paths[0]:
        return list(model_names) if model_names is not None and len(model_names) == 1 else [None]
    if all(isinstance(part, str) for path in paths for part in path):
        return ["_".join(path) for path in paths]
    if model_names is not None and len(model_names) == len(paths):
        return list(model_names)
    return [None] * len(paths)


def assign(argument: Any, y_pred: Any, names: Sequence[str | None], title: str, is_leaf: Any = None, spread: bool = False) -> list[Any]:
    """One entry of a per-output argument for each output; None where there is none.

    is_leaf(value): whether a value is an entry by itself, though it is a list or dict; spread: a single entry is meant for every
    output. Raises ValueError for names that do not exist and for lists of another length.
    """
    count = len(names)
    leaf = is_leaf or (lambda value: not tree.is_nested(value))
    if argument is None:
        return [None] * count
    if leaf(argument):
        if count > 1 and not spread:
            raise ValueError(f"`{title}` must be given for each of the {count} outputs{_named(names)}: as a list of {count}, or as a dict "
                             f"with output names as keys. Received: {argument!r}")
        return [argument] * count
    if isinstance(argument, dict):
        return _by_name(argument, y_pred, names, title, leaf)
    if isinstance(y_pred, (list, tuple)) and len(y_pred) != count and len(argument) == len(y_pred):
        return [entry for value, part in zip(argument, y_pred, strict=True)
                for entry in assign(value, part, [None] * len(tree.flatten(part)), title, is_leaf, spread)]
    entries = list(argument)
    if len(entries) != count:
        raise ValueError(f"`{title}` is a list of {len(entries)}, but the model has {count} "
                         f"output{'s' if count > 1 else ''}{_named(names)}. "
                         f"Received: {argument!r}")
    return entries


def _by_name(argument: dict[str, Any], y_pred: Any, names: Sequence[str | None], title: str, leaf: Any) -> list[Any]:
    if isinstance(y_pred, dict) and any(tree.is_nested(part) for part in y_pred.values()) and set(argument) <= set(y_pred):
        found = []
        for key in tree.flatten({key: key for key in y_pred}):
            part = y_pred[key]
            found += assign(argument.get(key), part, [None] * len(tree.flatten(part)), title, leaf)
        return found
    known = [name for name in names if name is not None]
    unknown = [key for key in argument if key not in known]
    if unknown and len(names) == 1 and not known and len(argument) == 1:  # the one output, by whatever name the model gives it
        return list(argument.values())
    if unknown:
        raise ValueError(f"`{title}` has the key {unknown[0]!r}, but the outputs of the model are named {known or '(without names)'}")
    return [None if name is None else argument.get(name) for name in names]


def _named(names: Sequence[str | None]) -> str:
    known = [name for name in names if name is not None]
    return f" {known}" if known else ""
