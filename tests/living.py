"""A living Qrossover for tests: a folder with a config, real commands, real child processes."""

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

_T = TypeVar("_T")
PATIENCE = 30.0
"""Seconds after which a thing that never comes is a failed test. Nothing is timed by it."""

METER = """\
import json, pathlib, sys
for line in pathlib.Path("value").read_text().split():
    print(json.dumps({"signal": "test.meter", "target": "bench", "value": float(line)}))
"""


class Living:
    """A service in a folder. `meter` is a probe that prints what the file `value` says."""

    def __init__(
        self, folder: Path, slack_url: str = "", more: str = "", every: str = "1s"
    ) -> None:
        self.folder = folder
        self.log = folder / "log"
        (folder / "meter.py").write_text(METER)
        self.measure(1.0)
        slack = f"""
            [slack]
            channel = "#compute-strategy"
            token_env = "TEST_SLACK_TOKEN"
            api_url = "{slack_url}"
        """
        self.config = folder / "config.toml"
        self.config.write_text(
            f"""
            [monitor]
            database = "var/test.db"
            http = "127.0.0.1:0"
            {slack if slack_url else ""}
            [probe.meter]
            kind = "external.command"
            argv = ["{sys.executable}", "meter.py"]
            signals = {{ "test.meter" = "V" }}
            every = "{every}"
            [trigger.high]
            signal = "test.meter"
            when = "above"
            threshold = 10
            advice = "Turn it down."
            {more}
            """
        )
        self.database = folder / "var" / "test.db"
        self.service = [*_qrossover(), "run"]

    def measure(self, *values: float) -> None:
        """What the meter shows from now on."""
        fresh = self.folder / "value.new"
        fresh.write_text(" ".join(str(value) for value in values))
        fresh.replace(self.folder / "value")

    def command(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """One command of the command line, to its end."""
        return subprocess.run(
            [*_qrossover(), *words],
            cwd=self.folder,
            env=_environment(environment),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def json(self, *words: str) -> Any:
        """What a reporting command says with --json."""
        done = self.command(*words, "--json")
        assert done.returncode in (0, 1), done.stderr
        return json.loads(done.stdout)

    @contextlib.contextmanager
    def running(self, token: str = "", **environment: str) -> Iterator[subprocess.Popen[bytes]]:
        """The service in its own process, until the block ends; then it is told to stop."""
        with self.log.open("ab") as log:
            service = subprocess.Popen(
                self.service,
                cwd=self.folder,
                env=_environment(({"TEST_SLACK_TOKEN": token} if token else {}) | environment),
                stdout=log,
                stderr=log,
            )
        try:
            yield service
        finally:
            if service.poll() is None:
                service.send_signal(signal.SIGTERM)
            try:
                service.wait(PATIENCE)
            finally:
                service.kill()
                service.wait()

    def said(self) -> str:
        """Everything that the service wrote."""
        return self.log.read_text()

    def about(self) -> dict[str, Any]:
        """What the running service says of itself."""
        text = (self.folder / "var" / "test.db.lock").read_text()
        found: dict[str, Any] = json.loads(text) if text else {}
        return found

    def http(self, path: str) -> tuple[int, str]:
        """Status and body of one request to the running service."""
        address = eventually(lambda: self.about().get("http"), "the service to serve HTTP")
        try:
            with urllib.request.urlopen(f"http://{address}{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, refused.read().decode()

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Rows of the database, read beside the service."""
        if not self.database.exists():
            return []
        connection = sqlite3.connect(f"{self.database.as_uri()}?mode=ro", uri=True, timeout=10)
        try:
            return connection.execute(query, values).fetchall()
        except sqlite3.OperationalError as error:
            if "no such table" in str(error):
                return []  # it is being made
            raise
        finally:
            connection.close()

    def runs(self, probe: str = "meter") -> int:
        """How many runs of a probe are stored."""
        rows = self.rows("SELECT count(*) FROM runs WHERE probe = ?", probe)
        return int(rows[0][0]) if rows else 0

    def another_run(self, probe: str = "meter") -> None:
        """Wait until a run that began after now is stored."""
        # on a busy machine some are skipped, since the one before them has not ended
        query = "SELECT count(*) FROM runs WHERE probe = ? AND outcome <> 'skipped'"
        ((before,),) = self.rows(query, probe) or [(0,)]

        def two_more() -> bool:
            return any(count >= before + 2 for (count,) in self.rows(query, probe))

        eventually(two_more, f"two more runs of {probe}")


def eventually(ask: Callable[[], _T], what: str) -> _T:
    """What `ask` says once it says something; a failed test where it never does."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            answer = ask()
        except (OSError, ValueError):
            answer = None  # not there yet
        if answer:
            return answer
        time.sleep(0.05)
    raise AssertionError(f"waited {PATIENCE:g} s in vain for {what}")


def alive(pid: int) -> bool:
    """Whether a process runs (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _qrossover() -> list[str]:
    return [sys.executable, "-m", "monitor.cli"]


def _environment(more: dict[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("QROSSOVER")}
    return kept | more
