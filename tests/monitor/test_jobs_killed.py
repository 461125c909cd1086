"""kill -9 at every point of a job's way, and at random ones, at every provider: one job at the
cloud for each intent, its result stored once, and nothing left reserved.

Real canary, provider and SDK against the provider's server on loopback; the service is the real
walk over a real database (`job_service.py`).
"""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from clouds import CLOUDS, Cloud
from killing import Trial, Warm, warmed

POINTS = 8
"""More transactions than a job needs: the last services end by themselves."""
KILLS = 200 // len(CLOUDS)
"""Random kills at each provider."""
PATIENCE = 30.0


@pytest.fixture(scope="module", params=CLOUDS, ids=lambda cloud: cloud.provider)
def at(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Cloud, Any, Warm]]:
    """A provider, its server, and a warm process whose copies know that server."""
    cloud: Cloud = request.param
    for library in cloud.libraries:
        pytest.importorskip(library, reason=f"needs qrossover[{cloud.provider}]")
    folder = tmp_path_factory.mktemp(cloud.provider)
    with (
        cloud.serve(folder) as there,
        warmed(folder, there.environment, "qiskit.transpiler", *cloud.libraries) as warm_process,
    ):
        yield cloud, there.server, warm_process


def check(cloud: Cloud, server: Any, trial: Trial) -> None:
    """What must be true once a service has ended by itself."""
    [job] = trial.jobs()
    assert job.state == "done", job.reason
    assert cloud.created(server, job.tag) == cloud.expected
    assert trial.rows("SELECT outcome, reason FROM runs") == [("ok", "")]
    values = trial.rows("SELECT signal, target FROM readings WHERE signal LIKE 'quantum.mirror.%'")
    assert len(values) == len(set(values)) == 2
    told = {title for (title,) in trial.rows("SELECT facts ->> 'title' FROM alerts")}
    # some of the servers bill more than they have quoted, which is told, and nothing else
    assert told <= {f"Job 1 of canary at {cloud.provider} is billed with more than its quote"}


def finish(trial: Trial) -> None:
    """Let a service go on to its end."""
    assert trial.end(trial.live(), PATIENCE), "the service did not end well"


@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_at_every_transaction(
    at: tuple[Cloud, Any, Warm], tmp_path: Path, when: str
) -> None:
    cloud, server, warm_process = at
    ended = 0
    for number in range(1, POINTS + 1):
        trial = Trial(warm_process, tmp_path / str(number), cloud.settings)
        ended += trial.end(trial.live(**{when: number}), PATIENCE)
        finish(trial)
        check(cloud, server, trial)
    assert 0 < ended < POINTS - 3, "the points reach from the first transaction to past the last"


@pytest.mark.parametrize(("before", "after"), [(1.0, 0.0), (0.0, 1.0)])
def test_killed_while_the_provider_has_the_submission(
    at: tuple[Cloud, Any, Warm], tmp_path: Path, before: float, after: float
) -> None:
    cloud, server, warm_process = at
    trial = Trial(warm_process, tmp_path / "trial", cloud.settings, visible_after=2.5)
    cloud.slow(server, before, after)
    assert not trial.end(trial.live(), 0.9)
    finish(trial)
    check(cloud, server, trial)


def test_killed_at_random_moments(at: tuple[Cloud, Any, Warm], tmp_path: Path) -> None:
    cloud, server, warm_process = at
    dice = random.Random(cloud.provider)
    killed = number = 0
    while killed < KILLS:
        number += 1
        trial = Trial(warm_process, tmp_path / str(number), cloud.settings)
        for _ in range(dice.choice([1, 1, 2, 3])):
            killed += not trial.end(trial.live(), dice.uniform(0.0, 1.2))
        finish(trial)
        check(cloud, server, trial)
