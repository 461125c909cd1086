"""What is told of a change: standings are stored, and alerts owed for what is not kept quiet."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import uuid4

from monitor import rebased
from monitor.config import Config
from monitor.writer import Writer
from storage.types import Alert, AlertKind, Standing
from triggers.change import Change
from triggers.quiet import reminder_due, spoken
from triggers.rule import Rule

Said = Callable[[Standing, str], dict[str, Any]]
"""The facts of a message about a standing, with the reason for it."""
Subject = Callable[[str], tuple[Rule, Said] | None]
"""A trigger or checklist item by its name; None where the config has none."""
DEFAULT_REMINDER = 86400.0


class Teller:
    """Whoever changes a standing hands it over here. The caller holds the transaction."""

    def __init__(
        self, config: Config, writer: Writer, subject: Subject, around: Callable[[Rule], float]
    ) -> None:
        """`around` gives the seconds within which every target of a rule is read again."""
        self._writer = writer
        self.subject = subject
        self._around = around
        self._remind_every = config.slack.remind_every if config.slack else DEFAULT_REMINDER

    def settle(
        self,
        rule: Rule,
        before: Standing,
        outcome: tuple[Standing, tuple[Change, ...]],
        said: Said,
        now: float,
    ) -> Standing:
        """Store where a rule stands now, and owe what is to be told of that. `outcome` is what the
        state machine made of the standing before."""
        after, changes = outcome
        is_late = before.told is not None and before.alert is None
        for change in spoken(rule, before, after, changes, now):
            if change.kind == "rebases":
                outbox, wait = self._writer.outbox, self._around(rule)
                rebased.tell(outbox, rule, after, change.why, wait=wait, now=now)
                continue
            # a level that is kept was made when the condition began
            began = before.since if before.state == "pending" else after.since
            facts = said(replace(_against(rule, before, after, change), since=began), change.why)
            if change.kind == "resolves":
                facts |= {"since": before.since, "until": now}
            elif before.state == "pending":
                facts["since"] = before.since  # when the condition began
            elif is_late and after.told == before.told:
                facts["since"] = after.since
            after = self.owe(rule, after, change.kind, facts, now)
        if after != before:
            self._writer.store.put(after)
        return after

    def owe(
        self, rule: Rule, standing: Standing, kind: AlertKind, facts: dict[str, Any], now: float
    ) -> Standing:
        """Owe one message; the standing that knows of it."""
        opens = kind in ("fires", "no-data")
        number = self._writer.outbox.owe(
            Alert(
                key=uuid4().hex,
                kind=kind,
                trigger=standing.trigger,
                target=standing.target,
                severity=rule.severity,
                created=now,
                facts=facts,
                parent=None if opens else standing.alert,
            )
        )
        if opens:
            return replace(standing, alert=number, reminded=now)
        if kind == "resolves":
            return replace(standing, alert=None, reminded=None)
        return replace(standing, reminded=now)

    def catch_up(self, now: float) -> None:
        """Tell what was kept quiet and no longer is: a snooze has ended, or notify is on."""
        for standing in self._writer.store.unsaid():
            self.speak(standing, now)

    def speak(self, standing: Standing, now: float) -> Standing:
        """Tell what is the matter where it may be told and has not been."""
        found = self.subject(standing.trigger)
        if found is None:
            return standing
        rule, said = found
        return self.settle(rule, standing, (standing, ()), said, now)

    def remind(self, now: float) -> None:
        """Say again what keeps firing."""
        for standing in self._writer.store.firing():
            found = self.subject(standing.trigger)
            if found is None:
                continue
            rule, said = found
            if reminder_due(rule, standing, self._remind_every, now):
                facts = said(standing, standing.why) | {"since": standing.since}
                self._writer.store.put(self.owe(rule, standing, "reminds", facts, now))

    def close(self, standing: Standing, why: str, now: float) -> None:
        """Drop a standing that nothing will judge any more, and close its alert."""
        if standing.alert is not None:
            facts = {"why": why, "since": standing.since, "until": now}
            self._writer.outbox.owe(
                Alert(
                    key=uuid4().hex,
                    kind="resolves",
                    trigger=standing.trigger,
                    target=standing.target,
                    severity="info",
                    created=now,
                    facts=facts,
                    parent=standing.alert,
                )
            )
        self._writer.store.drop(standing.trigger, standing.target)


def _against(rule: Rule, before: Standing, after: Standing, change: Change) -> Standing:
    """A standing with what its change is told against: what resolves was held against the level
    that it has let go of, and not against the one that its own readings have made since."""
    if change.kind != "resolves" or before.baseline is None or rule.baseline.peers:
        return after
    return replace(
        after,
        threshold=before.threshold,
        baseline=before.baseline,
        spread=before.spread,
        told=before.told,
        alert=before.alert,  # which tells when the condition began
    )
