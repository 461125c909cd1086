from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.store import Store


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the database is."""
    return tmp_path / "qrossover.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    """The writer of an empty database."""
    opened = Store.writer(path)
    yield opened
    opened.close()
