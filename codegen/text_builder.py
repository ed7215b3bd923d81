"""Writing LLVM text: deterministic names, module-level declarations, and the joining of texts into one module.

Text is many times faster to make than builder objects, and it is what the cache is keyed on, so the same calls must
give the same bytes: names are a hint and a counter, nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable


class Writer:
    """Collects the body of one function (or several) and the module-level text that it needs.

        >>> w = Writer()
        >>> total = w.value("fadd float %a, %b")
        >>> w.line(f"ret float {total}")
        >>> print(w.body())
          %v0 = fadd float %a, %b
          ret float %v0
    """

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.declarations: dict[str, None] = {}
        self._count = 0

    def fresh(self, hint: str = "") -> str:
        """A new local name, '%v12' or '%hint12'."""
        name = f"%{hint or 'v'}{self._count}"
        self._count += 1
        return name

    def fresh_label(self, hint: str = "block") -> str:
        """A new block name without '%'."""
        return self.fresh(hint)[1:]

    def line(self, text: str) -> None:
        self.lines.append("  " + text)

    def value(self, text: str, hint: str = "") -> str:
        """Emit `%name = text` and return the name."""
        name = f"%{hint or 'v'}{self._count}"
        self._count += 1
        self.lines.append(f"  {name} = {text}")
        return name

    def label(self, name: str) -> None:
        """Start the block `name` (given without '%')."""
        self.lines.append(f"{name}:")

    def raw(self, text: str) -> None:
        """A line without indentation: a function's head or its closing brace."""
        self.lines.append(text)

    def declare(self, text: str) -> None:
        """Module-level text (a declaration, a constant, helper functions); each block of it is kept once."""
        if "\n" not in text:
            self.declarations[text] = None
        else:
            self.declarations.update(dict.fromkeys(blocks(text)))

    def call(self, result: str, name: str, *arguments: tuple[str, str]) -> str:
        """Declare `name` and call it: arguments are (type, operand) pairs. Returns the result's name."""
        self.declare(f"declare {result} @{name}({', '.join(t for t, _ in arguments)})")
        return self.value(f"call {result} @{name}({', '.join(f'{t} {v}' for t, v in arguments)})")

    def body(self) -> str:
        return "\n".join(self.lines)

    def text(self) -> str:
        """Declarations first, then everything written."""
        return "\n".join([*self.declarations, *self.lines]) + "\n"


def blocks(text: str) -> list[str]:
    """Top-level blocks of a module's text: each declaration or global on its own, each function as one block."""
    out: list[str] = []
    text = text.rstrip("\n") + "\n"
    start, length = 0, len(text)
    while start < length:
        end = text.index("\n", start)
        if text.startswith("define", start):
            close = text.find("\n}\n", start)
            if close < 0:
                raise ValueError(f"a function has no closing brace on a line of its own: {text[start:end]}")
            end = close + 2
            out.append(text[start:end])
        elif not text.startswith(";", start) and (line := text[start:end]).strip():
            out.append(line)
        start = end + 1
    return out


def join(texts: Iterable[str]) -> str:
    """One module's text from several: equal blocks once, declarations and globals before functions.

    A name that is declared in one text and defined in another keeps its definition only.
    """
    seen: dict[str, None] = {}
    for text in texts:
        for block in blocks(text):
            seen[block] = None
    functions = [b for b in seen if b.startswith("define")]
    defined = {_name(b) for b in functions}
    others = [b for b in seen if not b.startswith("define") and not (b.startswith("declare") and _name(b) in defined)]
    return "\n".join([*others, *functions]) + "\n"


def _name(block: str) -> str:
    """'@name' of a declare or define block."""
    start = block.index("@")
    return block[start:block.index("(", start)]
