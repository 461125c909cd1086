"""Acknowledged, snoozed and never told: on a real database, with time in the test's hand."""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from judging import Bench

from monitor import who
from monitor.attention import Verb, Word, heed, word_of
from monitor.refusal import Refused
from monitor.slack.message import render, render_original, render_plain
from storage.types import Standing

HIGH = '[trigger.high]\nsignal = "test.meter"\nwhen = "above"\nthreshold = 10\n'
SLACK = '[slack]\nchannel = "#x"\nremind_every = "2h"\n'
ANY = '[trigger.both]\nwhen = "any"\nof = ["high"]\n'
HOUR = 3600.0


class Desk(Bench):
    """A bench at which somebody sits."""

    def say(self, verb: Verb, name: str = "high", **more: Any) -> list[Standing]:
        word = Word(verb, name, **({"target": None, "by": "ada"} | more))
        heard = self.writer.once(lambda: heed(self.judge.teller, self.writer.store, word, self.now))
        self.refused = [one.refused for one in heard]
        return [one.standing for one in heard]

    def snooze(self, seconds: float, **more: Any) -> list[Standing]:
        return self.say("snooze", until=self.now + seconds, **more)

    def kinds(self, name: str = "high") -> list[str]:
        return [kind for kind, trigger, _ in self.told() if trigger == name]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    made.writer.close()


# --- never told --------------------------------------------------------------------------------


def test_a_trigger_that_never_notifies_is_judged_and_its_composite_is_told(desk: Desk) -> None:
    desk.configure(HIGH + "notify = false\n" + ANY + SLACK)
    desk.read(11.0)
    desk.wait(3 * HOUR)
    assert desk.states()["high", "bench"] == "firing"
    assert desk.kinds() == []
    assert desk.kinds("both") == ["fires", "reminds"]
    desk.read(9.0)
    assert desk.kinds() == []
    assert desk.kinds("both")[-1] == "resolves"


def test_what_fires_is_told_when_notify_is_switched_on(desk: Desk) -> None:
    desk.configure(HIGH + "notify = false\n")
    desk.read(11.0)
    began = desk.now
    desk.read(12.0)
    desk.configure(HIGH)
    desk.start()
    [facts] = desk.facts()
    assert (facts["since"], facts["value"]) == (began, 12.0)
    assert facts["why"].startswith("12 is above 10; it has been so before")
    desk.start()
    desk.wait(120)
    assert desk.kinds() == ["fires"]
    desk.read(9.0)
    assert desk.kinds() == ["fires", "resolves"]


def test_an_open_alert_is_closed_though_notify_was_switched_off(desk: Desk) -> None:
    desk.configure(HIGH + SLACK)
    desk.read(11.0)
    desk.configure(HIGH + "notify = false\n" + SLACK)
    desk.start()
    desk.wait(3 * HOUR)
    assert desk.kinds() == ["fires"]
    desk.read(9.0)
    assert desk.kinds() == ["fires", "resolves"]


# --- snoozed -----------------------------------------------------------------------------------


def test_what_still_fires_at_the_end_of_a_snooze_is_told_once(desk: Desk) -> None:
    desk.configure(HIGH + 'max_age = "1d"\n' + SLACK)
    desk.read(9.0)
    desk.snooze(4 * HOUR)
    desk.read(11.0)
    began = desk.now
    desk.wait(3.5 * HOUR)
    assert desk.states()["high", "bench"] == "firing"
    assert desk.told() == []
    desk.wait(0.5 * HOUR)
    assert desk.kinds() == ["fires"]
    assert desk.facts()[0]["since"] == began
    desk.wait(HOUR)
    assert desk.kinds() == ["fires"]


def test_what_ended_during_a_snooze_is_never_told(desk: Desk) -> None:
    desk.configure(HIGH)
    desk.read(9.0)
    desk.snooze(HOUR)
    desk.read(11.0)
    desk.read(9.0)
    desk.wait(2 * HOUR)
    assert desk.told() == []


def test_an_alert_that_was_open_when_it_was_snoozed_is_not_reminded_and_still_closed(
    desk: Desk,
) -> None:
    desk.configure(HIGH + SLACK)
    desk.read(11.0)
    desk.snooze(24 * HOUR)
    desk.wait(5 * HOUR)
    assert desk.kinds() == ["fires"]
    desk.read(9.0)
    assert desk.kinds() == ["fires", "resolves"]
    desk.read(11.0)
    assert desk.kinds() == ["fires", "resolves"]


def test_missing_readings_are_not_told_while_snoozed(desk: Desk) -> None:
    desk.configure(HIGH + 'no_data = "alert"\nmax_age = "1h"\n')
    desk.read(9.0)
    desk.snooze(3 * HOUR)
    desk.wait(2 * HOUR)
    assert desk.told() == []
    desk.wait(HOUR + 60)
    assert desk.kinds() == ["no-data"]
    desk.read(9.0)
    assert desk.kinds() == ["no-data", "resolves"]


def test_a_snooze_is_of_one_target_where_one_is_named(desk: Desk) -> None:
    desk.configure(HIGH)
    desk.read(9.0, "one")
    desk.read(9.0, "other")
    assert [s.target for s in desk.snooze(24 * HOUR, target="one")] == ["one"]
    desk.read(11.0, "one")
    desk.read(11.0, "other")
    assert desk.told() == [("fires", "high", "other")]


def test_a_snooze_can_be_ended(desk: Desk) -> None:
    desk.configure(HIGH)
    desk.read(9.0)
    desk.snooze(24 * HOUR)
    desk.read(11.0)
    desk.say("unsnooze")
    assert desk.kinds() == ["fires"]
    desk.wait(120)
    assert desk.kinds() == ["fires"]


def test_a_snooze_goes_along_to_the_target_that_comes(desk: Desk) -> None:
    desk.configure(HIGH + ANY)
    desk.wait(60)
    desk.snooze(24 * HOUR)
    desk.snooze(24 * HOUR, name="both")
    desk.read(11.0)
    assert desk.states()["both", "bench"] == "firing"
    assert desk.told() == []


def test_snooze_and_acknowledgement_survive_a_kill_and_an_edit(desk: Desk) -> None:
    desk.configure(HIGH + SLACK)
    desk.read(11.0, "known")
    desk.read(9.0, "still")
    desk.say("ack", target="known")
    desk.snooze(6 * HOUR, target="still")
    desk.restart()
    desk.configure(HIGH.replace("10", "10.5") + SLACK)
    desk.start()
    desk.read(11.0, "still")
    desk.wait(5 * HOUR)
    assert desk.told() == [("fires", "high", "known"), ("acknowledges", "high", "known")]
    desk.wait(HOUR)
    assert desk.told()[2:] == [("fires", "high", "still")]


# --- acknowledged ------------------------------------------------------------------------------


def test_an_acknowledged_alert_is_not_reminded_and_a_new_one_is(desk: Desk) -> None:
    desk.configure(HIGH + SLACK)
    desk.read(11.0)
    [known] = desk.say("ack", note="on it")
    assert (known.acknowledged_by, known.acknowledged_at) == ("ada", desk.now)
    desk.wait(5 * HOUR)
    desk.read(9.0)
    assert desk.kinds() == ["fires", "acknowledges", "resolves"]
    desk.read(11.0)
    desk.wait(2 * HOUR)
    assert desk.kinds()[3:] == ["fires", "reminds"]


def test_an_acknowledgement_can_be_taken_back(desk: Desk) -> None:
    desk.configure(HIGH + SLACK)
    desk.read(11.0)
    desk.say("ack")
    desk.say("unack", by="grace")
    desk.wait(2 * HOUR)
    assert desk.kinds() == ["fires", "acknowledges", "reopens", "reminds"]


def test_all_answers_are_in_the_thread_of_the_alert(desk: Desk) -> None:
    desk.configure(HIGH)
    desk.read(11.0)
    for verb in ("ack", "unack"):
        desk.say(verb)
    desk.read(9.0)
    assert [alert.parent for alert in desk.alerts()] == [None, 1, 1, 1]


def test_a_question_ignores_both_and_can_be_acknowledged_itself(desk: Desk) -> None:
    question = '[checklist.q]\nquestion = "Loud?"\nrequires = ["high"]\n'
    desk.configure(HIGH + question + SLACK)
    desk.read(9.0)
    desk.snooze(24 * HOUR)
    desk.read(11.0)
    assert desk.told() == [("fires", "checklist.q", "*")]
    desk.say("ack", "checklist.q")
    desk.wait(3 * HOUR)
    assert desk.kinds("checklist.q") == ["fires", "acknowledges"]


@pytest.mark.parametrize(
    ("verb", "more", "why"),
    [
        ("ack", {}, "high: there is nothing to acknowledge: nothing is the matter"),
        ("unack", {}, "high: it is not acknowledged"),
        ("unsnooze", {"target": "bench"}, "high on bench: it is not snoozed"),
        ("ack", {"target": "x"}, "high has no target 'x'; it has bench"),
        ("ack", {"name": "gone"}, "gone has not been judged by the service: nothing to ack"),
        ("snooze", {"name": "new", "until": 1.0}, "new has not been judged"),
    ],
)
def test_what_makes_no_sense_is_refused(
    desk: Desk, verb: Verb, more: dict[str, Any], why: str
) -> None:
    desk.configure(HIGH + HIGH.replace("high", "new").replace("test.meter", "gpu.gemm.throughput"))
    desk.read(9.0)
    with pytest.raises(Refused, match=why):
        desk.say(verb, **more)
    assert desk.told() == []


def test_what_is_quiet_has_nothing_to_acknowledge_yet(desk: Desk) -> None:
    desk.configure(HIGH + "notify = false\n")
    desk.read(11.0)
    with pytest.raises(Refused, match="nothing has been said yet"):
        desk.say("ack")


def test_who_has_acknowledged_it_already_is_told_so(desk: Desk) -> None:
    desk.configure(HIGH)
    desk.read(11.0)
    desk.say("ack")
    desk.say("ack")
    assert desk.refused == ["it is acknowledged by ada already"]
    desk.say("ack", by="grace")
    assert desk.kinds() == ["fires", "acknowledges", "acknowledges"]


def test_a_word_goes_over_the_socket_whole() -> None:
    word = Word("snooze", "high", "bench", "ada", until=5.0)
    assert word_of(word.as_json()) == word
    for wrong in (
        {"verb": "ack"},
        word.as_json() | {"verb": "x"},
        word.as_json() | {"until": None},
    ):
        with pytest.raises(Refused, match="does not understand"):
            word_of(wrong)


def test_the_one_behind_sudo_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SUDO_USER", raising=False)
    assert who.name()
    monkeypatch.setenv("SUDO_USER", "ada")
    assert who.name() == "ada"
    assert who.user() == f"ada@{socket.gethostname()}"


# --- what is read ------------------------------------------------------------------------------


def test_an_acknowledgement_reads_well_and_shows_on_the_first_message(desk: Desk) -> None:
    desk.configure(HIGH)
    desk.read(11.0)
    desk.say("ack", note="The meter is being repaired.")
    desk.say("unack")
    first, known, again = desk.alerts()
    assert render_plain(known).splitlines() == [
        "👀 acknowledged: high on bench: by ada, no reminders until it resolves",
        "  Target:     bench",
        "  Since:      2027-01-15 08:15 UTC",
        "  Note:       The meter is being repaired.",
        "  $ qrossover trigger explain high --target bench",
    ]
    assert render_plain(again).splitlines()[0] == (
        "🟠 no longer acknowledged: high on bench: by ada, reminders come again"
    )
    updated = render_original(first, known)
    assert "acknowledged by ada, 2027-01-15 08:15 UTC" in updated.text
    assert "acknowledged by ada" in str(updated.blocks)
    assert render_original(first, again) == render(first)
