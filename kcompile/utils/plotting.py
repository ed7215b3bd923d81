"""model_to_dot and plot_model: pictures of models."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .drawing.dot import Dot

_SPLINES = ("ortho", "true", "false", "spline", "line", "polyline", "curved", "none", "")


def model_to_dot(model: Any, show_shapes: bool = False, show_dtype: bool = False, show_layer_names: bool = True, rankdir: str = "TB",
                 expand_nested: bool = False, dpi: float = 200, subgraph: bool = False, show_layer_activations: bool = False,
                 show_trainable: bool = False, splines: str = "ortho", **kwargs: Any) -> Dot:
    """The diagram of a model: `.to_string()` is its DOT source, `.write(path, format="png")` and `.create_svg()` draw it.

    Neither Graphviz nor pydot is needed. rankdir: "TB", "BT", "LR" or "RL", the way from inputs to outputs; expand_nested: models inside
    the model are shown layer by layer, in a frame; dpi: pixels an inch, in pictures of pixels; splines: "ortho" for right angles, all
    else for slanted lines; layer_range: (first, last), names or patterns, as in Keras 2. subgraph: the source of a cluster. Raises
    ValueError for a model that is not built and for other values, TypeError for unknown arguments.
    """
    from ..models.model import Model
    from .drawing.arrangement import RANKDIRS
    from .drawing.dot import Dot
    from .drawing.model_diagram import Shown, diagram_of

    layer_range = kwargs.pop("layer_range", None)
    if kwargs:
        raise TypeError(f"unexpected arguments: {', '.join(sorted(kwargs))}")
    if not isinstance(model, Model):
        raise ValueError(f"`model` must be a keras Model, received {type(model).__name__}")
    if rankdir not in RANKDIRS:
        raise ValueError(f"`rankdir` must be one of {', '.join(RANKDIRS)}; received rankdir={rankdir!r}")
    if isinstance(dpi, bool) or not isinstance(dpi, (int, float)) or not 1 <= dpi <= 10_000:
        raise ValueError(f"`dpi` must be a number of pixels an inch, received dpi={dpi!r}")
    splines = {True: "true", False: "false"}.get(splines, splines)  # type: ignore[call-overload]
    if splines not in _SPLINES:
        raise ValueError(f"`splines` must be one of {', '.join(filter(None, _SPLINES))}; received splines={splines!r}")
    shown = Shown(show_shapes, show_dtype, show_layer_names, show_layer_activations, show_trainable)
    return Dot(diagram_of(model, shown, expand_nested, layer_range), rankdir, dpi, splines, subgraph)


def plot_model(model: Any, to_file: str | os.PathLike[str] = "model.png", show_shapes: bool = False, show_dtype: bool = False,
               show_layer_names: bool = False, rankdir: str = "TB", expand_nested: bool = False, dpi: float = 200,
               show_layer_activations: bool = False, show_trainable: bool = False, splines: str = "ortho", **kwargs: Any) -> Any:
    """Draw a model into a file: .png and other formats of Pillow, .svg (nothing else is needed), or .dot; in a notebook, show it too.

    The other arguments are those of `model_to_dot`. Raises ImportError for pixels without Pillow, ValueError for an ending that is no
    format, for a model that is not built and for other values, OSError where the file cannot be written.
    """
    dot = model_to_dot(model, show_shapes, show_dtype, show_layer_names, rankdir, expand_nested, dpi, False, show_layer_activations,
                       show_trainable, splines, **kwargs)
    path = os.fspath(to_file)
    file_format = os.path.splitext(path)[1][1:].lower() or "png"
    dot.write(path, format=file_format)
    return _shown(path, file_format)


def _shown(path: str, file_format: str) -> Any:
    """What a notebook displays; None elsewhere."""
    try:
        from IPython import display
    except ImportError:
        return None
    if file_format == "svg":
        return display.SVG(filename=path)
    return display.Image(filename=path) if file_format in ("png", "jpg", "jpeg", "gif") else None
