"""Bad files in great variety end in a documented error, if they are not taken; benchmarks/fuzzing.py tries more."""

import tempfile
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avground.data import Manifest, Vocabulary
from avground.data.annotations import parse_rows
from avground.data.features import check_description
from avground.errors import AvgroundError, brief, check_choice, check_not_negative, check_positive, check_whole
from avground.reading import check_plain
from avground.training import Run

from .targets import DOCUMENTED, TARGETS


@pytest.mark.parametrize("name", TARGETS)
def test_good_files_are_read(name, tmp_path):
    target = TARGETS[name]
    if name == "arguments":
        pytest.skip("some of the commands are bad on purpose")
    for content in target.seeds:
        target.read(content, tmp_path)


@pytest.mark.parametrize("name", TARGETS)
def test_bad_files(name):
    target, random, lengths = TARGETS[name], Random(0), []
    for _ in range(60):
        with tempfile.TemporaryDirectory() as folder:
            try:
                target.read(target.bad(random), Path(folder))
            except DOCUMENTED as error:
                lengths.append(len(str(error)))
    assert max(lengths, default=0) < 2000
    assert lengths or name == "outcomes"  # Of those the lines that cannot be read are left out.


_keys = st.sampled_from(
    ["words", "answers", "audio", "visual", "manifest", "layout", "precision", "video_id", "type", "kind", "shape", "x"]
)
_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.builds(pow, st.just(10), st.just(5000))
    | st.builds(str.ljust, st.just("a"), st.just(10**5)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_keys, inner, max_size=4),
    max_leaves=12,
)


@given(_values)
def test_any_value(value):
    lengths = []
    for read in (
        Vocabulary.from_dict,
        Run.from_dict,
        lambda value: Manifest.from_dict(value, "x"),
        lambda value: parse_rows([value], "x"),
        lambda value: check_description(value, "x"),
        lambda value: check_plain(value, "x"),
        lambda value: check_choice("x", value, ("a", None, 3)),
        lambda value: check_whole("x", value),
        lambda value: check_positive("x", value),
        lambda value: check_not_negative("x", value, below=1),
    ):
        try:
            read(value)
        except AvgroundError as error:
            lengths.append(len(str(error)))
    assert max(lengths, default=0) < 1000
    assert len(brief(value)) <= 120
