import re
import sys

import pytest

from avground.media import progress
from avground.media.progress import show_videos


@pytest.fixture
def clock(monkeypatch):
    """Ten seconds pass between two looks at the clock."""
    times = iter(range(0, 10_000, 10))
    monkeypatch.setattr(progress.time, "monotonic", lambda: float(next(times)))


def test_lines_now_and_then(clock, capsys):
    assert list(show_videos(iter("abcdefg"), 1_007, "extracting")) == list("abcdefg")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == [
        "extracting: 3 of 1,007 videos, 0.10 a second, about 167 min left",
        "extracting: 6 of 1,007 videos, 0.10 a second, about 167 min left",
    ]


def test_bar(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert list(show_videos(iter("abc"), 3, "extracting")) == list("abc")
    shown = capsys.readouterr().err
    assert re.search(r"extracting: 100%.* 3/3 .*video/s", shown)


def test_terminal_without_tqdm(monkeypatch, clock, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setitem(sys.modules, "tqdm", None)
    assert list(show_videos(iter("abc"), 3, "extracting")) == list("abc")
    assert capsys.readouterr().err == "extracting: 3 of 3 videos, 0.10 a second, about 0 min left\n"
