"""Which triggers can be judged on the past, and for which a threshold can be suggested; known
before anything is loaded."""

from triggers.rule import Rule

REASONS = {
    "shifts": "its threshold is in sigmas: docs/detectors.md says how often each fires",
    "fails": 'a run fails or does not: say how many must with `for`, such as for = "3 runs"',
    "all": "it is about other triggers: ask for those",
    "any": "it is about other triggers: ask for those",
    "crosses": "a trend has been judged too few times for a rate: its threshold is a goal",
}


class NoThreshold(ValueError):
    """A kind of trigger, or a history, that no threshold can be suggested for."""


class NoPast(ValueError):
    """A trigger that the stored readings do not say enough about."""


def require_past(*rules: Rule) -> None:
    """Raise NoPast for a trigger that is judged on what is not stored with its readings."""
    for rule in rules:
        if rule.baseline.peers:
            raise NoPast(
                f'{rule.name}: baseline = "peers" cannot be judged on the past: which devices '
                "were a reading's peers then is not stored"
            )


def require(rule: Rule) -> None:
    """Raise NoThreshold for a trigger whose kind has none, NoPast as `require_past`."""
    require_past(rule)
    if rule.when in REASONS:
        said = f'{rule.name}: none is suggested for when = "{rule.when}": {REASONS[rule.when]}'
        raise NoThreshold(said)
