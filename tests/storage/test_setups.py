"""The setups of readings: stored once, found again, absent where a reading is older than they."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from storage_examples import SPEED, START, reading, run

from storage.reports import latest_of
from storage.schema import MIGRATIONS
from storage.store import Store

OLD, NEW = '{"driver": "550.54", "revision": 1}', '{"driver": "570.86", "revision": 1}'
BEFORE = 3
"""The schema of the last version whose readings had none."""


def stored(store: Store, *setups: str, at: float = START) -> None:
    with store.transaction():
        taken = [reading(n, at=at + n, setup=setup) for n, setup in enumerate(setups)]
        store.record(run(), taken, [SPEED])


def found(store: Store) -> list[str]:
    window = store.window(SPEED.name, "gpu0", seconds=3600.0, readings=100)
    return [one.setup for one in window.readings]


def count(store: Store) -> int:
    return int(store.connection.execute("SELECT count(*) FROM setups").fetchone()[0])


def test_each_is_stored_once_and_every_reading_has_its_own(path: Path, store: Store) -> None:
    stored(store, OLD, OLD, "", NEW, OLD)
    assert count(store) == 2
    assert found(store) == [OLD, OLD, "", NEW, OLD]
    with closing(Store.reader(path)) as beside:
        assert found(beside) == found(store)
    with closing(Store.writer(path)) as later:
        stored(later, NEW, at=START + 60.0)
        assert count(later) == 2


def test_the_view_shows_the_document(store: Store) -> None:
    stored(store, OLD, "")
    rows = store.connection.execute("SELECT setup FROM readings ORDER BY at").fetchall()
    assert [row["setup"] for row in rows] == [OLD, None]


def test_a_transaction_that_is_rolled_back_takes_its_setups_with_it(store: Store) -> None:
    def fail() -> None:
        with store.transaction():
            store.record(run(), [reading(setup=OLD)], [SPEED])
            assert found(store) == [OLD]
            raise ConnectionError("the disk is gone")

    with pytest.raises(ConnectionError):
        fail()
    assert count(store) == 0
    stored(store, NEW, OLD)  # the number that OLD had is free again, and now NEW's
    assert found(store) == [NEW, OLD]
    assert store.connection.execute("PRAGMA foreign_key_check").fetchall() == []


def old_file(path: Path) -> None:
    """A database of the version before, with a run, readings, a family and a standing."""
    with closing(sqlite3.connect(path)) as old:
        for script in MIGRATIONS[:BEFORE]:
            old.executescript(script)
        old.executescript(
            f"""
            PRAGMA user_version = {BEFORE};
            INSERT INTO signals VALUES (1, 'gpu.speed', 'token/s', 'higher', 'how fast it is');
            INSERT INTO series VALUES (1, 1, 'gpu0');
            INSERT INTO runs VALUES (1, 'training', 'gpu.training', 'ok', '', 1700000000000, 2.5,
                                     0, 0, '{{}}', '{{}}', '{{}}', '');
            INSERT INTO samples VALUES (1, 1700000000000, 41.5, 0.25, 'measured', 1, 'warm');
            INSERT INTO families VALUES ('gpu0', 'H100');
            INSERT INTO standings VALUES ('slow', 'gpu0', 'firing', 1700000000000, 1700000000000,
                NULL, 41.5, 45, 'token/s', 'measured', 1700000000000, 50.0, 'because', 'fires',
                NULL, NULL, 'drops gpu.speed', 'ada', 1700000000000, NULL);
            """
        )


def test_a_file_from_before_keeps_all_that_it_had(path: Path) -> None:
    old_file(path)
    with closing(Store.writer(path)) as store:
        assert store.window(SPEED.name, "gpu0").readings == (
            reading(41.5, sigma=0.25, note="warm", setup=""),
        )
        assert [one.value for one in latest_of(store, SPEED.name)] == [41.5]
        [view] = store.connection.execute("SELECT value, setup FROM readings").fetchall()
        assert tuple(view) == (41.5, None)
        standing = store.standing("slow", "gpu0")
        assert standing is not None
        assert (standing.baseline, standing.spread, standing.setup) == (50.0, None, "")
        assert (standing.acknowledged_by, standing.acknowledged_at) == ("ada", START)
        [ran] = store.connection.execute("SELECT host, cause FROM runs").fetchall()
        assert tuple(ran) == ("", "")
        stored(store, NEW, at=START + 60.0)
        assert found(store) == ["", NEW]


def test_a_run_says_where_and_why_it_ran(store: Store) -> None:
    with store.transaction():
        store.record(run(host="node7", cause="to confirm slow"), [], [])
    [ran] = store.connection.execute("SELECT host, cause FROM runs").fetchall()
    assert tuple(ran) == ("node7", "to confirm slow")


def test_a_setup_is_text_and_is_given_back_to_the_last_sign(store: Store) -> None:
    odd = json.dumps({"device": 'NVIDIA "H100" µ\u2028', "limit": 1e-300}, sort_keys=True)
    stored(store, odd)
    assert found(store) == [odd]
