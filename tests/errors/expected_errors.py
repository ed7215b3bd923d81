"""What a good error says: `with raises(ValueError, "who", "what was expected", "what was given"):`"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def raises(kind: type[Exception], *parts: str) -> Iterator[None]:
    """The block raises this kind, and every part stands in its message or notes. Nothing internal shows in it."""
    try:
        yield
    except kind as error:
        text = "\n".join([str(error), *getattr(error, "__notes__", [])])
        for part in parts:
            assert part in text, f"{part!r} is missing from:\n{text}"
        assert "kcompile/" not in text, f"a file of ours is named:\n{text}"
        return
    raise AssertionError(f"no {kind.__name__}")


def line(text: str) -> str:
    """'file.py:number' of the first line of the calling test that holds `text`: where a message should point."""
    frame = inspect.currentframe().f_back
    source, start = inspect.getsourcelines(frame.f_code)
    for offset, written in enumerate(source):
        if text in written and "line(" not in written:
            return f"{frame.f_code.co_filename}:{start + offset}"
    raise AssertionError(f"no line with {text!r}")
