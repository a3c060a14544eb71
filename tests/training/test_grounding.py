import dataclasses

import pytest
import torch

from avground.data import Record
from avground.data.pocket import Decides, Seen, Truth
from avground.errors import DataError, ShapeError
from avground.models import Grounded
from avground.training.grounding import GroundingMetric, masks_of

T, H, W = 3, 2, 3


def _seen(cells, sounding):
    return Seen("flute", bool(cells), "left", cells, sounding, sounding)


# The first instrument covers two cells and sounds once, the second one cell and sounds twice, the third is off stage.
INSTRUMENTS = (
    _seen(((0, 0), (1, 0)), (True, False, False)),
    _seen(((1, 2),), (False, True, True)),
    _seen((), (True, True, True)),
)
EVERY, FIRST = (True, True, True), (True, False, False)
TRUTH = Truth(
    H,
    W,
    {"v": INSTRUMENTS},
    {
        1: Decides("v", (0,), True, 1, FIRST),  # names the first; the second is the answer
        2: Decides("v", (0, 1), False, None, EVERY),  # names none
        3: Decides("v", (1,), False, None, (False, False, True)),  # names none
        4: Decides("v", (2,), True, None, (False, False, False)),  # names one that cannot be seen
    },
)


def _record(number, template="Where is it?"):
    return Record("v", number, ("Visual", "Location"), template, (), "left")


RECORDS = [_record(1, "Where is the <Object>?"), _record(2), _record(3), _record(4, "Where is the <Object>?")]


def _out(cells, audio=None, visual=None):
    flat = torch.full((len(cells), T), 1 / T)
    cells = torch.as_tensor(cells, dtype=torch.float32)
    return Grounded(flat, flat if audio is None else audio, flat if visual is None else visual, cells, flat, None)


def _measure(out, records=RECORDS):
    metric = GroundingMetric(masks_of(records, TRUTH, T))
    for place in range(len(records)):  # One by one, so that adding up is tested too.
        one = Grounded(*(part[place : place + 1] if part is not None else None for part in out))
        metric.update(one, torch.tensor([place]))
    return metric.compute()


def test_masks_follow_what_is_named_or_else_what_sounds():
    cells, _, seconds = masks_of(RECORDS, TRUTH, T)
    covered = [[sorted(map(tuple, segment.nonzero().tolist())) for segment in question] for question in cells]
    first, second = [(0, 0), (1, 0)], [(1, 2)]
    assert covered == [[first] * 3, [first, second, second], [[], second, second], [[]] * 3]
    assert [tuple(row.tolist()) for row in seconds] == [TRUTH.questions[number].seconds for number in (1, 2, 3, 4)]


def test_a_flat_map_points_as_well_as_chance():
    found = _measure(_out(torch.full((4, T, H, W), 1 / (H * W))))["pointing"]
    chance = (3 * 2 / 6 + (2 / 6 + 1 / 6 + 1 / 6) + (1 / 6 + 1 / 6)) / 8
    with_answer = chance + 3 * 1 / 6 / 8
    assert found == pytest.approx(
        {
            "accuracy": chance,
            "chance": chance,
            "accuracy_with_answer": with_answer,
            "chance_with_answer": with_answer,
            "peak_over_uniform": 1.0,
            "segments": 8,
        }
    )


def test_pointing_is_counted_as_in_a_loop():
    weights = torch.rand(4, T, H, W)
    cells, _, _ = masks_of(RECORDS, TRUTH, T)
    hits, n = 0, 0
    for question in range(4):
        for segment in range(T):
            if cells[question, segment].any():
                row, column = divmod(int(weights[question, segment].argmax()), W)
                hits, n = hits + bool(cells[question, segment, row, column]), n + 1
    assert _measure(_out(weights))["pointing"]["accuracy"] == pytest.approx(hits / n)


def test_weights_on_the_answer_count_apart():
    weights = torch.zeros(1, T, H, W)
    weights[:, :, 1, 2] = 1
    found = _measure(_out(weights), RECORDS[:1])["pointing"]
    assert (found["accuracy"], found["accuracy_with_answer"]) == (0, 1)


def test_of_tied_cells_one_is_taken_at_random():
    weights = torch.zeros(1, T, H, W)
    weights[:, :, 0, :] = 1  # Three tied cells, one of which is covered.
    assert _measure(_out(weights), RECORDS[:1])["pointing"]["accuracy"] == pytest.approx(1 / 3)


def test_perfect_weights_reach_one():
    cells, _, seconds = masks_of(RECORDS, TRUTH, T)
    found = _measure(_out(cells.float(), seconds.float(), seconds.float()))
    assert found["pointing"]["accuracy"] == 1
    assert found["temporal_overlap"] == pytest.approx(
        {"mean": 1.0, "audio": 1.0, "visual": 1.0, "uniform": 1 / 3, "questions": 2}
    )


def test_overlap_is_of_each_stream_and_of_their_mean_whatever_they_sum_to():
    audio, visual = torch.tensor([[0.6, 0.2, 0.2]] * 4), 5 * torch.tensor([[0.1, 0.1, 0.8]] * 4)
    found = _measure(_out(torch.rand(4, T, H, W), audio, visual))["temporal_overlap"]
    expected = {"audio": (0.6 + 0.2) / 2, "visual": (0.1 + 0.8) / 2, "uniform": 1 / 3, "questions": 2}
    assert found == pytest.approx({**expected, "mean": (expected["audio"] + expected["visual"]) / 2})


def test_what_no_question_can_show_is_left_out():
    assert _measure(_out(torch.rand(1, T, H, W)), RECORDS[3:]) == {}


def test_maps_of_another_size_are_an_error():
    metric = GroundingMetric(masks_of(RECORDS, TRUTH, T))
    with pytest.raises(ShapeError, match="cell_weights"):
        metric.update(_out(torch.rand(4, T, H, W + 1)), torch.arange(4))


@pytest.mark.parametrize(
    ("record", "segments", "message"),
    [
        (_record(9), T, "question 9.*does not know"),
        (_record(None), T, "does not know"),
        (dataclasses.replace(_record(1), video_id="w"), T, "does not know"),
        (_record(1), T + 1, "expected 4 segments, got 3"),
    ],
)
def test_the_truth_must_know_each_question(record, segments, message):
    with pytest.raises(DataError, match=message):
        masks_of([record], TRUTH, segments)


@pytest.mark.parametrize("size", [(6, 6), (12, 6), (3, 3), (14, 14), (4, 9), (1, 1)])
def test_a_cell_of_another_map_counts_if_half_of_it_is_covered(splits, size):
    records = splits.records["test"]
    exact = masks_of(records, splits.truth, 5)
    found = masks_of(records, splits.truth, 5, size)
    assert torch.equal(found.seconds, exact.seconds)
    for mask, other in ((exact.named, found.named), (exact.answer, found.answer)):
        assert other.shape == (*mask.shape[:2], *size)
        # By integrating over a grid of points that all cells hold equally many of.
        fine = 252
        rows, columns = (torch.arange(fine) * n // fine for n in mask.shape[2:])
        points = mask[:, :, rows][..., columns].double()
        for row in range(size[0]):
            for column in range(size[1]):
                part = points[:, :, row * fine // size[0] : (row + 1) * fine // size[0]]
                part = part[..., column * fine // size[1] : (column + 1) * fine // size[1]]
                share = part.mean((2, 3))
                assert torch.equal(other[:, :, row, column], share >= 0.5 - 1e-9)
