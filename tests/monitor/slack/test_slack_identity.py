"""As whom the token speaks, and what the app asks the workspace for."""

import re
from pathlib import Path

from slack_server import SlackServer

from monitor.slack.client import Dead, Identity, SlackClient


def test_who_the_token_is(client: SlackClient) -> None:
    assert client.auth_test() == Identity("Loopback", "qrossover")


def test_a_token_that_is_nobody(slack: SlackServer) -> None:
    result = SlackClient("xoxb-other", "#general", slack.url).auth_test()
    assert isinstance(result, Dead)
    assert result.word == "invalid_auth"


def test_the_manifest_asks_for_the_scopes_that_the_calls_need() -> None:
    manifest = Path(__file__).parents[3] / "deploy" / "slack-manifest.yaml"
    scopes = set(re.findall(r"^ +- ([a-z:.]+)", manifest.read_text(), re.MULTILINE))
    posting, reading, listing = {"chat:write"}, "{}:history", "{}:read"
    kinds = ("channels", "groups")
    needed = {form.format(kind) for form in (reading, listing) for kind in kinds}
    assert scopes == posting | needed
