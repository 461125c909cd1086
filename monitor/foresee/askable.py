"""Which kinds of trigger a threshold can be suggested for; known before anything is loaded."""

from triggers.rule import Rule

REASONS = {
    "fails": 'a run fails or does not: say how many must with `for`, such as for = "3 runs"',
    "all": "it is about other triggers: ask for those",
    "any": "it is about other triggers: ask for those",
    "crosses": "a trend has been judged too few times for a rate: its threshold is a goal",
}


class NoThreshold(ValueError):
    """A kind of trigger, or a history, that no threshold can be suggested for."""


def require(rule: Rule) -> None:
    """Raise NoThreshold for a trigger whose kind has none."""
    if rule.when in REASONS:
        said = f'{rule.name}: when = "{rule.when}" has no threshold: {REASONS[rule.when]}'
        raise NoThreshold(said)
