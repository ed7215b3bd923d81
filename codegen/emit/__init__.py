"""Scheduled nest -> LLVM IR text of one function."""

from .function import emit
from .indices import HiddenRow

__all__ = ["HiddenRow", "emit"]
