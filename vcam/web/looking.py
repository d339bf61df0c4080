"""A page that looks: it asks for some pictures, and they are made as vcam has them, in the panel's one event loop.

Another thread for each picture would cost more than to encode it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from vcam.control.viewing import VcamEnded
from vcam.errors import DeviceError, VcamError
from vcam.web.look import Look, View, encode

AHEAD = 4
"""Pictures for which a page may ask at once."""
PATIENCE = 1.0
"""Seconds without a picture after which the page is told that there is none."""
REFUSED = 0.5
"""Seconds after which it is told so where vcam is gone; it asks again."""
TURNED_AWAY = 3.0
"""The same where vcam has let it in and ended that before the first picture: each time costs vcam something."""


class Looking:
    """The pictures of one page. For the thread of the event loop; `close` lets go of the camera."""

    def __init__(self, name: str, tell: Callable[[bytes | VcamError | None], object]) -> None:
        """tell: called with each picture; where none comes with None, or with why, and the page has to ask again."""
        self._name, self._tell = name, tell
        self._loop = asyncio.get_running_loop()
        self._look: Look | None = None
        self._entering: asyncio.Task[None] | None = None
        self._watching: asyncio.TimerHandle | None = None
        self._again: asyncio.TimerHandle | None = None
        """When vcam may be asked again that has let nobody in, or is gone."""
        self._view, self._left, self._since = View.SHOWN, 0, 0.0

    def ask(self, view: View, pictures: int = 1) -> None:
        """The page wants so many pictures, in place of those that it wanted before."""
        # asked for one by one: nobody is shown the room because somebody was before
        self._left = 1 if view is View.BOTH else min(max(1, pictures), AHEAD)
        self._view, self._since = view, self._loop.time()
        if self._look:
            self._next(self._look)
        elif self._entering is None and self._again is None:
            self._entering = self._loop.create_task(self._enter())

    def away(self) -> None:
        """The page is hidden, or gone."""
        self._left = 0
        self._let_go()
        if self._again:
            self._again.cancel()
            self._again = None

    def close(self) -> None:
        self.away()
        if self._entering:
            self._entering.cancel()

    async def _enter(self) -> None:
        try:
            # a vcam that hangs keeps everybody waiting at its door
            look = await asyncio.to_thread(Look, self._name)
        except VcamError as error:
            self._lost(error)
            return
        finally:
            self._entering = None
        if not self._left:
            look.close()
            return
        self._look = look
        self._loop.add_reader(look.fileno(), self._arrived)
        self._watch()
        self._next(look)

    def _next(self, look: Look) -> None:
        try:
            look.ask(self._view)
        except VcamError as error:
            self._lost(error)

    def _arrived(self) -> None:
        look = self._look
        if look is None:
            return
        try:
            shown = look.take(self._view)
        except VcamError as error:
            self._lost(error)
            return
        if shown is None or not self._left:
            return
        self._left, self._since = self._left - 1, self._loop.time()
        self._tell(encode(shown))
        if self._left:
            self._next(look)

    def _watch(self) -> None:
        """Once a second while vcam is looked at."""
        if self._look:
            if self._loop.time() - self._since >= PATIENCE:
                self._nothing()
            self._watching = self._loop.call_later(PATIENCE, self._watch)

    def _nothing(self, why: VcamError | None = None) -> None:
        if self._left:
            self._left = 0
            self._tell(why)

    def _lost(self, why: VcamError) -> None:
        self._let_go()
        if self._again:
            self._again.cancel()
        seconds = REFUSED
        if not (isinstance(why, VcamEnded) and why.seen):
            # `Following` says that one has ended; of one that goes on, and lets nobody look, it knows nothing
            self._nothing(why)
            seconds = REFUSED if isinstance(why, DeviceError) else TURNED_AWAY
        self._again = self._loop.call_later(seconds, self._ask_again)

    def _ask_again(self) -> None:
        self._again = None
        self._nothing()

    def _let_go(self) -> None:
        if self._watching:
            self._watching.cancel()
            self._watching = None
        look, self._look = self._look, None
        if look:
            self._loop.remove_reader(look.fileno())
            look.close()
