"""kcompile: models written the Keras way, compiled to native code. `import kcompile as keras`.

Submodules and names are loaded when they are first used, so that the import itself costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "3.15.0"  # the version of Keras whose interface this is

_SUBMODULES = (
    "activations", "applications", "backend", "callbacks", "compat", "config", "constraints", "data", "datasets", "distribution",
    "dtype_policies", "initializers", "layers", "legacy", "losses", "metrics", "mixed_precision", "models", "ops", "optimizers",
    "preprocessing", "quantizers", "random", "regularizers", "saving", "tree", "utils", "visualization", "wrappers",
)
_NAMES = {
    "DTypePolicy": ("dtype_policies", "DTypePolicy"),
    "FloatDTypePolicy": ("dtype_policies", "FloatDTypePolicy"),
    "Function": ("models", "Function"),
    "Initializer": ("initializers", "Initializer"),
    "Input": ("layers", "Input"),
    "InputSpec": ("layers", "InputSpec"),
    "KerasTensor": ("tensor", "KerasTensor"),
    "Layer": ("layers", "Layer"),
    "Loss": ("losses", "Loss"),
    "Metric": ("metrics", "Metric"),
    "Model": ("models", "Model"),
    "Operation": ("operation", "Operation"),
    "Optimizer": ("optimizers", "Optimizer"),
    "Regularizer": ("regularizers", "Regularizer"),
    "Sequential": ("models", "Sequential"),
    "Variable": ("variables", "Variable"),
    "as_tensorflow": ("compat", "as_tensorflow"),
    "name_scope": ("naming", "name_scope"),
}

__all__ = ["__version__", "version", *_NAMES, *_SUBMODULES]

if TYPE_CHECKING:
    from . import (  # noqa: F401
        activations,
        backend,
        callbacks,
        config,
        constraints,
        datasets,
        dtype_policies,
        initializers,
        layers,
        losses,
        metrics,
        models,
        ops,
        optimizers,
        random,
        regularizers,
        tree,
        utils,
    )


def version() -> str:
    """The version of Keras whose interface this is."""
    return __version__


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        module, attribute = _NAMES[name]
        found = getattr(importlib.import_module(f"{__name__}.{module}"), attribute)
    elif name in _SUBMODULES:
        try:
            found = importlib.import_module(f"{__name__}.{name}")
        except ModuleNotFoundError as error:
            if error.name != f"{__name__}.{name}":
                raise
            from .suggest import missing_attribute
            raise missing_attribute(__name__, name) from None
    else:
        from .suggest import missing_attribute
        raise missing_attribute(__name__, name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
