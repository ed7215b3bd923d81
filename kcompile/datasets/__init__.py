"""keras.datasets: one module a data set, each with `load_data`."""

from . import mnist

__all__ = ["mnist"]
