"""Archives: what is unpacked, and what is refused as a whole with nothing left behind."""

import io
import os
import stat
import tarfile
import zipfile

import pytest

from kcompile.utils import archives
from kcompile.utils.archives import ArchiveError


def tar_of(path, *members, mode="w:gz"):
    """members: (name, content) or a TarInfo."""
    with tarfile.open(path, mode) as archive:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                archive.addfile(member)
                continue
            info = tarfile.TarInfo(member[0])
            info.size, info.mode = len(member[1]), member[2] if len(member) > 2 else 0o644
            archive.addfile(info, io.BytesIO(member[1]))
    return path


def zip_of(path, *members):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content, *mode in members:
            info = zipfile.ZipInfo("x")
            info.filename = info.orig_filename = name
            info.external_attr = (mode[0] if mode else 0o644) << 16
            archive.writestr(info, content)
    return path


def unpack(path, formats=("tar", "zip")):
    folder = path.parent / "unpacked"
    archives.extract(path, folder, list(formats))
    return {str(found.relative_to(folder)): found.read_bytes() for found in folder.rglob("*") if found.is_file()}


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_tar(tmp_path, mode):
    path = tar_of(tmp_path / "a", ("./a/one", b"1"), ("a/b/two", b"2" * 100_000, 0o755), mode=mode)
    assert unpack(path) == {"a/one": b"1", "a/b/two": b"2" * 100_000}
    assert os.access(tmp_path / "unpacked/a/b/two", os.X_OK) and not os.access(tmp_path / "unpacked/a/one", os.X_OK)


def test_zip(tmp_path):
    assert unpack(zip_of(tmp_path / "a", ("a/", b""), ("a/one", b"1"), ("two\\b", b"2"))) == {"a/one": b"1", "two\\b": b"2"}


def test_an_old_folder_is_replaced(tmp_path):
    unpack(zip_of(tmp_path / "a", ("old", b"1")))
    assert unpack(zip_of(tmp_path / "b", ("new", b"2"))) == {"new": b"2"}


def link(name, target, kind):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


HOSTILE_TARS = {
    "parent": (("../out", b"x"), "outside"), "absolute": (("/tmp/kcompile-out", b"x"), "outside"),
    "inner parent": (("a/../../out", b"x"), "outside"),
    "symlink": (link("a", "/etc/passwd", tarfile.SYMTYPE), "symbolic link"),
    "inner symlink": (link("a", "b", tarfile.SYMTYPE), "symbolic link"),
    "hard link": (link("a", "/etc/passwd", tarfile.LNKTYPE), "hard link"),
    "device": (link("a", "", tarfile.CHRTYPE), "device"),
    "block device": (link("a", "", tarfile.BLKTYPE), "device"), "pipe": (link("a", "", tarfile.FIFOTYPE), "named pipe"),
}


@pytest.mark.parametrize("what", HOSTILE_TARS)
def test_hostile_tars(tmp_path, what):
    member, word = HOSTILE_TARS[what]
    path = tar_of(tmp_path / "evil.tar", ("good", b"1"), member)
    with pytest.raises(ArchiveError, match=rf"evil\.tar: its member .* {word}"):
        unpack(path)
    assert os.listdir(tmp_path) == ["evil.tar"] and not os.path.exists("/tmp/kcompile-out")


@pytest.mark.parametrize(("member", "word"), [
    (("../out", b"x"), "outside"), (("/tmp/kcompile-out", b"x"), "outside"), (("a/../../out", b"x"), "outside"),
    (("a", b"/etc/passwd", stat.S_IFLNK | 0o777), "symbolic link"), (("a", b"", stat.S_IFIFO | 0o644), "special file"),
    (("a\0b", b"x"), "outside"),
])
def test_hostile_zips(tmp_path, member, word):
    path = zip_of(tmp_path / "evil.zip", ("good", b"1"), member)
    with pytest.raises(ArchiveError, match=rf"evil\.zip: its member .* {word}"):
        unpack(path)
    assert os.listdir(tmp_path) == ["evil.zip"]


def test_a_link_made_before_is_not_followed(tmp_path):
    """The folder to be replaced is a link: the link goes, what it points to stays."""
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").write_bytes(b"1")
    (tmp_path / "unpacked").symlink_to(tmp_path / "precious")
    assert unpack(zip_of(tmp_path / "a", ("new", b"2"))) == {"new": b"2"}
    assert (tmp_path / "precious" / "file").read_bytes() == b"1" and not (tmp_path / "unpacked").is_symlink()


def test_members_in_each_others_way(tmp_path):
    with pytest.raises(ArchiveError, match="two of its members are in each other's way"):
        unpack(tar_of(tmp_path / "a.tar", ("x", b"1"), ("x/y", b"2")))
    assert os.listdir(tmp_path) == ["a.tar"]


def test_damaged(tmp_path):
    good = tar_of(tmp_path / "a.tar.gz", ("x", os.urandom(100_000))).read_bytes()
    (tmp_path / "a.tar.gz").write_bytes(good[:50_000])
    with pytest.raises(ArchiveError, match=r"a\.tar\.gz is damaged or cannot be read"):
        unpack(tmp_path / "a.tar.gz")
    content = bytearray(zip_of(tmp_path / "a.zip", ("x", b"hello")).read_bytes())
    content[content.index(b"hello")] ^= 1
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(ArchiveError, match="Bad CRC-32"):
        unpack(tmp_path / "a.zip")
    assert sorted(os.listdir(tmp_path)) == ["a.tar.gz", "a.zip"]


def test_no_archive(tmp_path):
    (tmp_path / "a").write_bytes(b"hello")
    with pytest.raises(ArchiveError, match="not an archive of format tar or zip"):
        unpack(tmp_path / "a")
    with pytest.raises(ArchiveError, match="not an archive of format tar"):
        unpack(zip_of(tmp_path / "z", ("a", b"1")), ["tar"])


def test_larger_than_the_disk(tmp_path):
    """A sparse member that says it has 2**50 bytes: refused before it is written."""
    info = tarfile.TarInfo("huge")
    info.size = 2**50
    with open(tmp_path / "a.tar", "wb") as file:
        file.write(info.tobuf() + bytes(2048))
    with pytest.raises(ArchiveError, match="more than is free on the disk"):
        unpack(tmp_path / "a.tar")


def test_several_at_once(tmp_path):
    """Threads and processes that unpack the same archive leave one whole folder."""
    import multiprocessing

    path = zip_of(tmp_path / "a", *((f"f{number}", b"x" * 1000) for number in range(50)))
    context = multiprocessing.get_context("fork")
    children = [context.Process(target=archives.extract, args=(path, tmp_path / "unpacked", ["zip"])) for _ in range(4)]
    for child in children:
        child.start()
    for child in children:
        child.join()
    assert [child.exitcode for child in children] == [0] * 4
    assert len(os.listdir(tmp_path / "unpacked")) == 50 and sorted(os.listdir(tmp_path)) == ["a", "unpacked"]
