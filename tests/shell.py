"""The command line in this process, by the console script's own entry: a process takes a second."""

import io
import json
import sys
from dataclasses import dataclass
from typing import Any

import pytest
from living import Living

from monitor.cli import main

WHO = r"ada@[\w.-]+"
"""How a change that was made here is signed."""


@dataclass(frozen=True)
class Ended:
    """What came of a command."""

    returncode: int
    stdout: str
    stderr: str


class Shell:
    """Commands in a config's folder, as a person called ada."""

    def __init__(
        self, living: Living, patch: pytest.MonkeyPatch, capture: pytest.CaptureFixture[str]
    ) -> None:
        self.living = living
        self.config = living.config
        self._patch = patch
        self._capture = capture

    def command(self, *words: str) -> Ended:
        with self._patch.context() as patch:
            patch.chdir(self.living.folder)
            patch.setenv("SUDO_USER", "ada")
            patch.setenv("COLUMNS", "80")
            patch.setattr(sys, "argv", ["qrossover", *words])
            patch.setattr(sys, "stdin", io.StringIO())
            code = 0
            try:
                main()
            except SystemExit as ended:
                code = int(ended.code or 0)
        said = self._capture.readouterr()
        return Ended(code, said.out, said.err)

    def set(self, *words: str) -> Ended:
        return self.command("trigger", "set", "high", *words)

    def json(self, *words: str) -> Any:
        done = self.command(*words, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)
