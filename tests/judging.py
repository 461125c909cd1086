"""A judge on a real database, with time in the test's hand."""

import json
from pathlib import Path
from typing import Any

from monitor import config as configs
from monitor.judge import Judge
from monitor.writer import Writer
from storage.types import Alert, Reading, Run, Signal

METER = Signal("test.meter", "V", "lower", "what the meter says")
START = 1_800_000_000.0


class Bench:
    """A database and a config, with time in the test's hand."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.writer = Writer(folder / "test.db")
        self.now = START
        self.judge: Judge

    def configure(self, tables: str) -> None:
        self.load(
            """
            [probe.meter]
            kind = "external.command"
            argv = ["true"]
            signals = { "test.meter" = "V" }
            every = "15m"
            """
            + tables
        )

    def load(self, text: str) -> None:
        path = self.folder / "config.toml"
        path.write_text(text)
        self.config = configs.read(path)
        self.judge = Judge(self.config, self.writer)

    def restart(self) -> None:
        """The service was killed, and starts again on what is stored."""
        self.writer.close()
        self.writer = Writer(self.folder / "test.db")
        self.judge = Judge(self.config, self.writer)
        self.start()

    def start(self) -> None:
        self.writer.once(lambda: self.judge.everything(self.now))

    def read(self, value: float, target: str = "bench", origin: str = "measured") -> None:
        """Fifteen minutes later a run ends with one reading."""
        self.now += 900.0
        reading = Reading("test.meter", target, value, origin, at=self.now)
        self.end("ok", "", reading)

    def end(self, outcome: str, reason: str, *readings: Reading) -> None:
        run = Run("meter", "external.command", outcome, reason, self.now - 1.0, 1.0)

        def settle() -> None:
            self.writer.store.record(run, readings, (METER,))
            self.judge.after_run(run, readings, self.now)

        self.writer.once(settle)

    def wait(self, seconds: float, unheard: tuple[str, ...] = ()) -> None:
        """Time passes, minute by minute on the slow clock."""
        for _ in range(int(seconds // 60)):
            self.now += 60.0
            self.writer.once(lambda: self.judge.slow(self.now, unheard))

    def told(self) -> list[tuple[str, str, str]]:
        rows = self.writer.store.connection.execute(
            'SELECT kind, "trigger", target FROM alerts ORDER BY id'
        )
        return [tuple(row) for row in rows]

    def facts(self) -> list[dict[str, Any]]:
        rows = self.writer.store.connection.execute("SELECT facts FROM alerts ORDER BY id")
        return [json.loads(row[0]) for row in rows]

    def alerts(self) -> list[Alert]:
        """Every alert that was owed, in its order."""
        outbox = self.writer.outbox
        return [outbox.get(number).alert for number in range(1, len(self.told()) + 1)]

    def states(self) -> dict[tuple[str, str], str]:
        return {(s.trigger, s.target): s.state for s in self.writer.store.standings()}
