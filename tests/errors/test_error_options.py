"""Environment variables that cannot be used: the variable, what it holds, and what it should hold."""

import numpy as np
import pytest
from expected_errors import raises
from faulty_models import classifier

from kcompile.options import OptionError, option


@pytest.mark.parametrize(("name", "text", "said"), [
    *(("KCOMPILE_THREADS", text, "from 1 to 1024") for text in ("0", "two", "1.5")),
    ("KCOMPILE_CACHE_LOG", "/nowhere/at/all", "no folder /nowhere/at"), ("KCOMPILE_CACHE_LOG", "/", "is a folder"),
    ("KCOMPILE_TUNE", "maybe", "0 or 1"), ("KERAS_MAX_EPOCHS", "many", "whole number"), ("KERAS_MAX_STEPS_PER_EPOCH", "-1", "whole number"),
])
def test_a_value_that_is_none(name, text, said, monkeypatch):
    monkeypatch.setenv(name, text)
    with raises(OptionError, name, repr(text), said):
        option(name)


def test_the_log_of_the_cache_and_the_dump_are_named(monkeypatch):
    x = np.zeros((4, 4), "float32")
    monkeypatch.setenv("KCOMPILE_CACHE_LOG", "/nowhere/at/all")
    with raises(OptionError, "KCOMPILE_CACHE_LOG"):
        classifier().predict(x, verbose=0)
    monkeypatch.delenv("KCOMPILE_CACHE_LOG")
    monkeypatch.setenv("KCOMPILE_DUMP", "/dev/null/folder")
    with raises(OSError, "KCOMPILE_DUMP", "/dev/null/folder"):
        classifier().predict(x, verbose=0)
