"""JSON files wherever they lie: one file, a folder, a zip or tar archive, or one of these at an
http or https address. Nothing is unpacked onto the disk."""

import io
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

MOST_BYTES = 256 << 20
"""Of a download, and of all that comes out of an archive: a small one may hold endless zeros."""
SECONDS = 60.0
"""How long a server may be silent."""


class TooLarge(ValueError):
    """More than anybody publishes: it is not read to its end."""


def json_files(place: str) -> Iterator[tuple[str, bytes]]:
    """Name and content of every JSON file at a path or address, by name.

    Raises ValueError for a place where nothing is or that cannot be read, TooLarge past 256 MiB.
    """
    if place.startswith(("http://", "https://")):
        return _members(place.rpartition("/")[2] or place, _downloaded(place))
    path = Path(place)
    if path.is_dir():
        return _in_folder(path)
    try:
        return _members(path.name, path.read_bytes())
    except OSError as error:
        raise ValueError(f"{place} cannot be read: {error.strerror}") from error


def _in_folder(folder: Path) -> Iterator[tuple[str, bytes]]:
    for file in sorted(folder.rglob("*.json")):
        if file.is_file():
            yield str(file.relative_to(folder)), file.read_bytes()


def _downloaded(url: str) -> bytes:
    import httpx

    content = bytearray()
    try:
        with httpx.stream("GET", url, follow_redirects=True, timeout=SECONDS) as answer:
            answer.raise_for_status()
            for part in answer.iter_bytes():
                content += part
                _require_size(url, len(content))
    except httpx.HTTPError as error:
        raise ValueError(f"{url} cannot be read: {error}") from error
    return bytes(content)


def _members(name: str, content: bytes) -> Iterator[tuple[str, bytes]]:
    """What is in a file: by its first bytes it is a zip, a compressed tar, or JSON itself."""
    if content.startswith(b"PK\x03\x04"):
        return _in_zip(name, content)
    if content.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ")) or content[257:262] == b"ustar":
        return _in_tar(name, content)
    return iter([(name, content)])


def _in_zip(name: str, content: bytes) -> Iterator[tuple[str, bytes]]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            inside = [one for one in archive.infolist() if one.filename.endswith(".json")]
            _require_size(name, sum(one.file_size for one in inside))
            for one in sorted(inside, key=lambda one: one.filename):
                yield one.filename, archive.read(one)
    except zipfile.BadZipFile as error:
        raise ValueError(f"{name} is a damaged zip archive: {error}") from error


def _in_tar(name: str, content: bytes) -> Iterator[tuple[str, bytes]]:
    taken = 0
    try:
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            for one in archive:
                taken += one.size
                _require_size(name, taken)
                inside = archive.extractfile(one) if one.name.endswith(".json") else None
                if inside is not None:
                    yield one.name, inside.read()
    except (tarfile.TarError, EOFError, OSError) as error:
        raise ValueError(f"{name} is a damaged tar archive: {error}") from error


def _require_size(name: str, size: int) -> None:
    if size > MOST_BYTES:
        raise TooLarge(f"{name} holds more than {MOST_BYTES >> 20} MiB: name a part of it")
