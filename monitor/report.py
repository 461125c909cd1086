"""What the reporting commands say, as JSON-ready documents with stable keys."""

import importlib.metadata
import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from monitor.config import Config
from monitor.http.control import Health, ask_health
from monitor.judge import judgements
from monitor.lock import holder
from monitor.outlook.milestones import load, overdue
from monitor.prices import CPU
from monitor.problems import ConfigError
from storage import reports
from storage.ledger import Ledger
from storage.outbox import Outbox
from storage.store import Store
from storage.types import Standing, now
from triggers import checklist as questions
from triggers.quiet import is_snoozed

COST = "crossover.cost_ratio"
PRICES = "; no price is stated: state prices in [crossover]"


def iso(moment: float | None) -> str | None:
    """A moment as ISO 8601 in UTC with milliseconds, as in the `readings` view."""
    if moment is None:
        return None
    return f"{datetime.fromtimestamp(moment, UTC).isoformat(timespec='milliseconds')[:-6]}Z"


def runs(store: Store, *, failed: bool, most: int) -> list[dict[str, Any]]:
    """The last runs, newest first."""
    return [_run(row) for row in reports.runs(store, failed=failed, most=most)]


def _run(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "started": iso(row["started"])}


def once(config: Config, store: Store, numbers: Sequence[int]) -> dict[str, Any]:
    """One pass: its runs, their readings, and the checklist after it."""
    if not numbers:
        return {"runs": [], "readings": [], "checklist": checklist(config, store)}
    wanted = set(numbers)
    ended = [
        r for r in reports.runs(store, most=1 << 20, since_id=min(wanted)) if r["id"] in wanted
    ]
    since = min(row["started"] for row in ended) - 1
    taken = [row for row in reports.readings(store, since=since) if row["run"] in wanted]
    return {
        "runs": [_run(row) for row in reversed(ended)],
        "readings": taken,
        "checklist": checklist(config, store),
    }


def check(config: Config) -> dict[str, Any]:
    """What a valid config amounts to here."""
    return {
        "path": str(config.path),
        "sha256": config.sha256,
        "probes": len(config.probes),
        "triggers": len(config.triggers),
        "questions": len(config.checklist),
        "warnings": [*_idle(config), *config.warnings, *_milestones(config)],
        "alerts": _alerts_to(config),
        "database": str(config.monitor.database),
        "sqlite": sqlite3.sqlite_version,
    }


def _idle(config: Config) -> list[str]:
    """That nothing is measured, where that is so."""
    if config.probes:
        return []
    return [f"{config.path.name} has no [probe.NAME] table: the service would measure nothing"]


def _milestones(config: Config) -> list[str]:
    """A line on the milestones that are past due, where there are some. Raises ConfigError."""
    late = overdue(load(config.scenario.milestones), now())
    return [late] if late else []


def _milestones_line(config: Config) -> str:
    """The same for a status, which a wrong file of milestones must not keep from being seen."""
    try:
        return "".join(_milestones(config))
    except ConfigError as error:
        return error.lines[0]


def _alerts_to(config: Config) -> str:
    slack = config.slack
    if slack is None:
        return "the terminal (no [slack] table)"
    if config.slack_token() is not None:
        return f"{slack.channel} on Slack"
    return f"the terminal, since {slack.token_env or 'a token'} is not set"


def triggers(config: Config, store: Store) -> list[dict[str, Any]]:
    """Where every trigger stands, one row a target."""
    moment = now()
    return [
        standing(config, one, moment) for one in store.standings() if one.trigger in config.triggers
    ]


def standing(config: Config, one: Standing, moment: float) -> dict[str, Any]:
    """Where one trigger, or checklist item, stands on one target."""
    rule = config.triggers.get(one.trigger)
    return {
        "name": one.trigger,
        "when": rule.when if rule else "checklist",
        "target": one.target,
        "state": one.state,
        "since": iso(one.since),
        "value": one.value,
        "threshold": one.threshold,
        "unit": one.unit,
        "severity": rule.severity if rule else "page",
        "origin": one.origin,
        "why": one.why,
        "notify": rule is None or rule.notify,
        "acknowledged_by": one.acknowledged_by,
        "acknowledged_at": iso(one.acknowledged_at),
        "snoozed_until": iso(one.snoozed_until) if is_snoozed(one, moment) else None,
    }


def checklist(config: Config, store: Store) -> dict[str, Any]:
    """The checklist judged: a verdict, and what it rests on."""
    judged = judgements(config, store)
    moment = now()
    return {
        "verdict": questions.verdict(judged),
        "items": [
            {
                "name": item.name,
                "question": item.question,
                "holds": item.holds,
                "criteria": [
                    _criterion(criterion, _note(config, store, criterion), moment)
                    | {"why": criterion.why + _way_out(config, criterion)}
                    for criterion in item.criteria
                ],
            }
            for item in judged
        ],
        "trends": trends(config, store),
    }


def trends(config: Config, store: Store) -> list[dict[str, Any]]:
    """Where the triggers on trends stand: what is not there yet has a year, or never."""
    keys = ("name", "target", "state", "origin", "why")
    return [
        {key: row[key] for key in keys}
        for row in triggers(config, store)
        if row["when"] == "crosses"
    ]


def _way_out(config: Config, criterion: questions.Criterion) -> str:
    """What to do where a number can never come as the config is: a cost ratio without prices."""
    rule = config.triggers.get(criterion.trigger or "")
    given = config.crossover
    has_gpu = given.gpu_usd_per_hour is not None or any(name != CPU for name in config.prices)
    has_both = has_gpu and given.quantum_usd_per_hour is not None
    is_lacking = rule is not None and rule.signal == COST and not has_both
    return PRICES if is_lacking and criterion.value is None else ""


def _note(config: Config, store: Store, criterion: questions.Criterion) -> str:
    """The note of the reading that a criterion shows: its age is that of the look, and what was
    looked at may be older."""
    if criterion.trigger is None or criterion.target is None:
        return ""
    rule = config.triggers[criterion.trigger]
    last = store.window(rule.signal or "", criterion.target, accept=rule.accept).readings[-1:]
    return next((reading.note for reading in last if reading.at == criterion.read_at), "")


def _criterion(criterion: questions.Criterion, note: str, moment: float) -> dict[str, Any]:
    age = None if criterion.read_at is None else round(moment - criterion.read_at, 3)
    return {
        "trigger": criterion.trigger,
        "signal": criterion.signal,
        "target": criterion.target,
        "when": criterion.when,
        "value": criterion.value,
        "unit": criterion.unit,
        "threshold": criterion.threshold,
        "origin": criterion.origin,
        "age_seconds": age,
        "note": note,
        "ratio": criterion.ratio,
        "holds": criterion.holds,
        "why": criterion.why,
    }


def status(
    config: Config, store: Store, faults: Sequence[str] = (), *, edited: bool = False
) -> dict[str, Any]:
    """The service as it stands: whether it runs, its file, its probes, what it owes. `edited`: the
    file is another one than `config`, which is in force; `faults` are the file's."""
    alive = holder(config.monitor.database)
    said = ask_health(config.monitor.database) if alive else None
    about = _config(config, alive, faults, edited=edited)
    standings = [s for s in store.standings() if s.trigger in config.triggers]
    states = [s.state for s in standings]
    last = reports.last_runs(store)
    opened = {job.probe: job.id for job in Ledger(store).open()}
    started = alive.get("started")
    return {
        "version": importlib.metadata.version("qrossover"),
        "pid": alive.get("pid"),
        "uptime_seconds": None if started is None else round(now() - started, 1),
        "http": alive.get("http"),
        "health": None if said is None else [*said.faults, *_restart(config, about)],
        "config": about,
        "database": {
            "path": str(config.monitor.database),
            "bytes": _bytes(config.monitor.database),
            "readings": reports.count(store),
        },
        "outbox": Outbox(store).depth() | {"error": Outbox(store).last_error()},
        "probes": [
            _probe(config, name, last, alive)
            | {"running_since": _since(said, name), "job": opened.get(name)}
            for name in config.probes
        ],
        "triggers": {
            "firing": states.count("firing"),
            "pending": states.count("pending"),
            "no_data": states.count("no-data"),
            "acknowledged": sum(s.acknowledged_by is not None for s in standings),
            "snoozed": sum(is_snoozed(s, now()) for s in standings),
        },
        "jobs": _jobs(store),
        "milestones": _milestones_line(config),
    }


def _jobs(store: Store) -> dict[str, Any]:
    """How many jobs are open at quantum clouds, since when, and what they may cost."""
    ledger = Ledger(store)
    opened, reserved = ledger.open(), ledger.reserved()
    return {
        "open": len(opened),
        "oldest": iso(opened[0].created) if opened else None,
        "reserved_usd": reserved.usd,
        "reserved_qpu_seconds": reserved.qpu_seconds,
    }


def _bytes(database: Path) -> int:
    """Bytes on disk, with what is written and not yet folded into the file."""
    files = (database, database.with_name(f"{database.name}-wal"))
    return sum(file.stat().st_size for file in files if file.exists())


def _since(said: Health | None, probe: str) -> str | None:
    return iso(said.running.get(probe)) if said else None


def _restart(config: Config, about: dict[str, Any]) -> list[str]:
    """That the service could not be started again, where its file cannot be used."""
    if about["error"] is None:
        return []
    return [f"{config.path.name} cannot be used: a restart would fail"]


def _config(
    config: Config, alive: dict[str, Any], faults: Sequence[str], *, edited: bool
) -> dict[str, Any]:
    """The config that runs, and whether the file says the same."""
    running = alive.get("sha256", config.sha256)
    edited = edited or running != config.sha256
    # what the service found counts for the file that it saw: this one may be right again
    found = faults or (alive.get("faults", ()) if edited else ())
    return {
        "path": alive.get("config", str(config.path)),
        "sha256": running,
        "loaded_at": iso(alive.get("loaded_at")),
        "loaded": not edited,
        "error": "\n".join(found) or None,
        "warnings": alive.get("warnings", list(config.warnings)),
    }


def _probe(
    config: Config, name: str, last: dict[str, tuple[str, float]], alive: dict[str, Any]
) -> dict[str, Any]:
    outcome, ended = last.get(name, (None, None))
    due = alive.get("next_at", {}).get(name)
    return {
        "name": name,
        "kind": config.probes[name].kind,
        "last_outcome": outcome,
        "last_at": iso(ended),
        "next_at": iso(due),
    }
