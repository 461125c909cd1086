from collections.abc import Iterator

import pytest
from slack_server import TOKEN, SlackServer

from monitor.slack.client import SlackClient


@pytest.fixture
def slack() -> Iterator[SlackServer]:
    with SlackServer() as server:
        yield server


@pytest.fixture
def client(slack: SlackServer) -> SlackClient:
    return SlackClient(TOKEN, "#compute-strategy", slack.url)
