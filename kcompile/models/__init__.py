"""Models: layers put together, in three styles."""

from .cloning import clone_model
from .function import Function
from .functional import Functional
from .model import Model
from .sequential import Sequential

__all__ = ["Function", "Functional", "Model", "Sequential", "clone_model"]
