"""The ways in which editors and mounts write a file, each seen as what it comes to."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from monitor.contents import MOST_BYTES
from monitor.reload import watch
from monitor.reload.watch import Content, Watch

OLD, NEW = b"a = 1\n", b"a = 2\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "config.toml"
    file.write_bytes(OLD)
    return file


def watching(path: Path) -> Watch:
    found = Watch(path, Content(path.read_bytes()).sha256)
    assert found.look() is None
    assert found.look() is None
    return found


def in_place(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(NEW)


def by_rename(path: Path) -> None:
    fresh = path.with_suffix(".new")
    fresh.write_bytes(NEW)
    fresh.replace(path)


def with_the_old_times(path: Path) -> None:
    """As `cp -p` and rsync do: neither the size nor the time of the change is another."""
    before = path.stat()
    by_rename(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("write", [in_place, by_rename, with_the_old_times])
def test_an_edit_is_seen_once_when_it_is_at_rest(path: Path, write: Callable[[Path], None]) -> None:
    found = watching(path)
    write(path)
    assert found.look() is None
    assert found.look() == Content(NEW)
    assert found.look() is None
    assert found.look() is None


def test_a_swapped_symlink_is_an_edit(tmp_path: Path) -> None:
    """As Kubernetes does with a ConfigMap: config.toml → ..data/config.toml, ..data → a folder."""
    for name, text in (("..1", OLD), ("..2", NEW)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.toml").write_bytes(text)
    (tmp_path / "..data").symlink_to("..1")
    path = tmp_path / "config.toml"
    path.symlink_to("..data/config.toml")
    found = watching(path)
    (tmp_path / "..data_tmp").symlink_to("..2")
    (tmp_path / "..data_tmp").rename(tmp_path / "..data")
    assert found.look() is None
    assert found.look() == Content(NEW)


def test_a_file_that_is_being_written_is_waited_for(path: Path) -> None:
    found = watching(path)
    path.write_bytes(b"")
    assert found.look() is None
    with path.open("wb", buffering=0) as file:
        for byte in NEW:
            file.write(bytes([byte]))
            assert found.look() is None
    assert found.look() == Content(NEW)


def test_two_edits_between_two_looks_are_the_last_one(path: Path) -> None:
    found = watching(path)
    path.write_bytes(b"a = 3\n")
    by_rename(path)
    assert found.look() is None
    assert found.look() == Content(NEW)


def test_an_edit_that_is_undone_in_time_is_none(path: Path) -> None:
    found = watching(path)
    path.write_bytes(NEW)
    assert found.look() is None
    path.write_bytes(OLD)
    assert [found.look() for _ in range(3)] == [None] * 3


def test_what_was_taken_by_another_way_is_no_news(path: Path) -> None:
    found = watching(path)
    by_rename(path)
    found.knows(watch.read(path))
    assert [found.look() for _ in range(3)] == [None] * 3


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (Path.unlink, "is not there any more"),
        (lambda path: path.write_bytes(b" \n"), "is empty"),
        (lambda path: (path.unlink(), path.mkdir()), "cannot be read: Is a directory"),
        # whoever opens a FIFO waits until somebody writes into it
        (lambda path: (path.unlink(), os.mkfifo(path)), "cannot be read: it is no regular file"),
        (
            lambda path: (path.unlink(), path.symlink_to("/dev/zero")),
            "cannot be read: it is no regular file",
        ),
        (
            lambda path: (path.unlink(), path.symlink_to(path)),
            "cannot be read: Too many levels of symbolic links",
        ),
        (
            lambda path: os.truncate(path, MOST_BYTES + 1),
            "cannot be read: it is larger than 16 MiB",
        ),
    ],
)
def test_a_file_without_content_says_why(
    path: Path, spoil: Callable[[Path], object], why: str
) -> None:
    found = watching(path)
    spoil(path)
    assert watch.read(path) == Content(b"", why)
    # not for long enough yet: some editors write so
    assert [found.look() for _ in range(3)] == [None] * 3
