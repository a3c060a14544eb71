from types import SimpleNamespace

import pytest

from avground.training.progress import Progress, summary

ENTRY = {
    "stage": "stage II",
    "epoch": 12,
    "losses": {"total": 1.23456, "answer": 1.1, "synchrony": 0.01234, "matching": 0.6789},
    "learning_rate": 2e-4,
    "validation": 0.65432,
    "speed": {"samples_per_second": 12345.6, "seconds": 3.2},
}
ATTENTION = {"time": {"agreement": 0.99812, "js_nats": 0.0013, "questions": 9}}
POINTING = {"pointing": {"accuracy": 0.3551, "segments": 90}}


FIRST = SimpleNamespace(name="stage I", epochs=30, unit="video", validate=False)
SECOND = SimpleNamespace(name="stage II", epochs=30, unit="question", validate=True)


@pytest.mark.parametrize("improved", [True, False])
@pytest.mark.parametrize("more", [{}, {"attention": ATTENTION}, {"attention": ATTENTION, "grounding": POINTING}])
def test_the_summary_of_an_epoch_is_one_line(more, improved):
    line = summary(SECOND, {**ENTRY, **more}, improved)
    assert "\n" not in line
    assert len(line) <= 160
    for part in ("stage II", "epoch 12/30", "loss 1.2346 (answer 1.1000, synchrony 0.0123, matching 0.6789)"):
        assert part in line
    assert f"validation 65.43 % {'*' if improved else ' '}  " in line
    assert ("agree 0.998" in line) == ("attention" in more)
    assert ("point 35.5 %" in line) == ("grounding" in more)
    assert line.endswith("lr 0.0002  12,346/s")


def test_a_stage_that_is_not_validated_shows_its_losses():
    entry = {"stage": "stage I", "epoch": 1, "losses": {"total": 0.5, "matching": 0.5}, "learning_rate": 2e-3}
    line = summary(FIRST, {**entry, "speed": {"samples_per_second": 10}}, improved=False)
    assert line == "stage I   epoch  1/30  loss 0.5000 (matching 0.5000)  lr 0.002  10/s"


def test_what_was_not_measured_is_left_out():
    """One segment has no agreement, and a world may show nothing to point at."""
    line = summary(SECOND, {**ENTRY, "attention": {}, "grounding": {"temporal_overlap": {}}}, improved=False)
    assert "agree" not in line
    assert "point" not in line


def test_progress_survives_as_plain_values():
    progress = Progress(1, 2, 3, 0.5, 4, 1.5, (ENTRY,))
    assert Progress.from_dict(progress.to_dict()) == progress
