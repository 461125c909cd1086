"""What a file becomes when it is opened: new, old, newer, damaged or taken."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from storage_examples import SPEED, reading, run

from storage.schema import MIGRATIONS, OtherSchema, prepare, version
from storage.store import Store

TABLES = {"signals", "series", "runs", "samples", "standings", "alerts", "readings"}


def names(connection: sqlite3.Connection) -> dict[str, str]:
    """Everything the schema has, with the words that made it."""
    return dict(
        connection.execute("SELECT name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%'")
    )


def make(path: Path, migrations: int) -> None:
    """A file as an earlier version left it."""
    with closing(sqlite3.connect(path)) as old:
        for script in MIGRATIONS[:migrations]:
            old.executescript(script)
        old.execute(f"PRAGMA user_version = {migrations}")


def test_a_new_file_has_every_table_and_the_newest_version(store: Store) -> None:
    assert set(names(store.connection)) >= TABLES
    assert version(store.connection) == len(MIGRATIONS)


def test_folders_are_made_where_they_are_missing(tmp_path: Path) -> None:
    with closing(Store.writer(tmp_path / "var" / "lib" / "q.db")) as made:
        assert made.names() == []


def test_the_schema_is_prepared_once(path: Path) -> None:
    stamps = []
    for number in range(3):
        with closing(Store.writer(path)) as opened:
            with opened.transaction():
                opened.record(run(), [reading(at=1.0 + number)], [SPEED])
            stamps.append(opened.connection.execute("PRAGMA schema_version").fetchone()[0])
            assert opened.connection.execute("SELECT count(*) FROM samples").fetchone()[0] == (
                number + 1
            )
    assert len(set(stamps)) == 1  # SQLite counts every change of the schema there


@pytest.mark.parametrize("migrations", range(len(MIGRATIONS) + 1))
def test_a_file_of_any_earlier_version_becomes_like_a_new_one(
    path: Path, tmp_path: Path, migrations: int
) -> None:
    make(path, migrations)
    with closing(Store.writer(path)) as old, closing(Store.writer(tmp_path / "new.db")) as new:
        assert names(old.connection) == names(new.connection)
        assert version(old.connection) == len(MIGRATIONS)


def test_a_newer_file_is_refused_and_left_alone(path: Path) -> None:
    with closing(Store.writer(path)) as future:
        future.connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    before = path.read_bytes()
    with pytest.raises(OtherSchema, match="written by a newer Qrossover"):
        Store.writer(path)
    assert path.read_bytes() == before


def test_a_migration_that_fails_leaves_nothing_behind(path: Path) -> None:
    with closing(sqlite3.connect(path)) as foreign:
        foreign.execute("CREATE TABLE alerts (mine TEXT)")  # the last of ours to be made
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        with pytest.raises(sqlite3.OperationalError, match="already exists"):
            prepare(connection)
        connection.rollback()
    with closing(sqlite3.connect(path)) as after:
        assert set(names(after)) == {"alerts"}
        assert version(after) == 0


def test_a_file_that_is_no_database_is_left_alone(path: Path) -> None:
    path.write_text("not a database, only long enough to look like one\n" * 40)
    before = path.read_bytes()
    with pytest.raises(sqlite3.DatabaseError, match="not a database"):
        Store.writer(path)
    assert path.read_bytes() == before


def test_a_busy_file_is_found_before_anything_is_done(path: Path, store: Store) -> None:
    with closing(Store.writer(path, busy_seconds=0.0)) as second:
        done = []
        with (
            store.transaction(),
            pytest.raises(sqlite3.OperationalError, match="locked"),
            second.transaction(),
        ):
            done.append("something")
        assert done == []


def test_the_writer_survives_a_power_cut_and_minds_references(store: Store) -> None:
    settings = {
        name: store.connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("journal_mode", "synchronous", "foreign_keys")
    }
    assert settings == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
