"""Blocking calls beside the loop, in threads that a stop of the service does not wait for."""

import asyncio
import concurrent.futures
import contextlib
import threading
from collections.abc import Callable
from typing import TypeVar

_Answer = TypeVar("_Answer")


async def in_thread(call: Callable[[], _Answer]) -> _Answer:
    """What a blocking call returns or raises. A daemon thread: it ends with the process."""
    answer: concurrent.futures.Future[_Answer] = concurrent.futures.Future()

    def work() -> None:
        with contextlib.suppress(concurrent.futures.InvalidStateError):  # nobody awaits it any more
            try:
                answer.set_result(call())
            # the edge of a thread: whatever the call raises belongs to the one who awaits it
            except BaseException as error:  # noqa: BLE001
                answer.set_exception(error)

    threading.Thread(target=work, daemon=True).start()
    return await asyncio.wrap_future(answer)
