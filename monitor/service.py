"""What the command line starts: the service, one pass of it, and a trial of Slack."""

import asyncio
import logging
import os
import socket
import sys
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import structlog
from rich.console import Console
from rich.status import Status

from monitor import log, report, tables
from monitor.channel import Sent
from monitor.channels import Channels, client, hide
from monitor.config import Config
from monitor.daemon import Daemon
from monitor.holding import OWN_UMASK
from monitor.http.control import NotListening, ask_once
from monitor.lock import Taken, holder, path_for
from monitor.refusal import Refused
from monitor.slack.client import Identity
from storage.store import Store
from storage.types import Alert, now


def run(config: Config) -> None:
    """The service, until it is told to stop."""
    log.configure()
    sys.stdout = log.unfailing(log.STDOUT)  # what cannot be printed must not fail its end
    if config.slack is not None and config.slack_token() is None:
        why = f"{config.slack.token_env or 'a token'} is not set"
        structlog.get_logger().warning("alerts go to the terminal", why=why)
    asyncio.run(_serve(config))


def _daemon(config: Config) -> Daemon:
    os.umask(OWN_UMASK)
    hide(())  # whether or not there is a token to hide
    return Daemon(config, Channels())


async def _serve(config: Config) -> None:
    daemon = _daemon(config)
    try:
        await daemon.serve(lambda: _print_checklist(daemon))
    finally:
        daemon.close()


def _print_checklist(daemon: Daemon) -> None:
    document = report.checklist(daemon.config, daemon.writer.store)
    console = tables.console()
    console.print()
    console.print(tables.checklist(document))
    console.print()


def once(config: Config, names: Sequence[str], *, quiet: bool) -> dict[str, Any]:
    """One pass: by the running service where there is one, else by this process."""
    log.configure(logging.WARNING)
    database = config.monitor.database
    if other := holder(database):
        try:
            numbers = ask_once(database, names or tuple(config.probes))
        except NotListening:
            raise Taken(path_for(database), other.get("pid")) from None
    else:
        numbers = asyncio.run(_once(config, names, quiet=quiet))
    store = Store.reader(config.monitor.database)
    try:
        return report.once(config, store, numbers)
    finally:
        store.close()


async def _once(config: Config, names: Sequence[str], *, quiet: bool) -> list[int]:
    daemon = _daemon(config)
    console = Console(stderr=True, quiet=quiet)
    try:
        with console.status("starting") as line:
            progress = asyncio.create_task(_progress(daemon, line))
            settled = await daemon.once(names)
            progress.cancel()
    finally:
        daemon.close()
    return [one.id for one in settled]


async def _progress(daemon: Daemon, line: Status) -> None:
    """Keep the progress line true."""
    while True:
        parts = [f"{name} {now() - since:.0f} s" for name, since in daemon.running.items()]
        line.update(f"running {', '.join(parts)}" if parts else "sending what is owed")
        await asyncio.sleep(0.2)


def slack_test(config: Config) -> str:
    """Post one message now, outside the outbox; what came of it. Raises Refused."""
    token = config.slack_token()
    if config.slack is None:
        raise Refused(f"{config.path} has no [slack] table: give it a channel and a token_env")
    if token is None:
        raise Refused(f"{config.slack.token_env or 'token_env'} is not set: export the bot token")
    slack = client(token, config.slack.channel, config.slack.api_url)
    who = slack.auth_test()
    if not isinstance(who, Identity):
        raise Refused(f"Slack does not know the token: {who.why}")
    result = slack.deliver(_trial(config), None)
    if isinstance(result, Sent):
        return f"Sent to {config.slack.channel} as {who.user} of {who.team}, message {result.ts}."
    raise Refused(f"Slack did not take the message: {result.why}")


def _trial(config: Config) -> Alert:
    body = (
        "If you can read this, alerts will reach you here. "
        f"{len(config.triggers)} triggers are watched."
    )
    return Alert(
        key=uuid4().hex,
        kind="notice",
        trigger="slack-test",
        target=socket.gethostname(),
        severity="info",
        created=now(),
        facts={"title": "Qrossover can post here", "body": body},
    )
