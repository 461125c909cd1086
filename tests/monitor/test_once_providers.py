"""One pass over every provider that needs no account, with no network at all."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from probes.quantum.providers import known, load

CONFIG = """
[monitor]
database = "q.db"
http = ""
"""
MIRROR = """
[probe.{name}]
kind = "quantum.mirror"
provider = "{provider}"
device = "{device}"
every = "24h"
widths = [2]
depths = [2]
circuits = 2
"""
FREE = {"snapshot": "fake_lima", "cirq": "simulator", "pennylane": "default.qubit"}


def without_network() -> list[str]:
    """What runs a command where there is no network, not even loopback; nothing where this user
    may not do that."""
    unshare = shutil.which("unshare")
    alone = [unshare, "--net"] if unshare else []
    can = alone and subprocess.run([*alone, "true"], capture_output=True, check=False)
    return alone if can and can.returncode == 0 else []


def test_these_are_all_that_answer_without_a_queue() -> None:
    assert {name for name in known() if not load(name).queued} == set(FREE)


def test_once_works_offline_with_all_free_providers(tmp_path: Path) -> None:
    for library in ("cirq", "pennylane"):
        pytest.importorskip(library, reason=f"needs qrossover[{library}]")
    tables = (
        MIRROR.format(name=name, provider=name, device=device) for name, device in FREE.items()
    )
    (tmp_path / "config.toml").write_text(CONFIG + "".join(tables))
    done = subprocess.run(
        [*without_network(), sys.executable, "-m", "monitor.cli", "once", "--json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    document = json.loads(done.stdout)
    assert [run["outcome"] for run in document["runs"]] == ["ok"] * 3
    values = {
        reading["target"]: reading["value"]
        for reading in document["readings"]
        if reading["signal"] == "quantum.mirror.polarization"
    }
    assert values["simulator/w2-d2"] == values["default.qubit/w2-d2"] == 1.0
    assert 0.5 < values["fake_lima/w2-d2"] < 1.0
    assert {reading["origin"] for reading in document["readings"]} == {"simulated"}


def test_a_dry_run_says_that_an_installed_device_without_a_price_is_skipped(
    tmp_path: Path,
) -> None:
    pytest.importorskip("pennylane", reason="needs qrossover[pennylane]")
    table = MIRROR.format(name="unpriced", provider="pennylane", device="reference.qubit")
    free = MIRROR.format(name="free", provider="pennylane", device="default.qubit")
    (tmp_path / "config.toml").write_text(CONFIG + table + free)
    done = subprocess.run(
        [sys.executable, "-m", "monitor.cli", "once", "--dry-run", "--json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    unpriced, own = json.loads(done.stdout)["probes"]
    assert unpriced["outcome"] == "skipped"
    assert unpriced["reason"].startswith("no price is known: ")
    assert (own["outcome"], own["usd"], own["queued"]) == ("ok", 0.0, False)
