"""A config is read by many: a literal that looks like a secret is refused, and never repeated."""

from pathlib import Path

import pytest

from monitor.config import read
from monitor.problems import ConfigError, redacted

SECRETS = {
    "Slack's bot": "xoxb-1234567890-abcdefSECRET",
    "Slack's rotated": "xoxe.xoxp-1-abcdefSECRET",
    "Slack's app": "xapp-1-A0123-SECRET",
    "Slack's hook": "https://hooks.slack.com/services/T000/B000/SECRET",
    "AWS": "AKIAIOSFODNN7EXAMPLE",
    "GitHub": "ghp_0123456789abcdefghijSECRET",
    "JWT": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.SECRET",
    "PEM": "-----BEGIN PRIVATE KEY-----\\nSECRET",
}
PLACES = {
    "a known key": "[slack]\nchannel = '#a'\nremind_every = \"{}\"\n",
    "an unknown key": '[slack]\nchannel = "#a"\ntoken = "{}"\n',
    "where a name is asked for": '[slack]\nchannel = "#a"\ntoken_env = "{}"\n',
    "a command": "[probe.x]\nkind = 'external.command'\nevery = '1h'\nsignals = {{ a = '1' }}\n"
    'argv = ["curl", "-H", "Authorization: Bearer {}"]\n',
    "inside what should be a table": 'probe = [{{ a = "{}" }}]\n',
    "inside a value of the wrong kind": '[budget]\nusd_per_day = ["{}"]\n',
    "an unknown section": '[provider]\ntoken = "{}"\n',
    "the name of a key": '[slack]\nchannel = "#a"\n"{}" = 1\n',
    "the name of a probe": '[probe."{}"]\nkind = "external.command"\n',
}


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
def test_a_secret_is_refused_wherever_it_stands(tmp_path: Path, secret: str, place: str) -> None:
    file = tmp_path / "config.toml"
    file.write_text(place.format(secret))
    with pytest.raises(ConfigError) as wrong:
        read(file)
    assert "looks like a secret" in str(wrong.value)
    assert "SECRET" not in str(wrong.value)
    assert "EXAMPLE" not in str(wrong.value)


def test_a_secret_that_breaks_the_syntax_is_not_repeated(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("[xoxb-1-SECRET]\n[xoxb-1-SECRET]\n")
    with pytest.raises(ConfigError, match="twice") as wrong:
        read(file)
    assert "SECRET" not in str(wrong.value)


def test_what_only_resembles_a_secret_is_let_through(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("[slack]\nchannel = '#boxoxb-talk'\ntoken_env = 'SLACK_XOXB_TOKEN'\n")
    assert read(file).slack is not None
    for text in ("eyJust.a.word", "AKIA, the place", "a ghp_ prefix", "hooks.slack.com"):
        assert redacted(text) == text
