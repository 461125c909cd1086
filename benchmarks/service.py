"""Measures the running service: start, idle memory and processor share, from a child's exit to
the request that reaches Slack.

    .venv/bin/python benchmarks/service.py [--idle 60] [--alerts 20]

Everything is real: the shipped config.toml, child processes, and a Slack on 127.0.0.1.
"""

import argparse
import os
import select
import statistics
import sys
import tempfile
import time
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from living import Living, eventually  # noqa: E402
from slack_server import TOKEN, SlackServer  # noqa: E402


def shipped(folder: Path, slack_url: str) -> Living:
    """The shipped config over a database of its own, on a free port, with a Slack."""
    living = Living(folder, slack_url)
    text = (ROOT / "config.toml").read_text()
    text = text.replace("127.0.0.1:8577", "127.0.0.1:0").replace("var/qrossover.db", "var/test.db")
    text = text.replace('"SLACK_BOT_TOKEN"', f'"TEST_SLACK_TOKEN"\napi_url = "{slack_url}"')
    living.config.write_text(text)
    return living


def idle(seconds: float) -> None:
    """Memory and processor share of the service once its first runs have ended."""
    with tempfile.TemporaryDirectory() as folder, SlackServer() as slack:
        living = shipped(Path(folder), slack.url)
        begun = time.monotonic()
        with living.running(TOKEN) as service:
            eventually(lambda: "watching" in living.said(), "the scheduler")
            print(f"start to scheduler running      {time.monotonic() - begun:.2f} s")
            eventually(lambda: "run begins" in living.said(), "the first run")
            print(f"start to the first probe's run  {time.monotonic() - begun:.2f} s")
            process = psutil.Process(service.pid)
            while process.children():
                time.sleep(1.0)
            print(f"start to the end of all runs    {time.monotonic() - begun:.1f} s")
            before = process.cpu_times()
            time.sleep(seconds)
            living.http("/healthz")
            after, memory = process.cpu_times(), process.memory_info().rss
        used = after.user + after.system - before.user - before.system
        print(f"resident after {seconds:.0f} s idle       {memory / 2**20:.1f} MiB")
        print(f"processor share while idle      {used / seconds:.2%} of a core")


def exit_to_slack(alerts: int) -> None:
    """Milliseconds from a probe child's exit to the request at Slack."""
    delays: list[float] = []
    with tempfile.TemporaryDirectory() as folder, SlackServer() as slack:
        living = Living(Path(folder), slack.url, every="4s")
        with living.running(TOKEN) as service:
            process = psutil.Process(service.pid)
            living.another_run()
            for number in range(alerts):
                living.measure(1.0 if number % 2 else 99.0)
                seen = len(slack.requests)
                while len(slack.requests) == seen:
                    child = next((c for c in process.children() if "probes" in c.cmdline()), None)
                    if child is None:
                        time.sleep(0.005)
                        continue
                    ended = _end_of(child.pid)
                    eventually(lambda: slack.requests, "a request")
                    time.sleep(0.5)
                if ended is not None:
                    delays.append(1000 * (slack.requests[seen].at - ended))
    delays.sort()
    p95 = delays[min(len(delays) - 1, int(0.95 * len(delays)))]
    print(
        f"child's exit to Slack           median {statistics.median(delays):.0f} ms, "
        f"p95 {p95:.0f} ms, most {delays[-1]:.0f} ms, of {len(delays)}"
    )


def _end_of(pid: int) -> float | None:
    """When a process ended, by the kernel's own notice."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return None
    select.select([descriptor], [], [], 60)
    ended = time.monotonic()
    os.close(descriptor)
    return ended


def main() -> None:
    """Run all, and name the machine."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--idle", type=float, default=60.0)
    parser.add_argument("--alerts", type=int, default=20)
    options = parser.parse_args()
    print(f"{os.cpu_count()} processors, Python {sys.version.split()[0]}")
    idle(options.idle)
    exit_to_slack(options.alerts)


if __name__ == "__main__":
    main()
