"""The object cache: private, checksummed, whole, bounded."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from kcompile.codegen import cache
from kcompile.codegen.cache import COUNTERS, cache_key, object_for, read_entry, sweep, write_entry
from kcompile.codegen.module import InvalidText
from kcompile.codegen.options import CodegenOptions
from kcompile.codegen.target import Target

TEXT = "define i64 @f() {\n  ret i64 1\n}\n"


def counts() -> tuple[int, int]:
    return COUNTERS.compiled, COUNTERS.loaded


def test_hit_miss_and_off(tmp_path: Path) -> None:
    options = CodegenOptions(cache_dir=tmp_path / "a")
    compiled, loaded = counts()
    first = object_for(TEXT, Target.host(), options)
    assert counts() == (compiled + 1, loaded)
    assert object_for(TEXT, Target.host(), options) == first
    assert counts() == (compiled + 1, loaded + 1)
    object_for(TEXT, Target.host(), CodegenOptions(cache_dir=None))
    assert counts() == (compiled + 2, loaded + 1)


def test_the_key_covers_text_and_target() -> None:
    keys = {cache_key(TEXT, Target.host()), cache_key(TEXT + "\n", Target.host()), cache_key(TEXT, Target.named("avx2")),
            cache_key(TEXT, Target.named("avx512"))}
    assert len(keys) == 4


@pytest.mark.parametrize("damage", [lambda d: d[:-1], lambda d: d[:-1] + bytes([d[-1] ^ 1]), lambda d: b"", lambda d: b"x" + d[1:]])
def test_damaged_entries_are_compiled_again_and_replaced(tmp_path: Path, damage: object) -> None:
    options = CodegenOptions(cache_dir=tmp_path)
    tmp_path.chmod(0o700)
    wanted = object_for(TEXT, Target.host(), options)
    path = tmp_path / cache_key(TEXT, Target.host())
    path.write_bytes(damage(path.read_bytes()))  # type: ignore[operator]
    compiled, loaded = counts()
    assert object_for(TEXT, Target.host(), options) == wanted
    assert counts() == (compiled + 1, loaded)
    assert read_entry(path) == wanted


def test_an_entry_under_anothers_name_is_none(tmp_path: Path) -> None:
    """As a copy gone wrong leaves it: its own checksum is right, but it would be run as another kernel."""
    tmp_path.chmod(0o700)
    for key in ("0" * 64, "1" * 64):
        write_entry(tmp_path, key, key.encode(), 1 << 30)
    (tmp_path / ("0" * 64)).write_bytes((tmp_path / ("1" * 64)).read_bytes())
    assert read_entry(tmp_path / ("1" * 64)) == b"1" * 64
    assert read_entry(tmp_path / ("0" * 64)) is None


def test_files_are_private(tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    object_for(TEXT, Target.host(), CodegenOptions(cache_dir=folder))
    assert folder.stat().st_mode & 0o777 == 0o700
    assert all(p.stat().st_mode & 0o777 == 0o600 for p in folder.iterdir())


def test_a_folder_that_others_can_write_is_not_used(tmp_path: Path) -> None:
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o777)
    with pytest.warns(RuntimeWarning, match="can be written by other users"):
        object_for(TEXT, Target.host(), CodegenOptions(cache_dir=folder))
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # one warning is enough
        object_for(TEXT, Target.host(), CodegenOptions(cache_dir=folder))
    assert list(folder.iterdir()) == []


def test_a_folder_of_another_user_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "other"
    folder.mkdir(mode=0o700)
    monkeypatch.setattr(os, "getuid", lambda: os.geteuid() + 1)
    with pytest.warns(RuntimeWarning, match="belongs to another user"):
        object_for(TEXT, Target.host(), CodegenOptions(cache_dir=folder))


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.warns(RuntimeWarning, match="cannot be made"):
        object_for(TEXT, Target.host(), CodegenOptions(cache_dir=tmp_path / "file" / "cache"))


def test_a_cache_on_a_disk_that_is_only_read_is_still_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, options = tmp_path / "c", CodegenOptions(cache_dir=tmp_path / "c")
    object_for(TEXT, Target.host(), options)
    entries = sorted(folder.iterdir())
    monkeypatch.setattr(cache, "_full", set())

    def refuses(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(cache.os, "utime", refuses)
    monkeypatch.setattr(cache.os, "open", refuses)
    before = COUNTERS.loaded, COUNTERS.compiled
    object_for(TEXT, Target.host(), options)
    with pytest.warns(RuntimeWarning, match=f"what is compiled from here on is not cached: {folder} cannot be written: Read-only"):
        object_for(TEXT.replace("i64 1", "i64 2"), Target.host(), options)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # said once
        object_for(TEXT.replace("i64 1", "i64 3"), Target.host(), options)
    object_for(TEXT, Target.host(), options)
    assert (COUNTERS.loaded - before[0], COUNTERS.compiled - before[1]) == (2, 2)
    assert sorted(folder.iterdir()) == entries


def test_a_folder_that_somebody_removes_costs_nothing_but_its_entries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def removed(folder: Path, limit: int) -> None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(folder))

    monkeypatch.setattr(cache, "sweep", removed)
    monkeypatch.setattr(cache, "_writes", 0)
    write_entry(tmp_path, "0" * 64, b"content", 1 << 30)
    assert read_entry(tmp_path / ("0" * 64)) == b"content"


def test_the_least_recently_used_go_first(tmp_path: Path) -> None:
    names = [f"{n:064d}" for n in range(4)]
    for n, name in enumerate(names):
        write_entry(tmp_path, name, b"x" * 1000, 1 << 30)
        os.utime(tmp_path / name, (n + 1, n + 1))
    assert read_entry(tmp_path / names[0]) == b"x" * 1000  # used now
    size = (tmp_path / names[0]).stat().st_size
    sweep(tmp_path, 2 * size)
    assert sorted(p.name for p in tmp_path.iterdir()) == [names[0], names[3]]


def test_what_a_killed_writer_left_is_removed(tmp_path: Path) -> None:
    program = ("import os, signal, sys; from pathlib import Path; from kcompile.codegen import cache\n"
               "os.replace = lambda *a: os.kill(os.getpid(), signal.SIGKILL)\n"
               "cache.write_entry(Path(sys.argv[1]), '0' * 64, b'content', 1 << 30)\n")
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False, env=environment)
    assert len(list(tmp_path.iterdir())) == 1, "killed before the rename"
    (tmp_path / f".aside-{os.getpid()}-busy").write_bytes(b"a writer that lives")
    sweep(tmp_path, 1 << 30)
    assert [p.name for p in tmp_path.iterdir()] == [f".aside-{os.getpid()}-busy"]


def test_an_interrupted_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cache.os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_entry(tmp_path, "0" * 64, b"content", 1 << 30)
    assert list(tmp_path.iterdir()) == []


def test_bad_text_is_an_error_and_is_not_cached(tmp_path: Path) -> None:
    with pytest.raises(InvalidText):
        object_for("define nonsense", Target.host(), CodegenOptions(cache_dir=tmp_path / "c"))
    assert list((tmp_path / "c").iterdir()) == []
