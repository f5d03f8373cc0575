"""Ctrl-C: the first one lets what is in flight finish, the second stops at once."""

import signal
import threading

from usfm import console


class Interrupts:
    """While it is entered, SIGINT and SIGTERM ask the run to stop instead of stopping it.

    Args:
        message: what is said at the first one.

    Attributes:
        asked: how many times.
    """

    def __init__(self, message: str) -> None:
        self.asked, self.message = 0, message
        self._before: dict = {}

    def __enter__(self) -> "Interrupts":
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._ask)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _ask(self, number: int, frame: object) -> None:
        self.asked += 1
        if self.asked == 1:
            console.say(self.message)
        else:
            raise KeyboardInterrupt
