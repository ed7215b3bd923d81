"""Tokens, the cursor that parsers walk on, and the one form of a parse error."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import TypeVar

from kcompile.common.struct import struct

from ..types import DTYPES, Dim, DimLike, TensorType

_TOKEN = re.compile(r"""
    (?P<space>[ \t\r]+)
  | (?P<comment>\#[^\n]*)
  | (?P<newline>\n)
  | (?P<value>%(?:"(?:[^"\\\n]|\\.)*"|[A-Za-z0-9_][\w./'-]*))
  | (?P<string>"(?:[^"\\\n]|\\.)*")
  | (?P<float>\d+\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+)
  | (?P<int>\d+)
  | (?P<name>[A-Za-z_]\w*(?:[./]\w+)*)
  | (?P<mark>\+=|==|!=|<=|>=|<<|>>|//|\.\.|[-+*/%<>=(){}\[\],:&|^])
""", re.VERBOSE)
NAME = re.compile(r"[A-Za-z_]\w*(?:[./]\w+)*")
RESERVED = frozenset({"true", "false", "none", "inf", "nan", *DTYPES})
T = TypeVar("T")


class ParseError(ValueError):
    """One line: file:line:column, what was expected, what was found."""


@struct(frozen=True)
class Token:
    kind: str  # value, string, float, int, name, mark, newline, end
    text: str
    line: int
    column: int
    comment: str = ""  # of a newline: the remark that ended the line

    def __str__(self) -> str:
        return {"newline": "the end of the line", "end": "the end of the text"}.get(self.kind, repr(self.text))


def tokenize(text: str, file: str) -> list[Token]:
    """The tokens of a text; blank lines and lines that hold only a remark leave no token."""
    tokens: list[Token] = []
    line, start, position, comment = 1, 0, 0, ""
    while position < len(text):
        match = _TOKEN.match(text, position)
        if not match:
            raise ParseError(f"{file}:{line}:{position - start + 1}: expected a token, found {text[position]!r}")
        kind = str(match.lastgroup)
        if kind == "comment":
            comment = match[0][1:].strip()
        elif kind == "newline":
            if tokens and tokens[-1].kind != "newline":
                tokens.append(Token("newline", "\n", line, position - start + 1, comment))
            comment, line, start = "", line + 1, match.end()
        elif kind != "space":
            tokens.append(Token(kind, match[0], line, position - start + 1))
        position = match.end()
    if tokens and tokens[-1].kind != "newline":
        tokens.append(Token("newline", "\n", line, position - start + 1, comment))
    tokens.append(Token("end", "", line, position - start + 1))
    return tokens


class Cursor:
    """A position in a list of tokens, with the small parsers that every text form shares."""

    def __init__(self, text: str, file: str = "<text>", first_line: int = 1) -> None:
        self.file, self.first_line = file, first_line
        self.tokens = tokenize(text, file)
        self.position = 0

    @property
    def token(self) -> Token:
        return self.tokens[self.position]

    def next(self) -> Token:
        token = self.token
        self.position = min(self.position + 1, len(self.tokens) - 1)
        return token

    def error(self, expected: str, token: Token | None = None, found: str = "") -> ParseError:
        """The error to raise at a token (this one by default)."""
        token = token or self.token
        return ParseError(f"{self.place(token)}: expected {expected}, found {found or token}")

    def place(self, token: Token) -> str:
        return f"{self.file}:{token.line + self.first_line - 1}:{token.column}"

    def peek(self, text: str) -> bool:
        return self.token.text == text and self.token.kind in ("mark", "name")

    def peek_after(self, text: str) -> bool:
        """Whether the token after this one is `text`."""
        following = self.tokens[min(self.position + 1, len(self.tokens) - 1)]
        return following.text == text and following.kind in ("mark", "name")

    def accept(self, text: str) -> bool:
        if self.peek(text):
            self.next()
            return True
        return False

    def expect(self, text: str, why: str = "") -> Token:
        if not self.peek(text):
            raise self.error(f"{text!r}{why}")
        return self.next()

    def kind(self, kind: str, expected: str) -> Token:
        if self.token.kind != kind:
            raise self.error(expected)
        return self.next()

    def end_line(self) -> Token:
        return self.kind("newline", "the end of the line")

    def skip_lines(self) -> None:
        while self.token.kind == "newline":
            self.next()

    def name(self, expected: str = "a name") -> str:
        """A bare name, or a quoted one where it holds other characters."""
        token = self.token
        if token.kind == "string":
            return unquote(self.next().text)
        if token.kind != "name":
            raise self.error(expected)
        return self.next().text

    def several(self, item: Callable[[], T]) -> list[T]:
        """One or more, with commas between them."""
        found = [item()]
        while self.accept(","):
            found.append(item())
        return found

    def line(self, word: str, item: Callable[[], T]) -> list[T]:
        """What stands in a line that begins with a word; nothing where no such line comes."""
        if not self.accept(word):
            return []
        found = self.several(item)
        self.end_line()
        return found

    def pair(self, expected: str, value: Callable[[], T]) -> tuple[str, T]:
        """name: value"""
        name = self.name(expected)
        self.expect(":")
        return name, value()

    def integer(self, expected: str = "an integer") -> int:
        sign = -1 if self.accept("-") else 1
        return sign * int(self.kind("int", expected).text)

    def string(self, expected: str) -> str:
        return unquote(self.kind("string", expected).text)

    def dim(self) -> DimLike:
        """2*B+1"""
        total = self._dim_term()
        while self.peek("+") or self.peek("-"):
            sign = -1 if self.next().text == "-" else 1
            total = total + sign * self._dim_term()
        return total

    def _dim_term(self) -> DimLike:
        sign = -1 if self.accept("-") else 1
        total = sign * self._dim_factor()
        while self.accept("*"):
            total = total * self._dim_factor()
        return total

    def _dim_factor(self) -> DimLike:
        if self.token.kind == "int":
            return int(self.next().text)
        if self.token.kind == "name" and self.token.text not in RESERVED:
            return Dim.symbol(self.next().text)
        raise self.error("a dimension")

    def type(self) -> TensorType:
        """f32[B, 784]"""
        if self.token.kind != "name" or self.token.text not in DTYPES:
            raise self.error("a type such as f32[B, 784]")
        dtype = DTYPES[self.next().text]
        self.expect("[")
        shape: list[DimLike] = []
        while not self.accept("]"):
            if shape:
                self.expect(",", " or ']'")
            shape.append(self.dim())
        return TensorType(tuple(shape), dtype)


def quote(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def unquote(text: str) -> str:
    return str(json.loads(text))


def name_text(name: str) -> str:
    """A name as it is written: bare where the tokens allow it, else quoted."""
    return name if NAME.fullmatch(name) else quote(name)
