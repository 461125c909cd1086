"""A service over a cloud made of paper: `tests/plugins` beside the kinds that the program has.

This file is the program of the children too: its `main` is the real one.
"""

import json
import sys
from pathlib import Path

import probes
from probes.__main__ import main
from probes.base import kinds, load

PLUGINS = str(Path(__file__).parent / "plugins")
SERVICE = str(Path(__file__).with_name("paper_service.py"))
CHILD = (sys.executable, "-P", __file__)


def plug_in() -> None:
    """Let the kinds under `tests/plugins` be found."""
    if PLUGINS not in probes.__path__:
        probes.__path__.append(PLUGINS)
        kinds.cache_clear()


class Cloud:
    """The folder that is the cloud."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "jobs").mkdir(parents=True)

    def will(self, step: str, *words: str) -> None:
        """What the next steps of this name do; the last word stays."""
        (self.folder / step).write_text("\n".join(words))

    @property
    def jobs(self) -> list[str]:
        """The ids of all jobs that were created."""
        return sorted(file.name for file in (self.folder / "jobs").iterdir())

    @property
    def steps(self) -> list[str]:
        """The steps that were asked for, in their order."""
        file = self.folder / "steps"
        return file.read_text().split() if file.exists() else []

    @property
    def tags(self) -> list[str]:
        """The tags of all jobs that were created."""
        files = (self.folder / "jobs").iterdir()
        return sorted(json.loads(file.read_text())["tag"] for file in files)


if __name__ == "__main__":
    plug_in()
    sys.exit(main(load))
