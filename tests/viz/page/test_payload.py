"""What pages carry: exact to the stated error, and nothing that HTML could take for something else."""

import json
from base64 import b64decode

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from avground.errors import DataError
from avground.viz import Footage, explain_page, gallery_page, spread
from avground.viz.page.payload import escape_json, pack_weights, payload

from .material import HOSTILE, STARTS, attention, example, jpeg, pair, split


def unpack(packed, low, high):
    """As the page does; (t, s)."""
    low, high = (np.array(edge)[:, None] for edge in (low, high))
    return low + np.frombuffer(b64decode(packed), "<u2").reshape(len(low), -1) * (high - low) / 65535


weights = arrays.arrays(np.float64, st.tuples(st.integers(1, 4), st.integers(1, 7)), elements=st.floats(0, 1))


@given(weights)
def test_weights_come_back_within_the_stated_error(found):
    packed, low, high = pack_weights(found)
    assert (low, high) == (found.min(1).tolist(), found.max(1).tolist())
    back = unpack(packed, low, high)
    width = (found.max(1) - found.min(1))[:, None]
    assert (abs(back - found) <= width / 131070 * (1 + 1e-9) + 1e-16).all()
    assert (back[found == 0] == 0).all()


def test_a_map_that_is_nearly_flat_beside_a_sharp_one_keeps_its_structure():
    nearly = 1 / 196 * (1 + 1e-4 * np.linspace(-1, 1, 196))
    packed, low, high = pack_weights(np.stack([np.eye(196)[0], nearly]))
    back = unpack(packed, low, high)[1]
    stretched = (back - back.min()) / (back.max() - back.min())
    assert stretched == pytest.approx(np.linspace(0, 1, 196), abs=1e-4)


@given(st.recursive(st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_json_is_ascii_without_what_html_reads_and_comes_back(value):
    text = escape_json(value)
    assert text.isascii()
    assert not set(text) & set("<>&")
    assert json.loads(text) == value


def test_an_example_is_told_whole():
    shown = pair()
    texts = payload({"v": Footage(6.0, notes=("A note.",), waveform=np.array([0, 0.5, 1]))}, [shown])
    assert set(texts) == {"data", "weights"}
    data = json.loads(texts["data"])
    assert data["footage"] == [
        {"id": "v", "seconds": 6.0, "type": None, "frameStarts": [], "wave": "AID/", "notes": ["A note."]}
    ]
    (told,) = data["examples"]
    assert (told["asked"], told["answer"], told["right"]) == ("How many violins sound?", "two", True)
    assert told["type"] == ["Audio", "Counting"]
    assert told["outlines"][1] == {"name": "piano", "cells": [[3, 3]], "rows": 4, "columns": 4, "target": False}
    for one, given_ in zip(told["attention"], shown.attention, strict=True):
        assert one["model"] == given_.model
        assert one["answers"] == [[answer, pytest.approx(share, rel=1e-5)] for answer, share in given_.answers]
        assert one["starts"] == list(STARTS)
        for name in ("audio", "visual", "uniform"):
            of_model = given_.uniform if name == "uniform" else getattr(given_, f"{name}_weights")
            assert one[name] == pytest.approx(of_model, rel=1e-5)
        maps = given_.cell_weights
        assert (one["rows"], one["columns"]) == maps.shape[1:]
        assert one["spreads"] == [pytest.approx(spread(one), rel=1e-5) for one in maps]
        back = unpack(texts["weights"].split("\n")[one["line"]], one["low"], one["high"])
        assert abs(back.ravel() - maps.ravel()).max() <= maps.max() / 131070 * (1 + 1e-9)
    assert told["attention"][0]["words"] == [0.1, 0.2, 0.6, 0.05]
    assert told["attention"][1]["words"] is None


def test_footage_is_stored_once_and_only_if_it_is_asked_about():
    footage, examples = split(6, videos=2)
    texts = payload({**footage, "other": Footage(1.0)}, examples)
    assert set(texts) == {"data", "weights", "frames-0", "frames-1"}
    data = json.loads(texts["data"])
    assert [one["id"] for one in data["footage"]] == ["v0", "v1"]
    assert [one["footage"] for one in data["examples"]] == [0, 1, 0, 1, 0, 1]
    assert len(texts["weights"].split("\n")) == 6


def test_pictures_and_videos_come_back():
    first, second = jpeg(10), jpeg(200)
    film = b"\x1a\x45\xdf\xa3 and so on"
    texts = payload({"v": Footage(6.0, film, (first, second), (0.0, 3.0))}, [example()])
    assert [b64decode(line) for line in texts["frames-0"].split("\n")] == [first, second]
    assert b64decode(texts["video-0"]) == film


@pytest.mark.parametrize(
    ("start", "kind"),
    [
        (b"\0\0\0\x18ftypmp42", "video/mp4"),
        (b"\x1a\x45\xdf\xa3\x01", "video/webm"),
        (b"OggS\0", "video/ogg"),
    ],
)
def test_the_kind_of_a_video_is_read_from_it(start, kind):
    texts = payload({"v": Footage(6.0, start)}, [example()])
    assert json.loads(texts["data"])["footage"][0]["type"] == kind


@pytest.mark.parametrize(
    ("footage", "examples", "message"),
    [
        ({"v": Footage(6.0)}, [], "examples: expected at least one, got none"),
        ({"v": Footage(6.0)}, [example(), example(video="w")], "footage: expected that of video 'w' of example 1, got"),
        ({"v": Footage(4.0)}, [example()], "starts: expected seconds below 4, the length of video 'v', got 4"),
        ({"v": Footage(6.0, b"RIFF....AVI ")}, [example()], r"video: expected a file in MP4, WebM or Ogg, got b'RIFF"),
    ],
)
def test_what_does_not_fit_is_named(footage, examples, message):
    with pytest.raises(DataError, match=message):
        gallery_page(footage, examples)


def test_a_page_of_one_video_refuses_others():
    with pytest.raises(DataError, match=r"examples: expected questions about one video, got \['v', 'w'\]"):
        explain_page(Footage(6.0), [example(), example(video="w")])
    with pytest.raises(DataError, match="examples: expected at least one, got none"):
        explain_page(Footage(6.0), [])


@pytest.mark.parametrize("starts", [(0.0, 0.0), (1.0, 0.0), (0.0, np.nan)])
def test_frames_ascend(starts):
    with pytest.raises(DataError, match="frame_starts: expected "):
        Footage(6.0, frames=(jpeg(0), jpeg(1)), frame_starts=starts)


def test_any_text_can_stand_in_a_page():
    odd = example(attention(HOSTILE, HOSTILE), answer=HOSTILE, type=(HOSTILE, HOSTILE), video=HOSTILE)
    page = explain_page(Footage(6.0, notes=(HOSTILE,)), [odd], title=HOSTILE)
    assert page.isascii()
    assert "alert(1)</script>" not in page
    assert "<img" not in page
