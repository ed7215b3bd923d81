"""A warning is told of the user's line, however deep in kcompile it is noticed."""

from __future__ import annotations

import subprocess
import sys
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kcompile as keras
from kcompile import layers
from kcompile.codegen import cache
from kcompile.common import users_code

X = np.ones((8, 3), np.float32)


def small() -> Any:
    model = keras.Sequential([keras.Input((3,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


def frozen() -> Any:
    model = keras.Sequential([keras.Input((3,)), layers.Dense(1, trainable=False)])
    model.compile("sgd", "mse")
    return model


def test_a_cache_that_cannot_be_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.chmod(0o777)
    monkeypatch.setenv("KCOMPILE_CACHE", str(tmp_path))
    with pytest.warns(RuntimeWarning, match="can be written by other users") as told:
        small().fit(X, X[:, 0], verbose=0)
    assert_here(told, "small().fit(X")


@pytest.mark.parametrize(("does", "line"), [
    (lambda: frozen().fit(X, X[:, 0], verbose=0), "frozen().fit(X"),
    (lambda: small().fit(X, X[:, 0], verbose=0, callbacks=[keras.callbacks.EarlyStopping("val_loss")]), "small().fit(X"),
    (lambda: small().fit(iter([(X, X[:, 0])]), steps_per_epoch=3, verbose=0), "small().fit(iter"),
    (lambda: keras.optimizers.Adam(decay=0.1), "keras.optimizers.Adam(decay"),
    (lambda: layers.Flatten()(layers.Embedding(9, 4, mask_zero=True)(keras.Input((3,)))), "layers.Flatten()("),
], ids=["nothing to train", "a name that no log has", "out of data", "an argument", "a mask"])
def test_what_is_noticed_inside(does: Callable[[], Any], line: str) -> None:
    with pytest.warns(UserWarning) as told:
        does()
    assert_here(told, line)


def test_a_thread_that_runs_no_line_of_the_users() -> None:
    with pytest.warns(RuntimeWarning, match="nobody") as told:
        thread = threading.Thread(target=cache._refuse, args=(Path("nobody"), "is there"))
        thread.start()
        thread.join()
    assert [Path(one.filename).name for one in told] == ["cache.py"]


def test_the_users_filters_are_asked_of_the_users_module() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.filterwarnings("error", module=__name__.replace(".", r"\."))
        with pytest.raises(UserWarning, match="like this"):
            users_code.warn("like this")


def test_numpys_code_is_nobodys() -> None:
    with pytest.warns(UserWarning, match="like this") as told:
        np.vectorize(users_code.warn, otypes=[object])("like this")
    assert_here(told, "np.vectorize(users_code.warn")


def test_who_warns_of_the_cache_wants_no_numpy() -> None:
    text = "import sys, kcompile.codegen.cache, kcompile.common.users_code as u; u.is_users(sys._getframe().f_code);" \
           " sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", text], check=False).returncode == 0


def assert_here(told: Any, line: str) -> None:
    """All were told of a line of this file with this text."""
    lines = Path(__file__).read_text().splitlines()
    assert told and all(one.filename == __file__ and line in lines[one.lineno - 1] for one in told), \
        [(one.filename, one.lineno, str(one.message)) for one in told]
