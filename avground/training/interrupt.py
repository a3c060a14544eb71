"""Stopping between two steps, never within one."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


class Interrupted(KeyboardInterrupt):
    """Training was asked to stop and did; the message says what was saved and how to go on."""


class StoppedTogether(KeyboardInterrupt):
    """All processes of a run stop after the same step."""


class StopRequest:
    """Whether somebody asked the run to stop, by Ctrl-C or a termination signal."""

    def __init__(self) -> None:
        self.signal: int | None = None

    def __bool__(self) -> bool:
        return self.signal is not None


@contextmanager
def stop_on_signals() -> Iterator[StopRequest]:
    """Note SIGINT and SIGTERM instead of dying of them; a second one raises KeyboardInterrupt at once.

    Outside the main thread, where Python allows no handlers, nothing is changed.
    """
    request = StopRequest()
    owner = os.getpid()

    def note(number: int, _: FrameType | None) -> None:
        if request or os.getpid() != owner:
            raise KeyboardInterrupt
        request.signal = number

    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    previous: dict[int, Any] = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield request
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)


def ignore_signals(_: int) -> None:
    """Let the main process decide when to stop: a ``worker_init_fn`` for processes that load data."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
