"""JSON files of one file, a folder, an archive and an address; what is damaged or endless."""

import functools
import http.server
import io
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from probes import archive
from probes.archive import TooLarge, json_files

FILES = {"a.json": b"[1]", "deep/b.json": b"[2]"}


def zipped(files: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as made:
        for name, text in files.items():
            made.writestr(name, text)
    return content.getvalue()


def tarred(files: dict[str, bytes], mode: str) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode=mode) as made:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            made.addfile(member, io.BytesIO(text))
    return content.getvalue()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A folder and the address at which it is served."""
    folder = tmp_path_factory.mktemp("site")
    handler = functools.partial(_Quiet, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield folder, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Nothing is logged."""

    def do_GET(self) -> None:
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/all.zip")
            self.end_headers()
        else:
            super().do_GET()


def test_a_folder_is_read_with_all_below_it(tmp_path: Path) -> None:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(text)
    (tmp_path / "LICENSE").write_text("no JSON")
    assert dict(json_files(str(tmp_path))) == FILES
    assert list(json_files(str(tmp_path / "a.json"))) == [("a.json", b"[1]")]


@pytest.mark.parametrize("mode", ["zip", "w", "w:gz", "w:bz2", "w:xz"])
def test_an_archive_is_read_whatever_its_name(tmp_path: Path, mode: str) -> None:
    files = FILES | {"README.md": b"no JSON"}
    content = zipped(files) if mode == "zip" else tarred(files, mode)
    (tmp_path / "download").write_bytes(content)
    assert dict(json_files(str(tmp_path / "download"))) == FILES


def test_an_address_is_read_as_the_file_there_is(site: tuple[Path, str]) -> None:
    folder, address = site
    (folder / "all.zip").write_bytes(zipped(FILES))
    (folder / "one.json").write_bytes(b"[3]")
    assert dict(json_files(f"{address}/all.zip")) == FILES
    assert dict(json_files(f"{address}/moved")) == FILES, "GitHub's archives lie behind a redirect"
    assert list(json_files(f"{address}/one.json")) == [("one.json", b"[3]")]


def test_an_address_that_does_not_answer_says_how(site: tuple[Path, str]) -> None:
    _, address = site
    with pytest.raises(ValueError, match=r"/none\.zip cannot be read: .*404"):
        list(json_files(f"{address}/none.zip"))
    with pytest.raises(ValueError, match=r"cannot be read: .*[Cc]onnect"):
        list(json_files("http://127.0.0.1:9/x.zip"))


@pytest.mark.parametrize("content", [b"PK\x03\x04 and no more", b"\x1f\x8b and no more"])
def test_a_damaged_archive_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(ValueError, match=r"x is a damaged (zip|tar) archive"):
        list(json_files(str(tmp_path / "x")))


def test_a_place_without_anything_is_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="none cannot be read: No such file"):
        json_files(str(tmp_path / "none"))


def test_endless_zeros_are_not_unpacked(tmp_path: Path) -> None:
    size = archive.MOST_BYTES // 2 + 1
    zeros = dict.fromkeys(("a.json", "b.json"), bytes(size))
    (tmp_path / "x.zip").write_bytes(zipped(zeros))
    with pytest.raises(TooLarge, match="more than 256 MiB"):
        list(json_files(str(tmp_path / "x.zip")))
