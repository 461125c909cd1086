"""An edit of the config file reaches the running service, or is refused and changes nothing."""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NoReturn

import structlog

from monitor.config import parse
from monitor.differences import tables
from monitor.problems import ConfigError
from monitor.reload import notices
from monitor.reload.loaded import Edit, Loaded, State
from monitor.reload.swap import Swap
from monitor.reload.watch import POLL_SECONDS, Content, Watch, read
from monitor.sections import Config
from monitor.settling import House
from monitor.threads import in_thread
from storage.types import Alert, now

_log = structlog.get_logger()


class Reloader:
    """Loads the file of one running service, one edit at a time."""

    def __init__(
        self, house: House, swap: Swap, say: Callable[[], None], waits: Sequence[str] = ()
    ) -> None:
        """`say` is called when `state` has changed. `waits`: what of the channel waits for a
        restart."""
        self._house = house
        self._say = say
        self._swap = swap
        self._file = house.config
        """The last valid config as its file says it; the one in force may keep more of before."""
        self._watch = Watch(self._file.path, self._file.sha256)
        self._turn = asyncio.Lock()
        self._told: set[str] = set()
        self.state = State(self._file.sha256, now())
        self._last = Loaded((), self._file.warnings, self._file.sha256, tuple(waits))
        self.state.warnings = _all(self._last)

    async def watch(self) -> None:
        """Load each edit, for ever."""
        while True:
            await asyncio.sleep(POLL_SECONDS)
            async with self._turn:
                content = await in_thread(self._watch.look)
                if content is not None:
                    with contextlib.suppress(ConfigError):  # it has been told
                        await self._take(content, Edit())

    async def ask(self, edit: Edit) -> Loaded:
        """Load the file as it is now. Raises ConfigError where it cannot be used."""
        async with self._turn:
            content = await in_thread(lambda: read(self._file.path))
            self._watch.knows(content)
            return await self._take(content, edit)

    async def _take(self, content: Content, edit: Edit) -> Loaded:
        if content.missing:
            why = f"{self._file.path} {content.missing}: the running config stays"
            await self._refuse(content, [why])
        try:
            if content.sha256 == self._file.sha256:
                return await self._as_before()
            new = await in_thread(lambda: parse(self._file.path, content.raw, before=self._file))
            loaded = await self._swap.into_force(
                self._file, new, edit, after_error=bool(self._told)
            )
        except ConfigError as error:
            await self._refuse(content, error.lines)
        # An edit must not end the service, whatever it trips over: a fault of ours is told like one
        # of the file, and the config in force stays there.
        except Exception as error:  # noqa: BLE001 see above
            _log.exception("the config could not be loaded")
            fault = f"{self._file.path}: cannot be loaded: {type(error).__name__}: {error}"
            await self._refuse(content, [fault])
        self._done(new, loaded, edit)
        return loaded

    def _done(self, new: Config, loaded: Loaded, edit: Edit) -> None:
        self._file = new
        self._told.clear()
        self.state.sha256, self.state.loaded_at = new.sha256, now()
        self.state.faults, self.state.warnings = (), _all(loaded)
        self._last = loaded
        self._say()
        _log.info(
            "config loaded" if loaded.changes else "config loaded: it says the same as before",
            changed=tables(loaded.changes),
            **({"by": edit.by} if edit.by else {}),
        )
        for warning in loaded.warnings:
            _log.warning(warning)

    async def _as_before(self) -> Loaded:
        """The file is the one in force: only what it points to may be another."""
        await self._swap.refresh(self._file)
        if self.state.faults:
            _log.info("the config file can be used again: it is as it was loaded")
            self.state.faults = ()
            self._say()
        if self._told:
            self._told.clear()
            await self._owe(notices.right_again(self._file.path.name))
        asked = tuple(w for w in self._last.warnings if w not in self._last.lasting)
        return replace(self._last, changes=(), warnings=asked)

    async def _refuse(self, content: Content, faults: Sequence[str]) -> NoReturn:
        """Keep the config in force and say so: in the log and the status, and once as a notice.
        Raises ConfigError."""
        if self.state.faults != tuple(faults):
            self.state.faults = tuple(faults)
            self._say()
            _log.error("the config file cannot be used, the running config stays", faults=faults)
        if content.sha256 not in self._told:
            self._told.add(content.sha256)
            name = self._file.path.name
            await self._owe(
                notices.missing(name, content.missing)
                if content.missing
                else notices.refused(name, faults)
            )
        raise ConfigError(faults)

    async def _owe(self, alert: Alert) -> None:
        await self._house.writer.insist(lambda: self._house.writer.outbox.owe(alert))
        self._swap.wake()


def _all(loaded: Loaded) -> tuple[str, ...]:
    """What the status warns of."""
    return tuple(dict.fromkeys((*loaded.lasting, *loaded.warnings)))
