"""Any program as a probe, through the real runner and the real child."""

import json
import os
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from living import alive, eventually

from monitor.config import ProbeEntry
from monitor.problems import redacted
from monitor.runner import Finished, Runner
from probes.external.command import Command
from storage.types import Quote

SIGNALS = {"test.a": "V", "test.b": "1"}
RunProgram = Callable[..., Coroutine[Any, Any, Finished]]


@pytest_asyncio.fixture
async def run(tmp_path: Path) -> AsyncIterator[RunProgram]:
    """Run an argv; or a program that prints these lines."""
    runner = Runner(f"{tmp_path}#", tmp_path)

    def start(*argv: str, said: bytes = b"", timeout: float = 30.0, **more: Any) -> Any:
        (tmp_path / "said").write_bytes(said)
        table = {"argv": list(argv) or ["cat", "said"], "signals": SIGNALS, **more}
        probe = Command.model_validate(table)
        return runner.run(ProbeEntry("x", "external.command", 60.0, timeout, probe, table))

    yield start
    await runner.close()


def lines(*said: object) -> bytes:
    """Objects as JSON and texts as they are, one a line."""
    return "\n".join(one if isinstance(one, str) else json.dumps(one) for one in said).encode()


A = {"signal": "test.a", "value": 1}


async def test_lines_are_readings(run: RunProgram) -> None:
    full = {"signal": "test.b", "value": 0.5, "target": "dev", "sigma": 0.1, "note": "fine"}
    finished = await run(said=lines(A, "", "  ", full))
    first, second = finished.readings
    assert (finished.run.outcome, finished.run.reason) == ("ok", "")
    assert (first.signal, first.value, first.target) == ("test.a", 1.0, socket.gethostname())
    assert (first.sigma, first.note, first.origin) == (None, "", "measured")
    assert (second.target, second.sigma, second.note) == ("dev", 0.1, "fine")


async def test_a_line_ends_where_json_ends_it(run: RunProgram) -> None:
    # Python's splitlines() would end a line at each of these; JSON does not
    note = "a\u2028b\u0085c\u2029d"
    said = json.dumps({**A, "note": note}, ensure_ascii=False).encode() + b"\r\n"
    (reading,) = (await run(said=said)).readings
    assert reading.note == note


async def test_half_a_character_does_no_harm(run: RunProgram) -> None:
    (reading,) = (await run(said=lines({**A, "note": "\ud800"}))).readings
    assert reading.note == "?"


async def test_the_table_says_origin_and_cost(run: RunProgram) -> None:
    finished = await run(said=lines(A), origin="vendor", usd=0.25, qpu_seconds=2.0)
    assert finished.readings[0].origin == "vendor"
    assert (finished.run.usd, finished.run.qpu_seconds) == (0.25, 2.0)


X = {**A, "target": "x"}
WRONG_LINES = [
    (lines(A, "so so"), "line 2: not JSON (Expecting value at column 1): so so"),
    (lines(A, "", "[1]"), "line 3: expected a JSON object, got [1]"),
    (lines({"signal": "test.a"}), "line 1: value: Field required"),
    (lines({**A, "valeu": 1}), "line 1: valeu: Extra inputs are not permitted"),
    (lines({**A, "value": "1"}), "line 1: value: Input should be a valid number"),
    (lines({**A, "value": True}), "line 1: value: Input should be a valid number"),
    (lines({**A, "value": None}), "line 1: value: Input should be a valid number"),
    (lines({**A, "target": 1}), "line 1: target: Input should be a valid string"),
    (lines(A, {**X, "value": float("nan")}), "line 2: test.a on x is nan, not a finite number"),
    (lines({**X, "value": float("-inf")}), "line 1: test.a on x is -inf, not a finite number"),
    (lines('{"signal": "test.a", "value": 1e999}'), "line 1: test.a on "),
    (lines('{"signal": "test.a", "value": ' + "9" * 5000 + "}"), "line 1: Exceeds the limit"),
    (lines({**X, "sigma": -1}), "line 1: sigma of test.a on x is -1"),
    (lines({**A, "signal": "c"}), "line 1: undeclared signal 'c'; the table declares test.a"),
    (lines(X, X), "line 2: a second reading of test.a on x; a run takes one of each"),
    (lines("[" * 100_000), "line 1: maximum recursion depth exceeded"),
    (b"{\xff}", "line 1: not UTF-8: {\ufffd}"),
    (b"", "cat printed no reading"),
    (b"\n \n", "cat printed no reading"),
]


@pytest.mark.parametrize(("said", "reason"), WRONG_LINES, ids=[why[:40] for _, why in WRONG_LINES])
async def test_a_wrong_line_is_a_failed_run_that_names_it(
    run: RunProgram, said: bytes, reason: str
) -> None:
    finished = await run(said=said)
    assert finished.run.outcome == "failed"
    assert finished.run.reason[: len(reason)] == reason
    assert finished.readings == ()
    assert len(finished.run.reason) < 1000


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        ("exit 3", "sh ended with exit status 3, expected 0"),
        ("kill -9 $$", "sh was ended by signal 9 (Killed)"),
        ("kill -ABRT $$", "sh was ended by signal 6 (Aborted)"),
    ],
)
async def test_a_program_that_does_not_end_well_is_a_failed_run(
    run: RunProgram, end: str, reason: str
) -> None:
    finished = await run("sh", "-c", f"cat said; {end}", said=lines(A))
    assert (finished.run.outcome, finished.run.reason) == ("failed", reason)
    assert finished.readings == ()


@pytest.mark.parametrize(
    ("said", "quoted"),
    [
        ("first\n\033[31moops\t!\n\n", "[31moops !"),
        ("x" * 300, f"{'x' * 200}…"),
        ("bad token xoxb-123456789012-abc", "bad token [secret]"),
    ],
)
async def test_what_a_failed_program_said_last_is_in_the_reason(
    run: RunProgram, tmp_path: Path, said: str, quoted: str
) -> None:
    (tmp_path / "oops").write_text(said)
    finished = await run("sh", "-c", "cat oops >&2; exit 3")
    reason = f"sh ended with exit status 3, expected 0; it said: {quoted}"
    assert finished.run.reason == reason
    # the child's own trace follows what the program said, without secrets
    assert finished.run.stderr.startswith(redacted(said))


async def test_one_left_behind_that_goes_on_complaining_is_not_waited_for(run: RunProgram) -> None:
    finished = await run("sh", "-c", "yes >&2 2>/dev/null & yes >&2 & cat said", said=lines(A))
    assert finished.run.outcome == "ok"


async def test_stdout_past_a_mebibyte_is_a_failed_run(run: RunProgram) -> None:
    finished = await run("yes")
    assert finished.run.outcome == "failed"
    assert finished.run.reason == "yes printed more than 1 MiB on standard output"


async def test_stdout_of_a_mebibyte_is_read_whole(run: RunProgram) -> None:
    empty = lines({**A, "note": ""})
    said = lines({**A, "note": "x" * ((1 << 20) - len(empty))})
    (reading,) = (await run(said=said)).readings
    assert len(reading.note) == (1 << 20) - len(empty)
    assert (
        await run(said=said + b" ")
    ).run.reason == "cat printed more than 1 MiB on standard output"


async def test_stderr_is_kept_with_the_run(run: RunProgram) -> None:
    finished = await run("sh", "-c", "printf 'warming up' >&2; cat said", said=lines(A))
    assert finished.run.stderr == "warming up"
    assert len(finished.readings) == 1


@pytest.mark.parametrize(
    ("argv", "why"),
    [
        (["no-such-program"], "no-such-program cannot be run: No such file or directory"),
        (["./no-such-program"], "./no-such-program cannot be run: No such file or directory"),
        (["/"], "/ cannot be run: Permission denied"),
    ],
)
async def test_a_program_that_is_not_there_is_a_failed_run(
    run: RunProgram, argv: list[str], why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # a folder of the caller's PATH that may not be entered gives another reason
    monkeypatch.setenv("PATH", os.defpath)
    finished = await run(*argv)
    assert (finished.run.outcome, finished.run.reason) == ("failed", why)


async def test_a_program_is_found_beside_the_config_and_runs_there(
    run: RunProgram, tmp_path: Path
) -> None:
    program = tmp_path / "bin" / "meter"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\nprintf \'{"signal":"test.a","value":1,"note":"%s"}\' "$PWD"\n')
    program.chmod(0o755)
    (reading,) = (await run("bin/meter")).readings
    assert Path(reading.note) == tmp_path


async def test_a_program_that_hangs_is_killed(run: RunProgram, tmp_path: Path) -> None:
    script = "trap '' TERM; echo $$ > pid; cat said; while :; do sleep 1; done"
    finished = await run("sh", "-c", script, said=lines(A), timeout=4.0)
    assert (finished.run.outcome, finished.readings) == ("timeout", ())
    assert not still_running(tmp_path / "pid")


@pytest.mark.parametrize("launch", ["sleep 600 &", "setsid sleep 600 &"])
async def test_a_program_that_leaves_one_behind_is_not_waited_for(
    run: RunProgram, tmp_path: Path, launch: str
) -> None:
    # what is left holds the standard output open
    script = f"{launch} echo $! > pid; cat said"
    finished = await run("sh", "-c", script, said=lines(A), timeout=300.0)
    assert len(finished.readings) == 1
    eventually(lambda: not still_running(tmp_path / "pid"), "the end of what was left")


async def test_a_program_may_close_its_output_before_it_ends(run: RunProgram) -> None:
    finished = await run("sh", "-c", "cat said; exec >&-; sleep 0.3; exit 4", said=lines(A))
    assert finished.run.reason == "sh ended with exit status 4, expected 0"


def still_running(file: Path) -> bool:
    """Whether the process runs whose number stands in a file."""
    return alive(int(eventually(file.read_text, file.name)))


def test_a_table_promises_what_it_declares() -> None:
    table = {"argv": ["meter"], "signals": SIGNALS, "usd": 1.5, "qpu_seconds": 3.0}
    probe = Command.model_validate(table)
    assert {signal.name: signal.unit for signal in probe.promises()} == SIGNALS
    assert all(signal.help for signal in probe.promises())
    assert probe.quote() == Quote(1.5, 3.0)
    assert probe.resource() is None


async def test_the_program_gets_no_descriptor_of_ours(run: RunProgram) -> None:
    # of 0, 1, 2 and the one by which `ls` reads the folder
    script = 'printf \'{"signal": "test.a", "value": %s}\' $(ls /proc/self/fd | wc -l)'
    (reading,) = (await run("sh", "-c", script)).readings
    assert reading.value == 4
