"""docs/interfaces.md against what the commands say of jobs, money and devices."""

import json
from dataclasses import replace
from typing import Any

import pytest
from click.testing import CliRunner
from doc_pages import INTERFACES, bare
from documented import assert_documented
from living import Living

from monitor.cli import cli
from probes.quantum.provider import Ability
from storage.ledger import Ledger
from storage.store import Store
from storage.types import Job, Order, Quote, Run, now

ORDER = Order("ionq", "qpu.forte-1", Quote(1.5, 2.0), {"circuits": "abc"})
MORE = """
[budget]
usd_per_28_days = 100
[probe.mirror]
kind = "quantum.mirror"
device = "fake_kingston"
every = "24h"
"""


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Living:
    """A folder whose ledger has an open job, one that has ended, and a paid run that is no job."""
    living = Living(tmp_path_factory.mktemp("jobs"), more=MORE, every="1h")
    store = Store.writer(living.database)
    moment = now()
    with store.transaction():
        done = _job(store, "ghz", moment - 7200)
        Ledger(store).put(
            replace(
                done,
                state="done",
                remote="job-1",
                word="completed",
                tried=moment - 7199,
                submitted=moment - 7199,
                started=moment - 3600,
                ended=moment - 60,
                usd=1.25,
                qpu_seconds=1.5,
                order=None,
            )
        )
        waits = _job(store, "mirror", moment - 60)
        Ledger(store).put(
            replace(waits, state="submitted", position=4, unwanted="by ada", cancel_asked=moment)
        )
        store.record(Run("meter", "external.command", "ok", "", moment, 1.0, usd=0.25), (), ())
    store.close()
    return living


def _job(store: Store, probe: str, at: float) -> Job:
    run = store.reserve(Run(probe, "quantum.mirror", "skipped", "", at, 0.0), reason="waits")
    settings = {"provider": "snapshot", "device": "fake_kingston"}
    return Ledger(store).intend(
        ORDER, run=run.id, probe=probe, kind="quantum.mirror", settings=settings, now=at
    )


def report(living: Living, *words: str) -> Any:
    arguments = ["--config", str(living.config), *words, "--json"]
    done = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    ("heading", "words"),
    [
        ("qrossover jobs --json", ("jobs",)),
        ("qrossover jobs show ID --json", ("jobs", "2")),
        ("qrossover spend --json", ("spend",)),
        ("qrossover devices --json", ("devices",)),
        ("qrossover devices PROVIDER --json", ("devices", "snapshot")),
        ("qrossover status --json", ("status",)),
    ],
)
def test_a_report_has_the_keys_that_are_documented(
    ledger: Living, heading: str, words: tuple[str, ...]
) -> None:
    assert_documented(heading, report(ledger, *words))


def test_what_a_provider_can_be_asked_is_documented() -> None:
    row = INTERFACES.table("qrossover devices --json").by_key()["[].supports"]
    named = {bare(word) for word in row["meaning"].partition(": ")[2].split(", ")}
    assert named == set(Ability.__args__)
