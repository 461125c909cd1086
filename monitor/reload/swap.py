"""A valid config comes into force: standings, history and notice in one transaction, then every
part at once. What runs goes on."""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import tomli

from monitor.channel import Channel
from monitor.channels import Channels
from monitor.differences import differences
from monitor.judge import Judge
from monitor.problems import ConfigError
from monitor.reload import notices
from monitor.reload.loaded import Edit, Loaded
from monitor.schedule import Schedule
from monitor.sections import Config
from monitor.sender import Sender
from monitor.settling import House
from monitor.terminal import TERMINAL
from monitor.threads import in_thread
from storage import configs
from storage.configs import Change
from storage.store import Store
from storage.types import now


class Swap:
    """The parts of a service that a config is in."""

    def __init__(
        self, house: House, schedule: Schedule, sender: Sender, channels: Channels
    ) -> None:
        self._house = house
        self._schedule = schedule
        self._sender = sender
        self._channels = channels
        self._monitor = house.config.monitor
        """What a start alone can change: the open database, the open port."""

    async def into_force(
        self, old: Config, new: Config, edit: Edit, *, after_error: bool
    ) -> Loaded:
        """Put `new` in the place of `old`, both as their file says. Raises ConfigError for a
        token that cannot be used; all is as before then."""
        channel, waits = await self.channel(new)
        about_slack = waits if new.slack != old.slack else ()
        waiting = (*self._waiting(new), *about_slack)
        effective = replace(new, monitor=self._monitor)
        # Thousands of triggers are compared here, and nothing is read or written: beside the loop.
        changes, changed, judge = await in_thread(
            lambda: (
                differences(old.document, new.document),
                changed_rules(self._house.config, effective),
                Judge(effective, self._house.writer),
            )
        )
        name = new.path.name
        told = notices.loaded(
            name,
            changes,
            (old.document, new.document),
            by=edit.by,
            note=edit.note,
            warnings=[
                *waiting,
                *(w for w in new.warnings if w not in old.warnings),
            ],
            after_error=after_error,
        )

        def settle() -> None:
            moment, outbox = now(), self._house.writer.outbox
            if changes or after_error:
                outbox.owe(told if changes else notices.right_again(name))
            judge.reloaded(moment, changed)
            configs.keep(
                self._house.writer.store,
                at=moment,
                sha256=new.sha256,
                by=edit.by,
                how=edit.how,
                changes=changes,
                text=new.text,
            )
            self._elsewhere(old, new, channel, moment)

        await self._house.writer.insist(settle)
        # Nothing is awaited from here on: what runs meets the old config or the new one, whole.
        self._house.config, self._house.judge = effective, judge
        if self._schedule.running:  # a stop may have come while the database was waited for
            self._schedule.update(effective.probes)
        self._use(channel)
        return Loaded(changes, (*waiting, *new.warnings), new.sha256, waits)

    async def channel(self, config: Config) -> tuple[Channel, tuple[str, ...]]:
        """The channel of a config, its token read anew, and what of it waits for a restart. Raises
        ConfigError."""
        try:
            return await in_thread(lambda: self._channels.of(config))
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError([f"slack.token_file: cannot be read: {error}"]) from None

    async def refresh(self, config: Config) -> None:
        """Use the channel of the config in force anew: its token may be another. Raises
        ConfigError."""
        channel, _ = await self.channel(config)
        if channel is not self._sender.channel:
            writer = self._house.writer
            await writer.insist(lambda: writer.outbox.revive(now()))
            self._use(channel)

    def _use(self, channel: Channel) -> None:
        self._sender.switch(channel)
        self.wake()

    def wake(self) -> None:
        """Something may be owed."""
        self._sender.wake()

    def _waiting(self, new: Config) -> list[str]:
        """What of a config only a restart brings into force."""
        wanted: Mapping[str, Any] = dict(new.monitor)
        return [
            f"monitor.{key} is still {str(running)!r}: restart the service to apply the new value"
            for key, running in self._monitor
            if wanted[key] != running
        ]

    def _elsewhere(self, old: Config, new: Config, channel: Channel, moment: float) -> None:
        """What is owed to another channel than before. The caller holds the transaction."""
        if channel is self._sender.channel:
            return
        outbox = self._house.writer.outbox
        outbox.revive(moment)  # what the old one refused
        if channel.name == TERMINAL:
            return
        outbox.owe_elsewhere(TERMINAL, moment)
        if old.slack and new.slack and old.slack.channel != new.slack.channel:
            outbox.move(new.slack.channel, moment)


def changed_rules(old: Config, new: Config) -> frozenset[str]:
    """The triggers that are new or judged otherwise, and the checklist items, by the names of
    their standings."""
    before = dict(old.triggers) | {f"checklist.{n}": item for n, item in old.checklist.items()}
    after = dict(new.triggers) | {f"checklist.{n}": item for n, item in new.checklist.items()}
    return frozenset(
        name
        for name, rule in after.items()
        if before.get(name) is not rule and before.get(name) != rule
    )


def keep_start(store: Store, config: Config, moment: float) -> None:
    """Write down the config of a start, where it is another than the last one in force. The caller
    holds the transaction."""
    changes: Sequence[Change] = ()
    for last in configs.versions(store, 1):
        if last.sha256 == config.sha256:
            return
        with contextlib.suppress(ValueError):  # it was TOML for the program that wrote it down
            changes = differences(tomli.loads(last.text), config.document)
    configs.keep(
        store,
        at=moment,
        sha256=config.sha256,
        by="",
        how="start",
        changes=changes,
        text=config.text,
    )
