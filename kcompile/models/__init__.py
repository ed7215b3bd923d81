"""Models: layers put together, in three styles."""

from ..suggest import suggest_names
from .cloning import clone_model
from .function import Function
from .functional import Functional
from .model import Model
from .sequential import Sequential
from .storage import load_model, model_from_json, save_model

__all__ = ["Function", "Functional", "Model", "Sequential", "clone_model", "load_model", "model_from_json", "save_model"]


suggest_names(__name__)
