from collections.abc import Iterator
from pathlib import Path

import pytest
from living import Living
from slack_server import SlackServer


@pytest.fixture
def slack() -> Iterator[SlackServer]:
    with SlackServer() as server:
        yield server


@pytest.fixture
def living(tmp_path: Path, slack: SlackServer) -> Living:
    return Living(tmp_path, slack.url)
