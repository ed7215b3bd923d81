"""Scheduled nest -> LLVM IR text of one function."""

from .function import emit

__all__ = ["emit"]
