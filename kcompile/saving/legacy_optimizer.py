"""Owns the optimizer states of older `.h5` files, whose lists of values differ from version to version."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..common.users_code import warn


def load_optimizer_weights(optimizer: Any, names: list[str], values: list[np.ndarray[Any, Any]], what: str) -> None:
    """Give a built optimizer its state. What cannot be mapped is left fresh, with one warning that says so."""
    own = list(optimizer.variables)  # of a loss-scaling one, those of the optimizer in it too
    mapped = _mapped(optimizer, own, names, values)
    if mapped is None:
        warn(f"{what}: the state of optimizer '{optimizer.name}' could not be mapped ({len(values)} values "
             f"{names[:4]}... for {len(own)} variables); the optimizer starts afresh")
        return
    for variable, value in mapped:
        variable.assign(value)


def _fits(pairs: list[tuple[Any, np.ndarray[Any, Any]]]) -> bool:
    return all(tuple(variable.shape) == value.shape for variable, value in pairs)


def _mapped(optimizer: Any, own: list[Any], names: list[str], values: list[np.ndarray[Any, Any]]) -> Any:
    """(variable, value) pairs, or None."""
    if len(own) == len(values):
        pairs = list(zip(own, values, strict=True))
        if _fits(pairs):
            return pairs
    # Keras 2 keeps neither the rate nor Nadam's running product among them
    rate = optimizer._learning_rate
    product = getattr(optimizer, "_u_product", None)
    slots = [variable for variable in own[1:] if variable is not rate and variable is not product]
    weights = optimizer._trainable_variables
    rest = list(values)
    counter = rest.pop(0) if rest and rest[0].shape == () else None
    rest = [value for value, name in zip(rest, names[len(values) - len(rest):], strict=True) if "vhat" not in name or value.shape != (1,)]
    if len(rest) > len(slots) and all(value.shape == (1,) for value in rest[len(slots):]):
        rest = rest[:len(slots)]  # Keras before 2.3 stores empty maxima when amsgrad is off
    if not slots and counter is not None:
        rest = []  # Keras 2 keeps momenta even where there is no momentum
    if len(rest) != len(slots) or not weights:
        return None
    ordered = _grouped(slots, weights) if _is_grouped(names[len(names) - len(rest):]) else slots
    pairs = list(zip(ordered, rest, strict=True))
    if not _fits(pairs):
        return None
    if counter is not None:
        pairs.insert(0, (own[0], counter))
        if product is not None:
            shares = optimizer.beta_1 * (1.0 - 0.5 * 0.96 ** np.arange(1, int(counter) + 1))
            pairs.append((product, np.asarray(np.prod(shares), np.float32)))
    return pairs


def _is_grouped(names: list[str]) -> bool:
    """Whether all first moments come before all second ones, as before Keras 2.11: names end with the moment, or say nothing."""
    ends = [name.removesuffix(":0").rsplit("/", 1)[-1] for name in names]
    return bool(ends) and all(end in _OLD_SLOTS or end.startswith("Variable") for end in ends)


_OLD_SLOTS = ("m", "v", "vhat", "rms", "mg", "momentum", "accumulator", "accum_grad", "accum_var")


def _grouped(slots: list[Any], weights: list[Any]) -> list[Any]:
    """The variables of an optimizer by kind, those of a kind in the order of the weights."""
    kinds: dict[str, list[Any]] = {}
    for variable in slots:
        name = variable.path.split("/", 1)[-1]
        paths = [weight.path.replace("/", "_") for weight in weights]
        owner = max((path for path in paths if name.startswith(path)), key=len, default="")
        kinds.setdefault(name[len(owner):], []).append(variable)
    return [variable for group in kinds.values() for variable in group]
