"""What people say about triggers: acknowledged, snoozed, and both taken back."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from monitor import report
from monitor.config import Config
from monitor.holding import holding
from monitor.http.control import NotListening, ask
from monitor.judge import Judge
from monitor.lock import Taken, holder, path_for
from monitor.refusal import Refused
from monitor.slack.limits import clean
from monitor.telling import Teller
from storage.store import Store
from storage.types import AlertKind, Standing, now
from triggers import quiet

Verb = Literal["ack", "unack", "snooze", "unsnooze"]
_OWED: dict[Verb, AlertKind] = {"ack": "acknowledges", "unack": "reopens"}


@dataclass(frozen=True, slots=True)
class Word:
    """What somebody says about a trigger: on one target, or on all where it makes sense.

    `until`, seconds since the epoch, is the end of a snooze; `note` is told with what is
    acknowledged.
    """

    verb: Verb
    trigger: str
    target: str | None
    by: str
    note: str = ""
    until: float | None = None

    def as_json(self) -> dict[str, Any]:
        """As it goes over the control socket."""
        return asdict(self)


def word_of(document: Mapping[str, Any]) -> Word:
    """What came over the control socket. Raises Refused for what this version does not know."""
    try:
        word = Word(**document)
    except TypeError as error:
        raise Refused(f"the service does not understand this request: {error}") from None
    if word.verb not in get_args(Verb) or (word.verb == "snooze" and word.until is None):
        raise Refused(f"the service does not understand this request: {word.verb!r}")
    return word


@dataclass(frozen=True, slots=True)
class Heard:
    """A target that something was said about: how the trigger stands there then, and why nothing
    was done, where that is so."""

    standing: Standing
    refused: str = ""


def answer(config: Config, heard: Sequence[Heard], moment: float) -> dict[str, Any]:
    """What was heard, as it goes over the control socket."""
    return {
        "standings": [report.standing(config, one.standing, moment) for one in heard],
        "refused": [one.refused for one in heard],
    }


def say(config: Config, word: Word) -> dict[str, Any]:
    """Have it done by the running service, or do it where none runs; how the trigger stands then:
    `standings`, and as many `refused`, each why nothing was done there, or "".

    Raises Refused, and Taken where somebody has the database who does not listen.
    """
    database = config.monitor.database
    if other := holder(database):
        try:
            found = ask(database, "/trigger", word.as_json())
        except NotListening:
            raise Taken(path_for(database), other.get("pid")) from None
        except PermissionError as error:
            raise Refused(f"the service listens to its own user only: {error}") from None
        rows = found["standings"]
        return {"refused": [""] * len(rows)} | found  # an earlier version tells what it did alone
    if not database.exists():
        raise Refused(f"no database at {database} yet: `qrossover run` makes it")
    moment = now()
    with holding(database, config.path) as writer:
        teller = Judge(config, writer).teller
        heard = writer.once(lambda: heed(teller, writer.store, word, moment))
    return answer(config, heard, moment)


def heed(teller: Teller, store: Store, word: Word, moment: float) -> list[Heard]:
    """Do what is said, inside the caller's transaction; the standings that it is about, as they
    are then. Raises Refused where nothing came of it on any of them; what is acknowledged already
    needs nothing more."""
    known = store.standings_of(word.trigger)
    if teller.subject(word.trigger) is None or not known:
        raise Refused(f"{word.trigger} has not been judged by the service: nothing to {word.verb}")
    chosen = [standing for standing in known if word.target in (None, standing.target)]
    if not chosen:
        targets = ", ".join(clean(standing.target) for standing in known)
        raise Refused(f"{word.trigger} has no target {word.target!r}; it has {targets}")
    heard: list[Heard] = []
    for standing in chosen:
        try:
            heard.append(Heard(_heeded(teller, store, word, standing, moment)))
        except ValueError as error:
            heard.append(Heard(standing, str(error)))
    if not any(_stands(word, one) for one in heard):
        where = f"{word.trigger} on {word.target}" if word.target else word.trigger
        raise Refused(f"{where}: {'; '.join(dict.fromkeys(one.refused for one in heard))}")
    return heard


def _stands(word: Word, one: Heard) -> bool:
    """Whether it is as was asked for, by this word or by an earlier one."""
    known = word.verb == "ack" and one.standing.acknowledged_by is not None
    return not one.refused or known


def _heeded(
    teller: Teller, store: Store, word: Word, standing: Standing, moment: float
) -> Standing:
    after = _CHANGES[word.verb](standing, word, moment)
    about, kind = teller.subject(word.trigger), _OWED.get(word.verb)
    if about is not None and kind is not None:
        rule, said = about
        facts = {"by": word.by, "note": word.note, "since": standing.since}
        explain = said(standing, standing.why).get("explain", "")
        told = {name: value for name, value in (facts | {"explain": explain}).items() if value}
        after = teller.owe(rule, after, kind, told, moment)
    store.put(after)
    return teller.speak(after, moment)


_CHANGES: dict[Verb, Callable[[Standing, Word, float], Standing]] = {
    "ack": lambda standing, word, at: quiet.acknowledge(standing, word.by, at),
    "unack": lambda standing, _, __: quiet.unacknowledge(standing),
    "snooze": lambda standing, word, at: quiet.snooze(standing, word.until or at),
    "unsnooze": lambda standing, _, at: quiet.unsnooze(standing, at),
}
