"""keras.datasets: one module a data set, each with `load_data`."""

from ..suggest import suggest_names
from . import boston_housing, california_housing, cifar10, cifar100, fashion_mnist, imdb, mnist, reuters

__all__ = ["boston_housing", "california_housing", "cifar10", "cifar100", "fashion_mnist", "imdb", "mnist", "reuters"]


suggest_names(__name__)
