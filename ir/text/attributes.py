"""Attribute values as text: numbers, flags, strings, dims, dtypes, types, tuples of them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..types import DTYPES, Dim, DType, TensorType
from .tokens import Cursor, quote


def attribute_text(value: Any) -> str:
    """The text of one attribute value. Raises TypeError for a value that no text form exists for."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return float_text(value)
    if isinstance(value, (int, Dim, DType, TensorType)):
        return str(value)
    if isinstance(value, str):
        return quote(value)
    if isinstance(value, tuple):
        return f"({', '.join(map(attribute_text, value))})"
    raise TypeError(f"an attribute value that has no text form: {value!r} of type {type(value).__name__}")


def float_text(value: float) -> str:
    """The shortest text that reads as the same float; nan, inf and -inf by these names."""
    if math.isnan(value):
        return "nan"
    return repr(float(value)) if math.isfinite(value) else "inf" if value > 0 else "-inf"


def parse_attribute(cursor: Cursor) -> Any:
    """A string, tuple, type, dtype, truth value, number or dimension. Raises ParseError."""
    token = cursor.token
    if token.kind == "string":
        return cursor.string("a string")
    if cursor.accept("("):
        items: list[Any] = []
        while not cursor.accept(")"):
            if items:
                cursor.expect(",", " or ')'")
                if cursor.accept(")"):
                    break
            items.append(parse_attribute(cursor))
        return tuple(items)
    if token.kind == "name" and token.text in DTYPES:
        if cursor.peek_after("["):
            return cursor.type()
        return DTYPES[cursor.next().text]
    for word, value in (("true", True), ("false", False), ("none", None), ("inf", math.inf), ("nan", math.nan)):
        if cursor.accept(word):
            return value
    following = cursor.tokens[cursor.position + 1] if token.text == "-" else token
    if following.kind == "float" or following.text == "inf":
        sign = -1.0 if cursor.accept("-") else 1.0
        cursor.next()
        return sign * float(following.text)
    if token.kind in ("int", "name") or token.text == "-":
        return cursor.dim()
    raise cursor.error("an attribute value")
