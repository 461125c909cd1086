"""What a valid config means: its defaults, its paths, and where it is looked for."""

import subprocess
import sys
from pathlib import Path

import pytest

from monitor.config import Config, find, read
from monitor.problems import ConfigError

ROOT = Path(__file__).parents[2]
METER = """
[probe.meter]
kind = "external.command"
argv = ["./meter"]
signals = { "test.meter" = "V" }
every = "15m"
"""
DOTTED = """
probe.meter.kind = "external.command"
probe."meter".argv = ["./meter"]
probe.meter.signals.'test.meter' = "V"
probe.meter.every = "15m"
"""
INLINE = (
    '[probe]\nmeter = { kind = "external.command", argv = ["./meter"], every = "15m", '
    'signals = { "test\\u002emeter" = "V" } } # a remark\n'
)


def parsed(folder: Path, text: str) -> Config:
    file = folder / "config.toml"
    file.write_bytes(text.encode())
    return read(file)


def test_an_empty_file_is_none(tmp_path: Path) -> None:
    for text in ("", " \n"):
        with pytest.raises(ConfigError, match=r"config\.toml is empty$"):
            parsed(tmp_path, text)


def test_a_file_without_tables_is_a_service_that_watches_nothing(tmp_path: Path) -> None:
    config = parsed(tmp_path, "# nothing yet\n")
    assert config.monitor.database == tmp_path / "var/qrossover.db"
    assert config.monitor.http == "127.0.0.1:8577"
    assert config.slack is None
    assert config.slack_token() is None
    assert (config.budget.usd_per_day, config.budget.qpu_seconds_per_28_days) == (0.0, 300.0)
    assert (config.probes, config.triggers, config.checklist) == ({}, {}, {})


def test_the_shipped_config_is_valid() -> None:
    config = read(ROOT / "config.toml")
    assert config.warnings == ()
    assert config.probes
    assert config.triggers
    assert len(config.checklist) == 3


@pytest.mark.parametrize(
    "text",
    [
        DOTTED,
        INLINE,
        METER.replace("\n", "\r\n"),
        "\ufeff" + METER.lstrip(),
    ],
    ids=["dotted keys", "inline tables", "CRLF", "byte order mark"],
)
def test_all_spellings_of_toml_mean_the_same(tmp_path: Path, text: str) -> None:
    entry = parsed(tmp_path, text).probes["meter"]
    assert (entry.kind, entry.every, entry.timeout) == ("external.command", 900.0, 60.0)
    assert [(signal.name, signal.unit) for signal in entry.probe.promises()] == [
        ("test.meter", "V")
    ]


def test_a_timeout_in_the_table_goes_before_the_kinds_own(tmp_path: Path) -> None:
    config = parsed(tmp_path, f"{METER}timeout = '5s'")
    assert config.probes["meter"].timeout == 5.0
    assert "timeout" not in config.probes["meter"].settings


def test_a_trigger_misses_readings_after_some_intervals_of_the_slowest_probe_that_feeds_it(
    tmp_path: Path,
) -> None:
    slow = METER.replace("probe.meter", "probe.slow").replace("15m", "1h")
    rule = "[trigger.high]\nsignal = 'test.meter'\nwhen = 'above'\nthreshold = 1\n"
    assert parsed(tmp_path, METER + slow + rule).triggers["high"].max_age == 3 * 3600.0
    assert parsed(tmp_path, METER + rule + "max_age = '5m'").triggers["high"].max_age == 300.0


def test_a_signal_that_no_probe_of_the_config_writes_is_a_warning(tmp_path: Path) -> None:
    rule = "[trigger.slow]\nsignal = 'gpu.training.step_time'\nwhen = 'above'\nthreshold = 1\n"
    config = parsed(tmp_path, rule)
    assert len(config.warnings) == 1
    assert "trigger.slow" in config.warnings[0]
    assert config.triggers["slow"].max_age is None


# --- paths ---------------------------------------------------------------------------------------


def test_paths_are_relative_to_the_folder_of_the_config(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "etc"
    folder.mkdir()
    (folder / "token").write_text("from-the-file\n")
    text = "[monitor]\ndatabase = 'data/q.db'\n[slack]\nchannel = '#a'\ntoken_file = 'token'\n"
    (folder / "config.toml").write_text(text)
    monkeypatch.chdir(tmp_path)
    config = read(Path("etc/config.toml"))
    assert config.path == folder / "config.toml"
    assert config.monitor.database == folder / "data/q.db"
    assert config.slack_token() == "from-the-file"


def test_paths_may_name_the_home_and_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # systemd names the folder of its credentials so
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "slack").write_text("from-systemd")
    config = parsed(
        tmp_path,
        "[monitor]\ndatabase = '~/q.db'\n"
        "[slack]\nchannel = '#a'\ntoken_file = '$CREDENTIALS_DIRECTORY/slack'\n",
    )
    assert config.monitor.database == tmp_path / "home/q.db"
    assert config.slack_token() == "from-systemd"


def test_the_token_comes_from_the_named_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = parsed(tmp_path, "[slack]\nchannel = '#a'\ntoken_env = 'SOME_TOKEN'\n")
    monkeypatch.delenv("SOME_TOKEN", raising=False)
    assert config.slack_token() is None
    monkeypatch.setenv("SOME_TOKEN", "")
    assert config.slack_token() is None
    monkeypatch.setenv("SOME_TOKEN", "from-the-environment")
    assert config.slack_token() == "from-the-environment"


def test_slack_without_a_way_to_a_token_is_a_warning(tmp_path: Path) -> None:
    (warning,) = parsed(tmp_path, "[slack]\nchannel = '#a'\n").warnings
    assert "token_env" in warning


# --- where it is looked for ----------------------------------------------------------------------


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """A config in every place that is looked at, and this process set so that it looks there."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "user"))
    monkeypatch.setenv("XDG_CONFIG_DIRS", str(tmp_path / "system"))
    monkeypatch.setenv("QROSSOVER_CONFIG", str(tmp_path / "named.toml"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    files = {
        "named": tmp_path / "named.toml",
        "here": tmp_path / "here/config.toml",
        "user": tmp_path / "user/qrossover/config.toml",
        "system": tmp_path / "system/qrossover/config.toml",
    }
    for file in files.values():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    return files


def test_the_nearest_config_is_taken(
    places: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    given = Path("given.toml")
    assert find(given) == Path.cwd() / given
    assert find(None) == places["named"]
    monkeypatch.delenv("QROSSOVER_CONFIG")
    for name in ("here", "user", "system"):
        assert find(None) == places[name]
        places[name].unlink()
    with pytest.raises(ConfigError, match="no config file; looked at") as none:
        find(None)
    assert all(str(places[name]) in str(none.value) for name in ("here", "user", "system"))


def test_a_config_that_is_named_and_missing_is_told_not_replaced(
    places: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    places["named"].unlink()
    with pytest.raises(ConfigError, match=r"named\.toml: cannot be read"):
        read(find(None))


def test_a_place_that_cannot_be_looked_at_has_no_config(
    places: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("QROSSOVER_CONFIG")
    monkeypatch.setenv("XDG_CONFIG_HOME", f"/{'too-long-for-a-file-system' * 20}")
    places["here"].unlink()
    assert find(None) == places["system"]


def test_reading_a_config_loads_no_heavy_library() -> None:
    program = (
        "import sys; from pathlib import Path; from monitor.config import read;"
        f"read(Path({str(ROOT / 'config.toml')!r}));"
        "print(*{'torch', 'qiskit', 'numpy', 'tree_sitter', 'slack_sdk'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []
