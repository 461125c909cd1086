"""The tables, as append-only migrations. `PRAGMA user_version` counts those that are applied.

A migration never changes once it is released: a new one is appended.
"""

import sqlite3

MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE signals (
        id      INTEGER PRIMARY KEY,
        name    TEXT NOT NULL UNIQUE,
        unit    TEXT NOT NULL,
        better  TEXT NOT NULL,
        help    TEXT NOT NULL
    );
    CREATE TABLE series (
        id      INTEGER PRIMARY KEY,
        signal  INTEGER NOT NULL REFERENCES signals (id),
        target  TEXT NOT NULL,
        UNIQUE (signal, target)
    );
    CREATE TABLE runs (
        id           INTEGER PRIMARY KEY,
        probe        TEXT NOT NULL,
        kind         TEXT NOT NULL,
        outcome      TEXT NOT NULL CHECK (outcome IN ('ok', 'failed', 'timeout', 'skipped')),
        reason       TEXT NOT NULL,
        started      INTEGER NOT NULL,  -- milliseconds since the epoch, UTC, as all times here
        seconds      REAL NOT NULL,
        usd          REAL NOT NULL,
        qpu_seconds  REAL NOT NULL,
        settings     TEXT NOT NULL,     -- JSON, as are versions and payload
        versions     TEXT NOT NULL,
        payload      TEXT NOT NULL,
        stderr       TEXT NOT NULL
    );
    CREATE INDEX runs_by_probe ON runs (probe, id);
    -- a probe may be skipped for months: its last real runs must not be looked for among those
    CREATE INDEX runs_not_skipped ON runs (probe, id) WHERE outcome <> 'skipped';
    CREATE INDEX runs_by_outcome ON runs (probe, outcome);
    CREATE INDEX runs_by_start ON runs (started);
    CREATE TABLE samples (
        series  INTEGER NOT NULL REFERENCES series (id),
        at      INTEGER NOT NULL,
        value   REAL NOT NULL,
        sigma   REAL,
        origin  TEXT NOT NULL,
        run     INTEGER NOT NULL REFERENCES runs (id),
        note    TEXT NOT NULL,
        PRIMARY KEY (series, at)
    ) WITHOUT ROWID;
    CREATE TABLE standings (
        "trigger"  TEXT NOT NULL,
        target     TEXT NOT NULL,
        state      TEXT NOT NULL CHECK (state IN ('inactive', 'pending', 'firing', 'no-data')),
        since      INTEGER NOT NULL,
        created    INTEGER NOT NULL,
        last_true  INTEGER,
        value      REAL,
        threshold  REAL,
        unit       TEXT NOT NULL,
        origin     TEXT,
        read_at    INTEGER,
        baseline   REAL,
        why        TEXT NOT NULL,
        told       TEXT,
        alert      INTEGER REFERENCES alerts (id),
        reminded   INTEGER,
        subject    TEXT NOT NULL,
        PRIMARY KEY ("trigger", target)
    ) WITHOUT ROWID;
    CREATE TABLE alerts (
        id        INTEGER PRIMARY KEY,
        key       TEXT NOT NULL UNIQUE,
        kind      TEXT NOT NULL,
        "trigger" TEXT NOT NULL,
        target    TEXT NOT NULL,
        severity  TEXT NOT NULL,
        created   INTEGER NOT NULL,
        facts     TEXT NOT NULL,        -- JSON: all that the message says
        parent    INTEGER REFERENCES alerts (id),
        state     TEXT NOT NULL CHECK (state IN ('owed', 'trying', 'sent', 'dead')),
        due       INTEGER NOT NULL,     -- not to be tried before
        attempts  INTEGER NOT NULL,
        error     TEXT NOT NULL,
        channel   TEXT,                 -- where the channel has it, once sent
        ts        TEXT,
        sent      INTEGER
    );
    CREATE INDEX alerts_by_state ON alerts (state, id);
    CREATE VIEW readings AS
        SELECT signals.name AS signal,
               series.target AS target,
               strftime('%Y-%m-%dT%H:%M:%S', samples.at / 1000, 'unixepoch')
                   || printf('.%03dZ', samples.at % 1000) AS at,
               samples.value AS value,
               samples.sigma AS sigma,
               signals.unit AS unit,
               samples.origin AS origin,
               runs.probe AS probe,
               samples.run AS run,
               samples.note AS note,
               samples.at AS at_ms,
               samples.series AS series_id
          FROM samples
          JOIN series ON series.id = samples.series
          JOIN signals ON signals.id = series.signal
          JOIN runs ON runs.id = samples.run;
    """,
    """
    ALTER TABLE standings ADD COLUMN acknowledged_by TEXT;
    ALTER TABLE standings ADD COLUMN acknowledged_at INTEGER;
    ALTER TABLE standings ADD COLUMN snoozed_until INTEGER;
    CREATE TABLE families (
        target  TEXT PRIMARY KEY,
        family  TEXT NOT NULL           -- the kind of device that a target is one of
    ) WITHOUT ROWID;
    CREATE TABLE configs (              -- every config that has been in force
        id       INTEGER PRIMARY KEY,
        at       INTEGER NOT NULL,
        sha256   TEXT NOT NULL,
        "by"     TEXT NOT NULL,         -- who: a user, or '' where that is not known
        how      TEXT NOT NULL,         -- start, edit, set, revert
        changes  TEXT NOT NULL,         -- JSON: [{key, old, new}]
        text     TEXT NOT NULL
    );
    """,
    """
    CREATE TABLE jobs (                 -- work at quantum clouds, from intent to its end
        id                  INTEGER PRIMARY KEY,
        tag                 TEXT NOT NULL UNIQUE,
        run                 INTEGER NOT NULL UNIQUE REFERENCES runs (id),
        probe               TEXT NOT NULL,
        kind                TEXT NOT NULL,
        provider            TEXT NOT NULL,
        device              TEXT NOT NULL,
        state               TEXT NOT NULL CHECK (state IN (
            'intent', 'submitted', 'running', 'done', 'failed', 'cancelled', 'lost')),
        created             INTEGER NOT NULL,
        due                 INTEGER NOT NULL,   -- looked at next
        quoted_usd          REAL NOT NULL,
        quoted_qpu_seconds  REAL NOT NULL,
        sha256              TEXT NOT NULL,      -- of what is sent
        settings            TEXT NOT NULL,      -- JSON
        "order"             TEXT,               -- JSON: what is sent; NULL once it has ended
        remote              TEXT,               -- the provider's id
        word                TEXT NOT NULL,      -- the provider's own word for the state
        reason              TEXT NOT NULL,
        told                TEXT NOT NULL,
        attempts            INTEGER NOT NULL,
        failures            INTEGER NOT NULL,
        tried               INTEGER,
        doubted             INTEGER,
        submitted           INTEGER,
        started             INTEGER,
        ended               INTEGER,
        unwanted            TEXT NOT NULL,      -- by whom, or after how long, its end is wished
        cancel_asked        INTEGER,
        position            INTEGER,
        usd                 REAL,               -- billed; NULL where that is not known
        qpu_seconds         REAL
    );
    CREATE INDEX jobs_by_state ON jobs (state);
    CREATE UNIQUE INDEX jobs_open ON jobs (probe)
        WHERE state IN ('intent', 'submitted', 'running');
    CREATE INDEX jobs_by_probe ON jobs (probe, id);
    CREATE INDEX jobs_by_end ON jobs (ended);
    """,
    """
    CREATE TABLE setups (               -- what numbers depend on beside their target
        id        INTEGER PRIMARY KEY,
        document  TEXT NOT NULL UNIQUE  -- JSON with sorted keys
    );
    ALTER TABLE samples ADD COLUMN setup INTEGER REFERENCES setups (id);
    ALTER TABLE runs ADD COLUMN host TEXT NOT NULL DEFAULT '';  -- the machine that it ran on
    ALTER TABLE runs ADD COLUMN cause TEXT NOT NULL DEFAULT ''; -- why it ran beside its schedule
    ALTER TABLE families ADD COLUMN host TEXT NOT NULL DEFAULT '';  -- where the target was last
    CREATE INDEX families_by_host ON families (host, family);
    ALTER TABLE standings ADD COLUMN spread REAL;
    ALTER TABLE standings ADD COLUMN setup TEXT NOT NULL DEFAULT '';
    DROP VIEW readings;
    CREATE VIEW readings AS
        SELECT signals.name AS signal,
               series.target AS target,
               strftime('%Y-%m-%dT%H:%M:%S', samples.at / 1000, 'unixepoch')
                   || printf('.%03dZ', samples.at % 1000) AS at,
               samples.value AS value,
               samples.sigma AS sigma,
               signals.unit AS unit,
               samples.origin AS origin,
               runs.probe AS probe,
               samples.run AS run,
               samples.note AS note,
               samples.at AS at_ms,
               samples.series AS series_id,
               setups.document AS setup
          FROM samples
          JOIN series ON series.id = samples.series
          JOIN signals ON signals.id = series.signal
          JOIN runs ON runs.id = samples.run
          LEFT JOIN setups ON setups.id = samples.setup;
    """,
)


class OtherSchema(Exception):
    """The database was written by another version of Qrossover."""


def version(connection: sqlite3.Connection) -> int:
    """How many migrations a database has seen."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def require(connection: sqlite3.Connection) -> None:
    """Raises OtherSchema for a database that is not as this version's tables are."""
    done = version(connection)
    if done < len(MIGRATIONS):
        raise OtherSchema(
            f"the database has schema {done}, this version reads {len(MIGRATIONS)}: "
            "start `qrossover run`, which brings it up to date"
        )
    _refuse_newer(done)


def admit(connection: sqlite3.Connection) -> None:
    """Raises OtherSchema for a file that this version may not write: it changes nothing there."""
    done = version(connection)
    _refuse_newer(done)
    if done == 0 and connection.execute("SELECT 1 FROM sqlite_schema").fetchone():
        raise OtherSchema(
            "the file is another program's SQLite database: name another one in [monitor] database"
        )


def prepare(connection: sqlite3.Connection) -> None:
    """Apply what is missing, each migration in a transaction of its own."""
    done = version(connection)
    for number, script in enumerate(MIGRATIONS[done:], start=done + 1):
        connection.executescript(
            f"BEGIN IMMEDIATE; {script} PRAGMA user_version = {number}; COMMIT;"
        )


def _refuse_newer(done: int) -> None:
    if done > len(MIGRATIONS):
        raise OtherSchema(
            f"the database has schema {done}, this version knows {len(MIGRATIONS)}: "
            "it was written by a newer Qrossover; install that one, or name another database"
        )
