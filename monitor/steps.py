"""The steps of a judgement in words, in the order in which they were asked, and which decided."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from monitor import trend
from monitor.baseline import Baseline, moved
from monitor.facts import threshold_text
from monitor.text import moment, number
from storage.types import Series, Standing, State
from triggers.baseline import facts
from triggers.check import Verdict, lookback
from triggers.composite import EVERYWHERE, Member
from triggers.quantity import say_duration
from triggers.quiet import is_quiet, is_snoozed
from triggers.rule import KEYED, Rule

NEXT: dict[State, str] = {
    "inactive": "will be inactive",
    "pending": "will be pending",
    "firing": "will fire",
    "no-data": "will be without data",
}
"""What the next judgement makes of a trigger that stands elsewhere."""
NO_PEERS = "none of this kind and setup on this host that was read lately"


@dataclass(frozen=True, slots=True)
class Step:
    """What was asked and answered. `decided`: nothing after it mattered."""

    text: str
    decided: bool = False


# --- readings --------------------------------------------------------------------------------


def of_series(
    rule: Rule, standing: Standing, seen: Series, verdict: Verdict, baseline: Baseline | None
) -> list[Step]:
    """How a rule on one series was judged."""
    steps = [Step(_readings(rule, seen))]
    if rule.max_age is not None and seen.readings:
        steps.append(
            Step(f"readings count as missing when older than {say_duration(rule.max_age)}")
        )
    if rule.when in KEYED:
        steps += map(Step, _against(rule, seen, verdict, baseline))
    if verdict.holds is None:
        return [*steps, Step(f"nothing can be said: {verdict.why}", decided=True)]
    one_is_enough = rule.hold.of == 1 and not rule.hold.seconds
    ends_here = standing.state != "firing" and (not verdict.holds or one_is_enough)
    said = f"condition ({threshold_text(rule, standing)}): {verdict.why}"
    fires_on = standing.state == "firing" and verdict.holds
    steps.append(Step(said, decided=ends_here or fires_on))
    steps.append(Step(_hold(rule, verdict), decided=not ends_here and standing.state != "firing"))
    if standing.state == "firing" and not verdict.holds:
        steps += _ending(rule, standing, verdict)
    return steps


def _readings(rule: Rule, seen: Series) -> str:
    refused = [r.origin for r in seen.readings if r.origin not in rule.accept]
    judged = rule.when in ("fails", "stale")
    seconds, count = lookback(rule)
    reach = f"at least {count}" + (f" and {say_duration(seconds)} back" if seconds else "")
    found = len(seen.readings)
    text = f"{found} reading{'s' * (found != 1)} looked at ({reach})"
    if refused and not judged:
        text += f", {len(refused)} not accepted: {', '.join(sorted(set(refused)))}"
    return text


def _against(
    rule: Rule, seen: Series, verdict: Verdict, baseline: Baseline | None
) -> Iterator[str]:
    """What the last reading is held against, and what that was made with."""
    if rule.baseline.peers:
        values = (f"{peer.target} {number(peer.value, seen.unit)}" for peer in seen.peers)
        yield f"peers: {', '.join(values) or NO_PEERS}"
    elif change := moved(rule, seen):
        yield f"setup changed at {moment(change.reading.at)}: {change.what}"
    yield _baseline(verdict, baseline)
    if baseline and baseline.setup:
        made = (f"{key.replace('_', ' ')} {value}" for key, value in facts(baseline.setup).items())
        yield f"its setup: {', '.join(made)}"


def _baseline(verdict: Verdict, baseline: Baseline | None) -> str:
    if baseline is None:
        return "no baseline yet"
    if baseline.since is None and not baseline.kept and baseline.readings is not None:
        return f"baseline {number(baseline.level, verdict.unit)} (their median)"
    how = "median"
    if baseline.readings is not None and baseline.since is not None and baseline.until is not None:
        span = f"from {moment(baseline.since)} to {moment(baseline.until)}"
        how += f" of {baseline.readings} readings {span}"
    elif baseline.kept:
        how += " of readings that the history does not hold any more"
    kept = ", kept from when the condition began" if baseline.kept else ""
    spread = f", 1 σ = {number(baseline.spread, verdict.unit)}" if baseline.spread else ""
    return f"baseline {number(baseline.level, verdict.unit)}{spread} ({how}{kept})"


def _hold(rule: Rule, verdict: Verdict) -> str:
    if not verdict.holds:
        return f"for = {rule.hold}: not asked, since the last reading is not beyond"
    return f"for = {rule.hold}: {'met' if verdict.sustained else 'not met yet'}"


def _ending(rule: Rule, standing: Standing, verdict: Verdict) -> list[Step]:
    """What a trigger that fires asks of a reading that does not hold."""
    if not verdict.clears:
        past = "" if rule.clear is None else f"clear = {rule.clear}: "
        return [Step(f"{past}not back far or long enough: it keeps firing", decided=True)]
    steps = (
        [] if rule.clear is None else [f"clear = {rule.clear}: the last reading is back past it"]
    )
    if not rule.keep_firing_for:
        return [Step(text) for text in steps] + [Step("it clears: it resolves", decided=True)]
    last = standing.last_true if standing.last_true is not None else standing.since
    quiet = (verdict.at if verdict.at is not None else last) - last
    so_far = f"{say_duration(max(quiet, 0.0))} since the last that held"
    kept = "it keeps firing" if quiet < rule.keep_firing_for else "it resolves"
    steps.append(f"keep_firing_for = {say_duration(rule.keep_firing_for)}: {so_far}, {kept}")
    return [*(Step(text) for text in steps[:-1]), Step(steps[-1], decided=True)]


# --- trends ----------------------------------------------------------------------------------


def of_trend(rule: Rule, seen: Series, verdict: Verdict, now: float) -> list[Step]:
    """How a rule that crosses was judged."""
    asked = [Step(text) for text in trend.steps(rule, seen, now)]
    return [*asked, Step(verdict.why, decided=True)]


def _unit_only(unit: str) -> Standing:
    return Standing("", "", "inactive", 0.0, 0.0, unit=unit)


# --- composites ------------------------------------------------------------------------------


def of_composite(
    rule: Rule,
    target: str,
    members: Sequence[tuple[Member, Standing | None]],
    verdict: Verdict,
) -> list[Step]:
    """How a composite was judged."""
    if rule.when == "any":
        where = "asked on each target that a member stands on"
    elif target == EVERYWHERE:
        where = "its members share no target: each may fire on its own"
    else:
        where = "asked on each target that all members stand on"
    steps = [Step(f"{threshold_text(rule, _unit_only(''))}: {where}")]
    alone = rule.when == "any"
    decisive = [m for m, _ in members if verdict.holds is not None and m.holds is alone]
    for member, standing in members:
        since = f"{standing.state} since {moment(standing.since)}: " if standing else ""
        told = Step(f"{member.label}: {since}{member.why}")
        steps.append(Step(told.text, decided=bool(decisive) and member is decisive[0]))
    fire = sum(member.holds is True for member, _ in members)
    word = {True: "holds", False: "does not hold", None: "cannot be told"}[verdict.holds]
    needs = "one is enough" if alone else "all must"
    said = f"{fire} of {len(members)} fire, {needs}: {word}"
    return [*steps, Step(said, decided=not decisive)]


# --- the end ---------------------------------------------------------------------------------


def at_the_end(
    rule: Rule, standing: Standing, after: Standing, now: float, *, judged: bool
) -> list[Step]:
    """Where it stands, what will move it, and why nothing is said of it where that is so. `after`:
    where the next judgement puts it."""
    texts = [_state(rule, standing, after.state, judged=judged), *_silence(rule, standing, now)]
    return [Step(text) for text in texts]


def _state(rule: Rule, standing: Standing, after: State, *, judged: bool) -> str:
    stands = f"stands at {standing.state}" if judged else "not judged yet"
    if after != standing.state:
        # the file, or the time, is ahead of the last judgement
        resolves = standing.state == "firing"
        then = "will resolve" if resolves else NEXT[after]
        return f"{stands}; {then} at the next reading or restart"
    return f"{stands}; {_ways(rule)[standing.state]}"


def _ways(rule: Rule) -> dict[State, str]:
    kept = (
        f", {say_duration(rule.keep_firing_for)} after the last that held"
        if rule.keep_firing_for
        else ""
    )
    if rule.of:
        one, every = ("one of its members", "none of its members")
        fires, clears = (one, every) if rule.when == "any" else ("every member", "not every member")
        return {
            "inactive": f"fires when {fires} fires",
            "pending": f"fires when {fires} fires",
            "firing": f"resolves when {clears} fires{kept}",
            "no-data": "waits for its members",
        }
    if rule.when == "crosses":
        return {
            "inactive": "fires when the line crosses in time",
            "pending": "fires when the line crosses in time",
            "firing": f"resolves when the line crosses too late{kept}",
            "no-data": "waits for readings",
        }
    return {
        "inactive": "fires when the condition has held for long enough",
        "pending": f"fires when the condition has held for {rule.hold}",
        "firing": f"resolves on a reading that clears it{kept}",
        "no-data": "waits for readings",
    }


def _silence(rule: Rule, standing: Standing, now: float) -> list[str]:
    texts = []
    if not rule.notify:
        texts.append("nothing is said of it: notify = false")
    if is_snoozed(standing, now):
        texts.append(
            f"nothing new is said of it before {moment(standing.snoozed_until or now)}: snoozed"
        )
    if standing.acknowledged_by is not None:
        at = standing.acknowledged_at
        when = "" if at is None else f" at {moment(at)}"
        texts.append(
            f"not said again until it resolves: acknowledged by {standing.acknowledged_by}{when}"
        )
    if standing.told is not None and standing.alert is None and not is_quiet(rule, standing, now):
        texts.append("it was kept quiet until now: it will be told at the next judgement")
    return texts
