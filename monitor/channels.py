"""From a config to the channel of its alerts, at a start and at each reload."""

import ctypes
import os
from collections.abc import Sequence

from rich.console import Console

from monitor.channel import Channel
from monitor.problems import ConfigError
from monitor.sections import Config, Slack
from monitor.slack.client import SlackClient
from monitor.terminal import Terminal

PR_SET_DUMPABLE = 4
"""From linux/prctl.h."""


class Channels:
    """Makes channels. Tokens from the environment are kept here alone, once they are hidden."""

    def __init__(self) -> None:
        self._tokens: dict[str, str] = {}
        self._made_of: tuple[str, str, str] | None = None
        self._channel: Channel = _terminal()

    def of(self, config: Config) -> tuple[Channel, tuple[str, ...]]:
        """The channel of a config, the same as before where nothing about it has changed, and what
        only a restart can change. Raises ConfigError and OSError; the channel is as before then."""
        slack = config.slack
        token, waits = self._token_of(slack) if slack else (None, ())
        wanted = (token, slack.channel, slack.api_url) if slack and token else None
        if wanted != self._made_of:
            self._channel = client(*wanted) if wanted else _terminal()
            self._made_of = wanted
        return self._channel, waits

    def _token_of(self, slack: Slack) -> tuple[str | None, tuple[str, ...]]:
        name = slack.token_env
        if name is not None:
            self._take(name)
        if slack.token_file is not None or name is None:
            return slack.token(), ()
        if name in self._tokens:
            return self._tokens[name], ()
        # from outside nobody can give a running process a variable
        unset = f"slack.token_env: {name} is not set in the environment of the service"
        if self._made_of is None:
            return None, (f"{unset}: alerts go to the terminal",)
        return self._made_of[0], (f"{unset}: the token of before is used until a restart",)

    def _take(self, name: str) -> None:
        if token := os.environ.get(name, "").strip():
            self._tokens[name] = token
        hide([name])


def _terminal() -> Terminal:
    return Terminal(Console(stderr=True))


def client(token: str, channel: str, api_url: str) -> SlackClient:
    """Slack by this token. Raises ConfigError for one that cannot be used."""
    try:
        return SlackClient(token, channel, api_url)
    except ValueError as error:
        raise ConfigError([str(error)]) from None


def hide(secrets: Sequence[str]) -> None:
    """Keep this process's environment from the probes, which run as the same user.

    A variable that is unset still stands in /proc/PID/environ: a process that is not dumpable
    shows that to root alone. Children are dumpable again, from their exec on.
    """
    for name in secrets:
        os.environ.pop(name, None)
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
