import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from living import Living
from paper_work import Work, working
from shell import Shell
from slack_server import SlackServer


@pytest.fixture
def slack() -> Iterator[SlackServer]:
    with SlackServer() as server:
        yield server


@pytest.fixture
def living(tmp_path: Path, slack: SlackServer) -> Living:
    return Living(tmp_path, slack.url)


@pytest.fixture
def quiet(tmp_path: Path) -> Living:
    """A config and no service."""
    return Living(tmp_path, every="1h")


@pytest.fixture
def still(
    quiet: Living, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Shell:
    """A config and no service."""
    return Shell(quiet, monkeypatch, capsys)


@pytest.fixture(scope="session")
def once_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The database after one pass, made once."""
    living = Living(tmp_path_factory.mktemp("once"), every="1h")
    assert living.command("once").returncode == 0
    return living.database.parent


@pytest.fixture
def run_once(still: Shell, once_run: Path) -> Shell:
    """A config that has been in force, and no service any more."""
    shutil.copytree(once_run, still.living.database.parent)
    return still


@pytest_asyncio.fixture
async def work(tmp_path: Path) -> AsyncIterator[Work]:
    """A house over a cloud made of paper, with one probe."""
    async with working(tmp_path) as found:
        yield found
