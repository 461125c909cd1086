"""A service that is asked odd things, and edited at odd moments: it answers, and goes on."""

import http.client
import json
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from living import Living, eventually

from monitor.http.body import MOST_BYTES
from monitor.http.control import NotListening, ask_reload, path_for


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Living]:
    living = Living(tmp_path_factory.mktemp("odd"), every="1h")
    with living.running():
        eventually(lambda: "all probes have run once" in living.said(), "the first run")
        yield living
    assert "Traceback" not in living.said()


def post(living: Living, path: str, body: bytes) -> tuple[int, dict[str, Any]]:
    connection = http.client.HTTPConnection("service")
    connection.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.sock.settimeout(10)
    connection.sock.connect(str(path_for(living.database)))
    try:
        connection.request("POST", path, body)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("path", "body", "says"),
    [
        ("/trigger", b"{", "not valid JSON"),
        ("/trigger", b"\xff", "not valid JSON"),
        ("/trigger", b"[" * 100_000, "not valid JSON"),
        ("/trigger", b"[]", "not a JSON object"),
        ("/trigger", b"{}", "does not understand"),
        ("/trigger", b'{"verb": ["ack"]}', "verb: expected a text"),
        ("/trigger", b'{"trigger": "\\ud800"}', "trigger: expected a text"),
        ("/trigger", b'{"until": "soon"}', "until: expected a time up to the year 9999 or null"),
        ("/trigger", b'{"until": NaN}', "NaN is not a number"),
        ("/trigger", b'{"until": 1e999}', "until: expected a time"),
        ("/once", b'{"probes": "meter"}', "probes: expected a list of texts"),
        ("/once", b'{"probes": [{}]}', "probes: expected a list of texts"),
        ("/once", b'{"probes": ["no-such"]}', "has no probe no-such"),
        ("/reload", b'{"by": 5}', "by: expected a text"),
        ("/reload", b'{"how": "magic"}', "how: expected start, edit, set, revert"),
        ("/reload", b'{"who": "me"}', "unknown key 'who'"),
        ("/reload", b'{"note": "%s"}' % (b"x" * MOST_BYTES), "larger than"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused(
    served: Living, path: str, body: bytes, says: str
) -> None:
    status, said = post(served, path, body)
    assert status in (400, 404)
    assert says in said["error"]
    assert post(served, "/reload", b"")[0] == 200


def test_an_edit_while_the_service_stops_is_no_fault_of_the_file(tmp_path: Path) -> None:
    living = Living(tmp_path)
    text = living.config.read_text()
    with living.running() as service:
        eventually(lambda: living.runs() >= 1, "a run")
        ended = threading.Event()

        def edit() -> None:
            for number in range(10, 10_000):
                living.config.write_text(text.replace("threshold = 10", f"threshold = {number}"))
                try:
                    ask_reload(living.database)
                except (NotListening, OSError):
                    break
            ended.set()

        threading.Thread(target=edit).start()
        eventually(lambda: living.said().count("config loaded") > 3, "edits that are loaded")
        service.send_signal(signal.SIGTERM)
        service.wait(30)
        assert ended.wait(30)
    assert "could not be loaded" not in living.said()
    assert "cannot be used" not in living.said()
    assert living.rows("SELECT 1 FROM alerts WHERE facts LIKE '%cannot be%'") == []
