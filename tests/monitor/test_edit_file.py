"""A config file replaced: by two at once, by one that is killed, on a disk that takes nothing."""

import contextlib
import fcntl
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from living import eventually

from monitor.edit.file import replace
from monitor.refusal import Refused

OLD, NEW = b"# old\n" * 4000, b"# new\n" * 5000
REPLACE = """
import os, resource, sys
from pathlib import Path
from monitor.edit.file import replace
from monitor.refusal import Refused
def attempt(path, before, after):
    try:
        replace(Path(path), before, after)
        print("written", flush=True)
    except Refused as refused:
        print(refused, flush=True)
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_bytes(OLD)
    return path


@contextlib.contextmanager
def child(script: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Another process that has imported what it needs, and goes on at each line on its stdin."""
    command = [sys.executable, "-c", REPLACE + script, *arguments]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def said(process: subprocess.Popen[str], word: str = "") -> str:
    """What a child says next, once it has been given a word."""
    assert process.stdin is not None
    assert process.stdout is not None
    if word:
        process.stdin.write(f"{word}\n")
        process.stdin.flush()
    return process.stdout.readline().strip()


def leftovers(folder: Path) -> set[str]:
    return {each.name for each in folder.iterdir()}


# --- what stays --------------------------------------------------------------------------------


def test_the_text_before_lies_beside_it_once(file: Path) -> None:
    assert replace(file, OLD, NEW) == file.with_name("config.toml.bak")
    assert (file.read_bytes(), file.with_name("config.toml.bak").read_bytes()) == (NEW, OLD)
    replace(file, NEW, b"third")
    assert (file.read_bytes(), file.with_name("config.toml.bak").read_bytes()) == (b"third", NEW)
    assert leftovers(file.parent) == {"config.toml", "config.toml.bak"}


def test_mode_owner_and_attributes_stay(file: Path) -> None:
    file.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(file, 1234, 4321)
    with contextlib.suppress(OSError):  # not every file system has them
        os.setxattr(file, "user.note", b"kept")
    before = file.stat()
    replace(file, OLD, NEW)
    for path in (file, file.with_name("config.toml.bak")):
        after = path.stat()
        assert after.st_mode == before.st_mode
        assert (after.st_uid, after.st_gid) == (before.st_uid, before.st_gid)
        assert os.listxattr(path) == os.listxattr(file)
    assert file.stat().st_mtime_ns > before.st_mtime_ns
    assert file.stat().st_ino != before.st_ino


def test_a_link_stays_and_what_it_leads_to_is_replaced(tmp_path: Path) -> None:
    real = tmp_path / "data" / "v1"
    real.mkdir(parents=True)
    (real / "config.toml").write_bytes(OLD)
    (tmp_path / "data" / "now").symlink_to("v1")
    link = tmp_path / "etc" / "config.toml"
    link.parent.mkdir()
    link.symlink_to("../data/now/config.toml")
    replace(link, OLD, NEW)
    assert os.readlink(link) == "../data/now/config.toml"  # noqa: PTH115 as it is written
    assert leftovers(link.parent) == {"config.toml"}
    assert (real / "config.toml").read_bytes() == link.read_bytes() == NEW
    assert (real / "config.toml.bak").read_bytes() == OLD
    link.unlink()
    link.symlink_to("nowhere.toml")
    with pytest.raises(Refused, match="No such file"):
        replace(link, OLD, NEW)


# --- two at once -------------------------------------------------------------------------------


def test_what_was_changed_meanwhile_is_not_lost(file: Path) -> None:
    file.write_bytes(b"by an editor")
    with pytest.raises(Refused, match=r"was changed 0 s ago.*Run the command again"):
        replace(file, OLD, NEW)
    assert file.read_bytes() == b"by an editor"
    assert leftovers(file.parent) == {"config.toml"}


def test_of_two_at_the_same_moment_one_is_refused(file: Path) -> None:
    script = """
before = Path(sys.argv[1]).read_bytes()
for number, line in enumerate(sys.stdin):
    if line.startswith("read"):
        before = Path(sys.argv[1]).read_bytes()
        print("ready", flush=True)
    else:
        attempt(sys.argv[1], before, before + sys.argv[2].encode())
"""
    with child(script, str(file), "a") as one, child(script, str(file), "b") as other:
        for turn in range(20):
            assert [said(one, "read"), said(other, "read")] == ["ready", "ready"]
            for process in (one, other):  # both are told before either is waited for
                assert process.stdin is not None
                process.stdin.write("go\n")
                process.stdin.flush()
            told = sorted([said(one), said(other)], key=len)
            assert told[0] == "written"
            assert "was changed" in told[1]
            assert len(file.read_bytes()) == len(OLD) + turn + 1


def test_a_file_that_another_program_has_locked(file: Path) -> None:
    with file.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(Refused, match="another program has locked"):
            replace(file, OLD, NEW)
    assert file.read_bytes() == OLD
    replace(file, OLD, NEW)


# --- kill -9 -----------------------------------------------------------------------------------


def test_killed_at_any_moment_it_leaves_one_text_or_the_other_whole(file: Path) -> None:
    script = """
texts = [Path(p).read_bytes() for p in sys.argv[2:4]]
print("ready", flush=True)
sys.stdin.readline()
while True:
    for before, after in (texts, texts[::-1]):
        replace(Path(sys.argv[1]), before, after)
"""
    whole = {OLD, NEW}
    sources = [file.with_name(name) for name in ("one", "two")]
    chance = random.Random(5)
    for source, text in zip(sources, (OLD, NEW), strict=True):
        source.write_bytes(text)
    for _ in range(8):
        file.write_bytes(OLD)
        with child(script, str(file), *map(str, sources)) as process:
            assert said(process) == "ready"
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
            time.sleep(chance.uniform(0.0, 0.03))
            process.send_signal(signal.SIGKILL)
            process.wait()
        assert file.read_bytes() in whole
        backup = file.with_name("config.toml.bak")
        assert not backup.exists() or backup.read_bytes() in whole
    # what was left half written is in nobody's way
    file.with_name("config.toml.new").write_bytes(b"half")
    replace(file, file.read_bytes(), b"after all")
    assert file.read_bytes() == b"after all"
    assert "config.toml.new" not in leftovers(file.parent)


# --- a disk that takes nothing -----------------------------------------------------------------


def test_a_text_that_cannot_be_written_whole_changes_nothing(file: Path) -> None:
    script = """
old, new = (Path(p).read_bytes() for p in sys.argv[2:4])
resource.setrlimit(resource.RLIMIT_FSIZE, (len(old) + 100, len(old) + 100))
attempt(sys.argv[1], old, new)
"""
    sources = [file.with_name(name) for name in ("one", "two")]
    for source, text in zip(sources, (OLD, NEW), strict=True):
        source.write_bytes(text)
    with child(script, str(file), *map(str, sources)) as process:
        assert "is not written, and stays as it was: File too large" in said(process)
    assert file.read_bytes() == OLD
    assert "config.toml.new" not in leftovers(file.parent)


@contextlib.contextmanager
def mounted(*arguments: str, at: Path) -> Iterator[None]:
    """A mount, where this user may make one."""
    if (
        shutil.which("mount") is None
        or subprocess.run(
            ["mount", *arguments, str(at)], capture_output=True, check=False
        ).returncode
    ):
        pytest.skip("no mount can be made here")
    try:
        yield
    finally:
        subprocess.run(["umount", str(at)], check=True)


def test_a_full_disk(tmp_path: Path) -> None:
    with mounted("-t", "tmpfs", "-o", "size=64k", "none", at=tmp_path):
        file = tmp_path / "config.toml"
        file.write_bytes(OLD)
        with pytest.raises(Refused, match="No space left on device; the disk is full: make room"):
            replace(file, OLD, NEW)
        assert file.read_bytes() == OLD
        assert "config.toml.new" not in leftovers(tmp_path)


def test_a_file_system_for_reading_only(file: Path) -> None:
    with mounted("--bind", "-o", "ro", str(file.parent), at=file.parent):
        with pytest.raises(Refused, match="change it where it comes from"):
            replace(file, OLD, NEW)
        assert file.read_bytes() == OLD
        assert leftovers(file.parent) == {"config.toml"}


def test_a_file_that_is_a_mount_of_its_own(file: Path) -> None:
    other = file.with_name("other.toml")
    other.write_bytes(OLD)
    with (
        mounted("--bind", str(other), at=file),
        pytest.raises(Refused, match="a mount of its own: change it where it comes from"),
    ):
        replace(file, OLD, NEW)
    assert other.read_bytes() == OLD


@pytest.mark.parametrize("locked", ["folder", "file"])
def test_where_this_user_may_not_write(locked: str) -> None:
    """Root may write anywhere: then another user tries."""
    script = """
old = Path(sys.argv[1]).read_bytes()
if os.geteuid() == 0:
    os.setuid(65534)
attempt(sys.argv[1], old, b"new")
"""
    folder = Path(tempfile.mkdtemp())
    try:
        file = folder / "config.toml"
        file.write_bytes(OLD)
        file.chmod(0o444 if locked == "file" else 0o666)
        folder.chmod(0o555 if locked == "folder" else 0o777)
        with child(script, str(file)) as process:
            told = eventually(lambda: said(process), "an answer")
        assert "is not written, and stays as it was: Permission denied; you may not write" in told
        assert file.read_bytes() == OLD
        assert leftovers(folder) == {"config.toml"}
    finally:
        folder.chmod(0o755)
        shutil.rmtree(folder)
