"""The import hook: names below `tensorflow` and `keras` become modules of kcompile."""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Sequence
from types import ModuleType

TENSORFLOW = "kcompile.compat.tf"
# longest prefix first: what stands left is imported as what stands right
ALIASES = (
    ("tensorflow.keras", "kcompile"),
    ("tensorflow.data", "kcompile.data"),
    ("tensorflow", TENSORFLOW),
    ("tf_keras", "kcompile"),
    ("keras", "kcompile"),
)
SHADOWED = ("tensorflow", "keras", "tf_keras")


def real_name(name: str) -> str | None:
    """'tensorflow.keras.layers' -> 'kcompile.layers'; None for a module that is not ours to give."""
    for alias, target in ALIASES:
        if name == alias or name.startswith(alias + "."):
            return target + name[len(alias):]
    return None


class _Loader(importlib.abc.Loader):
    def __init__(self, target: str) -> None:
        self.target = target
        self.own_spec: importlib.machinery.ModuleSpec | None = None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        module = importlib.import_module(self.target)
        self.own_spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self.own_spec  # the module keeps its own name; only sys.modules knows it by the alias


class TensorFlowFinder(importlib.abc.MetaPathFinder):
    """Stands first in sys.meta_path, so that an installed tensorflow or keras is shadowed."""

    def find_spec(self, name: str, path: Sequence[str] | None = None,
                  target: ModuleType | None = None) -> importlib.machinery.ModuleSpec | None:
        real = real_name(name)
        if real is None:
            return None
        if not _exists(real):
            raise ModuleNotFoundError(_missing(name), name=name)
        return importlib.machinery.ModuleSpec(name, _Loader(real))  # no package: the module has its own __path__, or needs none


_PRIVATE = {"keras.src": "Keras", "tf_keras.src": "Keras", "tensorflow.keras.src": "Keras", "tensorflow.python": "TensorFlow"}


def _missing(name: str) -> str:
    from ..suggest import nearest_names
    for private, owner in _PRIVATE.items():
        if name == private or name.startswith(private + "."):
            return f"kcompile has no {name}: {private} is private to {owner}; import the public name, as from tensorflow.keras.layers"
    near = nearest_names(name.replace("tensorflow", "tf", 1))
    return f"kcompile has no module {name}" + (f"; did you mean {' or '.join(near)}?" if near else "")


def _exists(real: str) -> bool:
    if real in sys.modules:
        return True
    try:
        return importlib.util.find_spec(real) is not None
    except ModuleNotFoundError:
        return False


def as_tensorflow() -> None:
    """From now on, `import tensorflow`, `from tensorflow.keras import ...` and `import keras` give kcompile, in this process.

    Raises RuntimeError when a real TensorFlow or Keras has been imported already: its objects and ours do not mix.
    """
    for name in SHADOWED:
        module = sys.modules.get(name)
        if module is not None and not module.__name__.startswith("kcompile"):
            raise RuntimeError(f"{name} has been imported already; call kcompile.as_tensorflow() before the first import of it")
    if not any(isinstance(finder, TensorFlowFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, TensorFlowFinder())
