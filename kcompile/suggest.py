"""Names that do not exist: the error says the nearest public ones. `tf.keras.Adam` -> `tf.keras.optimizers.Adam`.

Nothing here costs anything until such an error is printed.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

NAMESPACES = (
    "activations", "backend", "callbacks", "config", "constraints", "data", "datasets", "dtype_policies", "initializers", "layers",
    "losses", "metrics", "mixed_precision", "models", "ops", "optimizers", "optimizers.schedules", "preprocessing", "preprocessing.image",
    "preprocessing.sequence", "preprocessing.text", "random",
    "regularizers", "saving", "tree", "utils",
)
TF = "kcompile.compat.tf"
TF_NAMESPACES = ("config", "dtypes", "image", "io", "linalg", "math", "nn", "random")


def suggest_names(module: str) -> None:
    """Give a module a `__getattr__` for wrong names; to be called at its end with its `__name__`.

    It is set from here, not written there, so that type checkers still find wrong names in our own code.
    """
    def missing(name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        raise missing_attribute(module, name)

    vars(sys.modules[module])["__getattr__"] = missing


def missing_attribute(module: str, name: str) -> Exception:
    """The error for a name that `module` (its __name__) does not have; to be raised by the module's `__getattr__`.

    An AttributeError; in `from module import name`, where Python would put a message of its own in its place, an ImportError.
    """
    if _imports_a_name(sys._getframe(2)):
        return ImportError(missing_message(module, name), name=module)
    return MissingNameError(module, name)


class MissingNameError(AttributeError):
    """A name that a module does not have. The nearest names are looked for when it is printed: `hasattr` stays cheap."""

    def __init__(self, module: str, name: str) -> None:
        super().__init__(name=name)
        self.module, self.missing = module, name

    def __str__(self) -> str:
        return missing_message(self.module, self.missing)


def _imports_a_name(frame: Any) -> bool:
    """Whether a frame is in the middle of `from ... import name`."""
    import dis

    return frame is not None and frame.f_code.co_code[frame.f_lasti] == dis.opmap["IMPORT_FROM"]


def missing_message(module: str, name: str) -> str:
    """`kcompile has no tf.reduce_summ; did you mean tf.reduce_sum?`"""
    wanted = f"{public_name(module)}.{name}"
    near = nearest_names(wanted)
    return f"kcompile has no {wanted}" + (f"; did you mean {' or '.join(near)}?" if near else "")


def public_name(module: str) -> str:
    """A module of kcompile as its users write it: keras.layers, tf.keras.layers where tensorflow was imported, tf.nn."""
    if module == TF or module.startswith(TF + "."):
        return "tf" + module[len(TF):]
    return _keras() + module.removeprefix("kcompile")


def _keras() -> str:
    return "tf.keras" if "tensorflow" in sys.modules else "keras"


def public_names() -> dict[str, str]:
    """Dotted name -> its last part, of everything public. Imports every namespace: for error messages only."""
    found: dict[str, str] = {}
    for module in _modules():
        prefix = public_name(module.__name__)
        found.setdefault(prefix, prefix.rsplit(".", 1)[-1])
        for name in getattr(module, "__all__", None) or _own_names(module):
            if module.__name__ == "kcompile" and name in module._SUBMODULES and (name == "compat" or not _is_there(f"kcompile.{name}")):
                continue  # no part of Keras, or yet to come
            found.setdefault(f"{prefix}.{name}", name)
    return found


def _modules() -> Iterator[ModuleType]:
    names = ["kcompile", *(f"kcompile.{name}" for name in NAMESPACES)]
    if "tensorflow" in sys.modules or TF in sys.modules:
        names += [TF, *(f"{TF}.{name}" for name in TF_NAMESPACES)]
    for name in names:
        try:
            yield importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name != name and not name.startswith(f"{error.name}."):  # not one that is yet to come
                raise


def forgotten_call(found: Any, base: type) -> str:
    """The end of an error message where a class stands in place of one of its instances: `layers.Dense` for `layers.Dense(10)`."""
    return f". That is the class itself: write {found.__name__}(...)" if isinstance(found, type) and issubclass(found, base) else ""


def _is_there(module: str) -> bool:
    from importlib.util import find_spec

    return find_spec(module) is not None


def _own_names(module: ModuleType) -> list[str]:
    """The public names of a module without `__all__`: not its imports from the standard library, nor its submodules' insides."""
    return [name for name, value in vars(module).items()
            if not name.startswith("_") and not isinstance(value, ModuleType)
            and str(getattr(value, "__module__", "kcompile")).startswith("kcompile")]


def nearest_names(wanted: str, most: int = 2) -> list[str]:
    """The likeliest meant names for a dotted one: the same last part elsewhere, else a similar spelling, the nearest place first.

    Of two, the second is spelled nearly as similarly as the first.
    """
    from difflib import SequenceMatcher, get_close_matches

    def likeness(a: str, b: str) -> float:
        return SequenceMatcher(None, a, b).ratio()

    last = wanted.rsplit(".", 1)[-1]
    names = public_names()
    candidates = [name for name in names if _ends_in(name, last)]
    if not candidates:
        spelled: dict[str, str] = {}
        for end in names.values():
            spelled.setdefault(end.lower(), end)
        close = set(get_close_matches(last.lower(), spelled, n=5, cutoff=0.78))
        candidates = [name for name, end in names.items() if end.lower() in close]
    candidates.sort(key=lambda name: (-likeness(wanted, name), name.count("."), name))
    chosen: dict[str, str] = {}
    for name in candidates:
        chosen.setdefault(names[name], name)
    first = next(iter(chosen), "")
    limit = likeness(last, first) - 0.05
    return [name for end, name in chosen.items() if likeness(last, end) >= limit][:most]


def _ends_in(name: str, last: str) -> bool:
    """Whether a dotted name ends in this part, or in parts that make it: tf.random.normal in random_normal."""
    parts = name.split(".")
    return any("_".join(parts[-count:]) == last for count in range(1, len(parts)))
