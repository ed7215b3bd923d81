"""keras.datasets: one module a data set, each with `load_data`."""

from ..suggest import suggest_names
from . import mnist

__all__ = ["mnist"]


suggest_names(__name__)
