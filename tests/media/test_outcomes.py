import errno
import json
import os
import time

import pytest

from avground.errors import DataError
from avground.media.outcomes import Outcome, OutcomeLog

KINDS = ("vggish", "res18_14x14")


@pytest.fixture
def clock(monkeypatch):
    """A second goes by each time that anybody looks."""
    now = iter(range(1000))
    monkeypatch.setattr(time, "time", lambda: float(next(now)))


def test_again_and_again(tmp_path, clock):
    log = OutcomeLog(tmp_path, KINDS, 0)
    assert log.read() == {}
    log.add("a", Outcome(notes=("short", "quiet")))
    log.add("ü\udcff\n", Outcome(reason="b.mp4: broken\nand more"))
    assert os.listdir(tmp_path) == ["extraction-0.jsonl"]
    expected = {"a": Outcome("", ("short", "quiet")), "ü\udcff\n": Outcome("b.mp4: broken\nand more", ())}
    assert OutcomeLog(tmp_path, KINDS[::-1], 1).read() == expected
    OutcomeLog(tmp_path, KINDS, 0).add("c", Outcome())
    assert log.read() == {**expected, "c": Outcome()}


def test_the_last_counts(tmp_path, clock):
    """Whichever process it was."""
    first, second = (OutcomeLog(tmp_path, KINDS, process) for process in (0, 1))
    second.add("a", Outcome(reason="broken"))
    first.add("a", Outcome())
    first.add("b", Outcome())
    second.add("b", Outcome(reason="gone"))
    assert first.read() == second.read() == {"a": Outcome(), "b": Outcome(reason="gone")}


def test_other_features_do_not_count(tmp_path, clock):
    OutcomeLog(tmp_path, ("logmel", "res18_14x14"), 0).add("a", Outcome(reason="broken"))
    assert OutcomeLog(tmp_path, KINDS, 0).read() == {}


@pytest.mark.parametrize("kept", [1, 20, -1])
def test_a_line_that_was_cut_short(tmp_path, clock, kept):
    log = OutcomeLog(tmp_path, KINDS, 0)
    log.add("a", Outcome())
    length = log.path.stat().st_size
    log.add("b", Outcome(reason="broken"))
    content = log.path.read_bytes()
    log.path.write_bytes(content[: length + kept] if kept > 0 else content[:kept])
    assert log.read() == {"a": Outcome()}
    log.add("c", Outcome())
    assert log.read() == {"a": Outcome(), "c": Outcome()}


def test_lines_of_something_else(tmp_path, clock):
    log = OutcomeLog(tmp_path, KINDS, 0)
    log.add("a", Outcome())
    line = json.loads(log.path.read_text())
    others = [3, [], {**line, "video": 3}, {**line, "notes": None}, {**line, "time": "now"}, {"video": "b"}]
    log.path.write_bytes(b"\0\xff\n" + b"\n".join(json.dumps(other).encode() for other in [*others, line]))
    assert log.read() == {"a": Outcome()}
    (tmp_path / "extraction-7.jsonl").mkdir()
    assert log.read() == {"a": Outcome()}


def test_full_disk(tmp_path):
    log = OutcomeLog(tmp_path, KINDS, 0)
    log.path.symlink_to("/dev/full")
    if not log.path.exists():
        pytest.skip("needs /dev/full")
    with pytest.raises(DataError, match=rf"extraction-0\.jsonl: cannot be written: .*{os.strerror(errno.ENOSPC)}"):
        log.add("a", Outcome())
