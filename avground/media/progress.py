"""Showing how far a long piece of work is."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")

_LINE_SECONDS = 30.0


def show_videos(items: Iterable[T], total: int, description: str) -> Iterator[T]:
    """The items one by one, with videos a second and the time left.

    On a terminal a bar shows them, if tqdm is installed. Elsewhere, as in the log of a batch job, a line now and then
    does. Both go to the standard error stream.
    """
    if sys.stderr.isatty():
        try:
            from tqdm import tqdm
        except ImportError:
            pass
        else:
            yield from tqdm(items, desc=description, total=total, unit="video", dynamic_ncols=True)
            return
    yield from _show_lines(items, total, description)


def _show_lines(items: Iterable[T], total: int, description: str) -> Iterator[T]:
    start = last = time.monotonic()
    for count, item in enumerate(items, start=1):
        yield item
        now = time.monotonic()
        if now - last >= _LINE_SECONDS:
            last = now
            speed = count / (now - start)
            left = (total - count) / speed / 60
            text = f"{description}: {count:,} of {total:,} videos, {speed:.2f} a second, about {left:.0f} min left"
            print(text, file=sys.stderr, flush=True)
