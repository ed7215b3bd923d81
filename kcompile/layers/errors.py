"""Owns what an error says besides its message: which layer, where it was written, what it was called with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .. import tracing, tree

_MARK = "_kcompile_located"


@contextmanager
def located(layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Iterator[None]:
    """Add the layer's path, the user's own line and the arguments to an error raised inside, once.

    The error keeps its class and traceback; one that carries no text of its own gets a note.
    """
    try:
        yield
    except Exception as error:
        if not getattr(error, _MARK, False):
            _explain(error, layer, args, kwargs)
        raise


def _explain(error: Exception, layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    line = tracing.user_source(error.__traceback__) or tracing.user_source()
    written = layer._source if layer._source and layer._source != line else ""
    text = f"in layer '{layer.path}' ({type(layer).__name__})"
    if written:
        text += f", written at {written}"
    if line:
        text += f", called at {line}"
    given = [describe(value) for value in args] + [f"{name}={describe(value)}" for name, value in kwargs.items()]
    if given:
        text += "\ncalled with " + ", ".join(given)
    setattr(error, _MARK, True)
    if len(error.args) == 1 and isinstance(error.args[0], str) and str(error) == error.args[0]:
        error.args = (f"{error.args[0]}\n{text}",)
    else:
        error.add_note(text)


def describe(value: Any) -> str:
    """A call argument in short: tensors and arrays by shape and dtype."""
    if tree.is_nested(value):
        return str(tree.map_structure(_Short, value))
    return repr(_Short(value))


class _Short:
    def __init__(self, value: Any) -> None:
        self.value = value

    def __repr__(self) -> str:
        if hasattr(self.value, "shape") and hasattr(self.value, "dtype"):
            kind = type(self.value).__name__.replace("TracedTensor", "Tensor")
            return f"{kind}(shape={tuple(self.value.shape)}, dtype={self.value.dtype})"
        text = repr(self.value)
        return text if len(text) <= 60 else text[:57] + "..."
