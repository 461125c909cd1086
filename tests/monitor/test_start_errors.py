"""What hinders a start is said in one line with the key of the config; what is somebody's stays."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from living import Living, eventually

from monitor.http.control import ask, ask_health, ask_reload, make_control, path_for, unix_socket
from monitor.http.server import Server, listen, make
from monitor.problems import ConfigError
from monitor.refusal import Refused
from monitor.reload.loaded import Edit, Loaded
from monitor.writer import TEXT_BYTES, Writer, unwritable

SILENT = ["the service does not answer"]
ASKS = """
import os, sys
from pathlib import Path
from monitor.http.control import ask_health

if os.getuid() == 0:  # root may connect to everything
    os.setgid(65534)
    os.setuid(65534)
print(list(ask_health(Path(sys.argv[1])).faults))
"""


@pytest.fixture
def taken() -> Iterator[str]:
    """An address that another program serves."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield f"127.0.0.1:{other.getsockname()[1]}"


def test_a_database_that_cannot_be_is_said_with_its_key(tmp_path: Path) -> None:
    living = Living(tmp_path)
    living.config.write_text(living.config.read_text().replace("var/test.db", "/proc/x/q.db"))
    done = living.command("run")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("[monitor] database: /proc/x/q.db cannot be written (")
    assert "Traceback" not in done.stderr


# --- text is never ours --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [b"[probe.meter]\n", "größer\n".encode() * 2000, b"x" + "é".encode() * TEXT_BYTES],
    ids=["short", "long", "cut within a character"],
)
def test_a_text_file_is_left_alone(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(text)
    said = f"{path} is a text file, not a database: name another file in [monitor] database"
    with pytest.raises(Refused) as refused:
        Writer(path)
    assert str(refused.value) == said
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("notes.txt", text)]


@pytest.mark.parametrize(
    "damage",
    [b"\xff" * 100, b"text\0and more", b"\0" * 8192, b"cut off at its end \xc3"],
    ids=["no UTF-8", "NUL", "zeros", "half a character at the end"],
)
def test_what_is_no_text_is_a_damaged_database(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "q.db"
    path.write_bytes(damage)
    writer = Writer(path)
    writer.close()
    assert "was damaged" in writer.rescued
    assert [file.read_bytes() for file in tmp_path.glob("q.db.broken-*")] == [damage]


@pytest.mark.parametrize("command", ["run", "once"])
def test_the_config_named_as_the_database_stays(tmp_path: Path, command: str) -> None:
    living = Living(tmp_path)
    text = living.config.read_text().replace("var/test.db", "config.toml")
    living.config.write_text(text)
    done = living.command(command)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        f"{living.config} is a text file, not a database: name another file in [monitor] database"
    )
    assert "Traceback" not in done.stderr
    assert living.config.read_text() == text
    assert not list(tmp_path.glob("*.broken-*"))


# --- a way out -----------------------------------------------------------------------------------


def test_an_address_in_use_is_said_with_its_key(taken: str) -> None:
    with pytest.raises(Refused) as refused:
        listen(taken)
    assert str(refused.value) == (
        f"[monitor] http: {taken} cannot be served (Address already in use): "
        'name another port, or ""'
    )


def test_an_address_of_another_host_is_said_with_its_key() -> None:
    with pytest.raises(Refused, match=r"http: 192\.0\.2\.1:0 cannot be served \(Cannot assign"):
        listen("192.0.2.1:0")


def test_a_service_whose_address_is_in_use_ends_with_one_line(tmp_path: Path, taken: str) -> None:
    living = Living(tmp_path)
    living.config.write_text(living.config.read_text().replace("127.0.0.1:0", taken))
    done = living.command("run")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(f"[monitor] http: {taken} cannot be served")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("place", "why"),
    [("/proc/x/q.db", "No such file or directory"), ("folder", "unable to open database file")],
)
def test_a_place_that_takes_no_database_is_said_with_its_key(
    tmp_path: Path, place: str, why: str
) -> None:
    (tmp_path / "folder").mkdir()
    path = tmp_path / place
    with pytest.raises(Refused) as refused:
        Writer(path)
    assert str(refused.value) == (
        f"[monitor] database: {path} cannot be written ({why}): "
        "put that right, or name another file"
    )


def test_an_error_without_words_of_the_system_is_said_as_it_is() -> None:
    assert "(no room)" in str(unwritable(Path("q.db"), OSError("no room")))


# --- how a service is ----------------------------------------------------------------------------


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[tuple[Path, list[str]]]:
    """A database whose control socket is served, and the faults that it tells."""
    database, faults = tmp_path / "q.db", ["it is too loud"]

    async def run_probes(_: object) -> list[int]:
        return []

    async def load(edit: Edit) -> Loaded:
        raise ConfigError([f"it is {edit.by}'s"])

    async def refuse(*_: object) -> Any:
        raise Refused("not now")

    app = make_control(
        run_probes=run_probes,
        backfill=refuse,
        attend=refuse,
        cancel=refuse,
        load=load,
        faults=lambda: faults,
    )
    control: Server = make(app)
    listening = unix_socket(database)
    thread = threading.Thread(target=control.run, args=([listening],))
    thread.start()
    yield database, faults
    control.should_exit = True
    thread.join()
    listening.close()


def test_what_the_service_refuses_or_does_not_know_is_told(
    serving: tuple[Path, list[str]],
) -> None:
    with pytest.raises(Refused, match="not now"):
        ask(serving[0], "/trigger", {})
    with pytest.raises(Refused, match="the service answered 404 to /later: see its log"):
        ask(serving[0], "/later", {})


def test_an_edit_that_the_service_refuses_comes_with_its_faults(
    serving: tuple[Path, list[str]],
) -> None:
    with pytest.raises(ConfigError, match="it is ann's"):
        ask_reload(serving[0], by="ann")


def test_a_service_tells_its_faults(serving: tuple[Path, list[str]]) -> None:
    database, faults = serving
    assert ask_health(database).faults == ("it is too loud",)
    faults.clear()
    assert ask_health(database).faults == ()


def test_another_user_is_not_told_that_the_service_is_sick(
    serving: tuple[Path, list[str]],
) -> None:
    database, _ = serving
    path_for(database).chmod(0)
    done = subprocess.run(
        [sys.executable, "-c", ASKS, str(database)], capture_output=True, text=True, check=False
    )
    assert done.stdout == "['not known: the service tells it to its own user only']\n", done.stderr


def test_nobody_there_does_not_answer(tmp_path: Path) -> None:
    database = tmp_path / "q.db"
    assert list(ask_health(database).faults) == SILENT
    unix_socket(database).close()
    assert list(ask_health(database).faults) == SILENT


def test_who_takes_the_question_and_says_nothing_does_not_answer(tmp_path: Path) -> None:
    with unix_socket(tmp_path / "q.db"):
        assert list(ask_health(tmp_path / "q.db").faults) == SILENT


def test_status_says_how_the_service_is(tmp_path: Path) -> None:
    living = Living(tmp_path)
    with living.running() as service:
        eventually(lambda: living.about().get("http"), "the service to serve")
        eventually(living.runs, "a database")
        assert living.json("status")["health"] == []
        shown = living.command("status").stdout.splitlines()
        assert ["health", "ok"] in [line.split() for line in shown]
        os.kill(service.pid, signal.SIGSTOP)
        try:
            assert living.json("status")["health"] == SILENT
            assert SILENT[0] in living.command("status").stdout
        finally:
            os.kill(service.pid, signal.SIGCONT)
    assert living.json("status")["health"] is None
    assert "health" not in living.command("status").stdout
