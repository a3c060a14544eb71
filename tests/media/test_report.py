import json
from pathlib import Path

from avground.media.report import ExtractionReport


def make(**changes):
    values = {
        "path": Path("features") / "extraction.json",
        "done": ("a", "b"),
        "already_there": (),
        "failed": {},
        "failed_before": {},
        "notes": {},
        "ignored": {},
        "features": {"audio": {"folder": "vggish", "manifest": {}}},
        "device": "cpu",
        "processes": 1,
        "versions": {"torch": "2.8"},
        "seconds": 4.0,
    }
    return ExtractionReport(**{**values, **changes})


def test_all_done():
    report = make()
    assert report.exit_status == 0
    assert report.videos_per_second == 0.5
    assert report.summary().splitlines() == [
        "videos  2: 2 extracted, 0 there already, 0 failed; 4.0 s, 0.50 a second",
        f"report  {Path('features') / 'extraction.json'}",
    ]


def test_many_failed():
    report = make(
        failed={f"x{n}": f"x{n}.mp4: broken" for n in range(12)}, ignored={"n.txt": "hidden"}, notes={"a": ("short",)}
    )
    assert report.exit_status == 1
    assert report.videos_per_second == 3.5
    lines = report.summary().splitlines()
    assert lines[0].startswith("videos  14: 2 extracted, 0 there already, 12 failed;")
    assert lines[1:11] == [f"failed  x{n}: x{n}.mp4: broken" for n in range(10)]
    assert lines[11:14] == ["        and 2 more", "ignored n.txt: hidden", "notes   on 1 videos"]


def test_failures_of_earlier_runs():
    report = make(failed_before={"x": "x.mp4: broken"})
    assert report.exit_status == 0
    assert report.videos_per_second == 0.5
    assert report.summary().splitlines()[1] == "        1 more failed in earlier runs"
    assert json.loads(report.dump())["failed_before"] == {"x": "x.mp4: broken"}


def test_names_that_a_terminal_would_obey():
    report = make(failed={"a\x1b[2J\n": "b\udcff.mp4: ü\t"})
    line = report.summary().splitlines()[1]
    assert line == r"failed  a\x1b[2J\n: b\udcff.mp4: ü\t"
    assert json.loads(report.dump())["failed"] == {"a\x1b[2J\n": "b\udcff.mp4: ü\t"}


def test_file():
    content = json.loads(make(seconds=3.0, notes={"a": ("short", "quiet")}).dump())
    assert content["format"] == "avground extraction 1"
    assert "path" not in content
    assert content["done"] == ["a", "b"]
    assert content["notes"] == {"a": ["short", "quiet"]}
    assert content["videos_per_second"] == 0.667


def test_no_time_at_all():
    assert make(done=(), seconds=0.0).videos_per_second == 0
