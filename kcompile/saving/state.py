"""Owns the walk over a model's layers and optimizer in the order of `.weights.h5`, and values going out and in along it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from ..naming import to_snake_case
from .errors import ModelFileError, tell_misfits
from .hdf5 import Group
from .hdf5_writer import Writer
from .legacy_optimizer import load_optimizer_weights


def _skipped() -> frozenset[str]:
    from ..layers import Layer

    return frozenset([*dir(Layer(name="any")), "operations", "_functional", "_sequence", "_graph", "_inputs_struct", "_outputs_struct"])


_skipset: list[frozenset[str]] = []


def _attributes(owner: Any) -> Iterator[tuple[str, Any]]:
    """(name, value) of what may hold layers: public names first, private ones last. Of kcompile's own properties only `layers`."""
    from ..models import Functional, Sequential

    if not _skipset:
        _skipset.append(_skipped())
    if isinstance(owner, (Sequential, Functional)):
        yield "layers", owner.layers
    names = set(vars(owner))
    for cls in type(owner).__mro__:
        if not cls.__module__.startswith(__name__.partition(".")[0] + "."):
            names.update(name for name, value in vars(cls).items() if isinstance(value, property))
    if owner._is_model:
        names.add("layers")
    for name in sorted(names, key=lambda name: f"~{name}" if name.startswith("_") else name):
        if name.startswith("__") or name in _skipset[0]:
            continue
        try:
            value = getattr(owner, name)
        except Exception:
            continue
        yield name, value


def walk(model: Any, skip: Iterable[Any] = ()) -> Iterator[tuple[str, Any]]:
    """(path, layer or optimizer) of everything with variables, each once, in the order and under the names of Keras's files.

    skip: objects that are left out, with all that is in them.
    """
    yield from _walk(model, "", {id(item) for item in skip}, set())


def _walk(item: Any, path: str, seen: set[int], containers: set[int]) -> Iterator[tuple[str, Any]]:
    from ..layers import Layer

    if id(item) in seen:
        return
    seen.add(id(item))
    yield path, item
    if not isinstance(item, Layer):
        if hasattr(item, "inner_optimizer"):
            yield from _walk(item.inner_optimizer, f"{path}/inner_optimizer", seen, containers)
        return
    for name, value in _attributes(item):
        below = f"{path}/{name}" if path else name
        if _is_saved(value):
            yield from _walk(value, below, seen, containers)
        elif isinstance(value, (list, tuple, dict)):
            yield from _walk_container(value, below, seen, containers)


def _walk_container(container: Any, path: str, seen: set[int], containers: set[int]) -> Iterator[tuple[str, Any]]:
    if id(container) in containers:
        return
    containers.add(id(container))
    used: dict[str, int] = {}

    def unique(name: str) -> str:
        used[name] = used.get(name, -1) + 1
        return f"{name}_{used[name]}" if used[name] else name

    for value in list(container.values()) if isinstance(container, dict) else container:
        if _is_saved(value):
            yield from _walk(value, f"{path}/{unique(to_snake_case(type(value).__name__))}", seen, containers)
        elif isinstance(value, (list, tuple, dict)):
            yield from _walk_container(value, f"{path}/{unique('container')}", seen, containers)


def _is_optimizer(value: Any) -> bool:
    from ..optimizers import Optimizer

    return isinstance(value, Optimizer)


def _is_saved(value: Any) -> bool:
    from ..layers import Layer

    return isinstance(value, Layer) or _is_optimizer(value)


# -- out ----------------------------------------------------------------------------------------------------------
def stored_values(model: Any, include_optimizer: bool = True,
                  skip: Iterable[Any] = ()) -> Iterator[tuple[str, str, dict[str, np.ndarray[Any, Any]]]]:
    """(path, name, {key: array}) of every layer, and of the optimizer when it has state. skip: objects to leave out with all in them."""
    for path, item in walk(model, skip):
        if _is_optimizer(item) and (not include_optimizer or not item.built):
            continue
        store: dict[str, np.ndarray[Any, Any]] = {}
        item.save_own_variables(store)
        yield path, item.name, {key: np.asarray(value) for key, value in store.items()}


def weights_file(model: Any, include_optimizer: bool = True, skip: Iterable[Any] = ()) -> bytes:
    """The bytes of a `.weights.h5` file."""
    writer = Writer()
    for path, name, store in stored_values(model, include_optimizer, skip):
        place = f"{path}/vars" if path else "vars"
        writer.group(place, {"name": name})
        for key, value in store.items():
            writer.array(f"{place}/{key}", value)
    return writer.bytes()


# -- in -----------------------------------------------------------------------------------------------------------
def load_weights_file(model: Any, root: Group, what: str, skip_mismatch: bool = False, skip: Iterable[Any] = ()) -> None:
    """Give a model the values of a `.weights.h5` file.

    skip: objects to leave as they are, with all in them. Raises ModelFileError naming every layer that does not fit, before any changes.
    """
    optimizer = getattr(model, "optimizer", None)
    problems: list[str] = []
    found: list[tuple[Any, dict[str, Any]]] = []
    for path, item in walk(model, skip):
        place = f"{path}/vars" if path else "vars"
        group = root.group(place)
        if group is None and path.startswith("layers") and "_layer_checkpoint_dependencies" in root.members:  # Keras 2.13
            group = root.group(f"_layer_checkpoint_dependencies{place.removeprefix('layers')}")
        store = dict(group.members) if group is not None else {}
        if item is optimizer:
            if store:
                found.append((item, store))
            continue
        if item is getattr(optimizer, "inner_optimizer", None):
            continue  # its values are among the outer one's
        problem = misfit(item, store)
        if problem is None:
            found.append((item, store))
        else:
            problems.append(f"layer '{item.name}' (at {place}): {problem}")
    tell_misfits(model, what, problems, skip_mismatch)
    _load_with_own_code(model, [(item, store) for item, store in found if item is not optimizer and _has_own_loader(item)], what,
                        skip_mismatch)
    for item, store in found:
        if item is optimizer:
            load_optimizer(model, store, what)
        elif not _has_own_loader(item):
            item.load_own_variables(store)


def _has_own_loader(layer: Any) -> bool:
    from ..layers.state import LayerState

    return type(layer).load_own_variables is not LayerState.load_own_variables


def _load_with_own_code(model: Any, found: list[tuple[Any, dict[str, Any]]], what: str, skip_mismatch: bool) -> None:
    """Layers whose load_own_variables is the user's. An error in one leaves all as they were; those that skip are warned of."""
    before = [(variable, variable.numpy()) for variable in model.variables] if found else []
    problems = []
    for item, store in found:
        try:
            item.load_own_variables(store)
        except Exception as error:
            problems.append(f"layer '{item.name}': its load_own_variables() raised {type(error).__name__}: {error}")
    if problems and not skip_mismatch:
        for variable, value in before:
            variable.assign(value)
    tell_misfits(model, what, problems, skip_mismatch)


def misfit(layer: Any, store: dict[str, Any]) -> str | None:
    """Why stored values do not fit a layer's own variables, or None. Layers with a loader of their own judge for themselves."""
    if _has_own_loader(layer):
        return None
    own = layer._own_variables()
    if len(own) != len(store):
        hint = "" if layer.built or own else " (the layer has not been built: call the model on data first)"
        return f"it has {len(own)} variables, the file has {len(store)}{hint}"
    for number, variable in enumerate(own):
        value = store.get(str(number))
        if not isinstance(value, np.ndarray):
            return f"the file has no value for '{variable.path}'"
        if tuple(variable.shape) != value.shape:
            return f"variable '{variable.path}' has shape {tuple(variable.shape)}, the file {value.shape}"
    return None


def load_optimizer(model: Any, store: dict[str, Any], what: str) -> None:
    """Give the optimizer its state; one that does not fit is left as it is, with a warning."""
    optimizer = model.optimizer
    if not optimizer.built and model.built:
        optimizer.build(model.trainable_variables)
    values = [store.get(str(number)) for number in range(len(store))]
    if not all(isinstance(value, np.ndarray) for value in values):
        raise ModelFileError(f"{what}: the optimizer's values are not numbered 0 to {len(store) - 1}")
    load_optimizer_weights(optimizer, [""] * len(values), values, what)  # type: ignore[arg-type]
