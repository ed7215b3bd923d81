"""Finds the public name nearest to one that does not exist, for error messages: `tf.keras.Adam` -> `tf.keras.optimizers.Adam`."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
from types import ModuleType

NAMESPACES = (
    "activations", "backend", "callbacks", "constraints", "datasets", "initializers", "layers", "losses", "metrics", "models",
    "ops", "optimizers", "random", "regularizers", "utils",
)
TF_NAMESPACES = ("config", "dtypes", "image", "linalg", "math", "nn", "random")


def public_names() -> dict[str, str]:
    """dotted name as a tf.keras user writes it -> its last part. Imports every public namespace: for errors only."""
    found: dict[str, str] = {}

    def enter(prefix: str, module: ModuleType) -> None:
        names = getattr(module, "__all__", None) or [n for n in dir(module) if not n.startswith("_")]
        for name in names:
            found.setdefault(f"{prefix}.{name}", name)

    enter("tf.keras", importlib.import_module("kcompile"))
    for namespace in NAMESPACES:
        found.setdefault(f"tf.keras.{namespace}", namespace)
        if importlib.util.find_spec(f"kcompile.{namespace}") is not None:
            enter(f"tf.keras.{namespace}", importlib.import_module(f"kcompile.{namespace}"))
    enter("tf", importlib.import_module("kcompile.compat.tf"))
    for namespace in TF_NAMESPACES:
        enter(f"tf.{namespace}", importlib.import_module(f"kcompile.compat.tf.{namespace}"))
    return found


def nearest_names(wanted: str, most: int = 2) -> list[str]:
    """The likeliest meant names for a dotted name: same last part first (fewest other parts differing), then similar spelling."""
    wanted = wanted.replace("tensorflow", "tf", 1)
    last = wanted.rsplit(".", 1)[-1]
    names = public_names()

    def closeness(name: str) -> float:
        return -difflib.SequenceMatcher(None, wanted, name).ratio()

    same = [name for name, end in names.items() if end == last]
    if not same:
        same = [name for name, end in names.items() if end.lower() == last.lower()]
    if not same:
        close = set(difflib.get_close_matches(last, set(names.values()), n=3, cutoff=0.75))
        same = [name for name, end in names.items() if end in close]
    return sorted(same, key=lambda name: (closeness(name), name))[:most]


def missing_attribute(module: str, name: str) -> AttributeError:
    """The error that a module's __getattr__ raises; `module` as the user writes it ('tf', 'tf.nn', 'tf.keras')."""
    near = nearest_names(f"{module}.{name}")
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    return AttributeError(f"kcompile has no {module}.{name}{hint}", name=name)
