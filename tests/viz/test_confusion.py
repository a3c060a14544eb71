import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from avground.data import QUESTION_TYPES
from avground.errors import ConfigError, DataError
from avground.viz import confusion_figure
from avground.viz.style import AUDIO, contrast_ratio, tint
from tests.viz.drawn import check_image, check_legible, words_of

pytest.importorskip("matplotlib", reason="figures need matplotlib")

TYPE = ("Audio", "Counting")
INSTRUMENTS = [f"instrument_{letter}" for letter in "abcdefghijklmnopqrstuv"]


def questions(count, answers, seed=0):
    """Answers of which the first are the most frequent, and right ones."""
    rng = np.random.default_rng(seed)
    often = 1 / np.arange(1, len(answers) + 1)
    right = rng.choice(answers, count, p=often / often.sum())
    predicted = np.where(rng.random(count) < 0.6, right, rng.choice(answers, count))
    return predicted.tolist(), right.tolist()


def panel(figure):
    """What is written in each cell of the first panel, by row and column."""
    axis = figure.axes[0]
    return {(round(text.get_position()[1]), round(text.get_position()[0])): text.get_text() for text in axis.texts}


def names(figure):
    return [label.get_text() for label in figure.axes[0].get_xticklabels()]


@given(st.lists(st.tuples(*[st.sampled_from("abcdef")] * 2), min_size=1, max_size=30), st.integers(1, 7))
def test_cells_hold_what_loops_count(pairs, top):
    predicted, right = zip(*pairs, strict=True)
    figure = confusion_figure(predicted, right, [TYPE] * len(pairs), top=top)
    shown, cells = names(figure), panel(figure)
    distinct = sorted({*predicted, *right})
    own = [name for name in shown if not name.startswith("other")]
    assert len(own) == min(top, len(distinct))
    others = set(distinct) - set(own)
    assert (f"other ({len(others)} answer{'s' * (len(others) > 1)})" in shown) is bool(others)
    groups = [{name} for name in own] + [others] * bool(others)
    for y, truths in enumerate(groups):
        for x, guesses in enumerate(groups):
            inside = [(guess, truth) for guess, truth in pairs if guess in guesses and truth in truths]
            text = str(len(inside))
            if inside and x == y == top:
                text = f"{sum(guess == truth for guess, truth in inside)}/\n{len(inside)}"
            assert cells.get((y, x), "0") == text


def test_the_most_frequent_right_answers_are_shown_and_first():
    right = ["b"] * 3 + ["a"] * 2 + ["c"] * 2 + ["d"]
    predicted = ["b", "c", "e", "c", "c", "c", "c", "d"]
    figure = confusion_figure(predicted, right, [TYPE] * 8, top=4)
    assert names(figure) == ["b", "c", "a", "d", "other (1 answer)"]
    rows = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert rows == ["b (3)", "c (2)", "a (2)", "d (1)", "other (1 answer) (0)"]


def test_shades_are_shares_of_the_row_and_numbers_legible_on_them():
    from matplotlib.colors import to_rgb

    figure = confusion_figure(["a", "a", "a", "b"], ["a", "a", "b", "a"], [TYPE] * 4)
    axis = figure.axes[0]
    assert axis.images[0].get_array()[0, 0].tolist() == pytest.approx(tint(AUDIO, 2 / 3))
    assert axis.images[0].get_array()[1].ravel().tolist() == pytest.approx([*tint(AUDIO, 1), *tint(AUDIO, 0)])
    for text in axis.texts:
        x, y = map(round, text.get_position())
        assert contrast_ratio(to_rgb(text.get_color()), axis.images[0].get_array()[y, x]) >= 4.5
    assert figure.axes[-1].get_ylabel() == "share of the questions with this right answer (%)"


def test_each_type_has_a_panel_with_its_accuracy_and_count():
    types = [("Visual", "Location"), TYPE, TYPE, ("Smell", "Sweetness")]
    figure = confusion_figure(["a", "a", "b", "x"], ["a", "a", "a", "y"], types)
    titles = [axis.get_title() for axis in figure.axes if axis.get_title()]
    assert titles == [
        "Audio, Counting: accuracy 50.0 %, n = 2",
        "Visual, Location: accuracy 100.0 %, n = 1",
        "Smell, Sweetness: accuracy 0.0 %, n = 1",
    ]


def test_axes_say_what_they_are():
    text = words_of(confusion_figure(["a"], ["a"], [TYPE]))
    assert "predicted answer" in text
    assert "right answer (how many questions)" in text


YES, NUMBERS = ["yes", "no"], ["zero", "one", "two", "three", "four", "five"]


@pytest.mark.parametrize(("kinds", "answers"), [(1, YES), (1, INSTRUMENTS), (2, NUMBERS), (4, YES), (9, INSTRUMENTS)])
def test_all_text_is_legible(kinds, answers):
    predicted, right = questions(80 * kinds, answers)
    figure = confusion_figure(predicted, right, [QUESTION_TYPES[i % kinds] for i in range(80 * kinds)])
    assert words_of(figure).count("accuracy") == kinds
    check_legible(figure)


@pytest.mark.parametrize(
    ("predicted", "right", "types", "told"),
    [
        (["a"], ["a", "b"], [TYPE], "right: expected one for each of 1 predicted answers, got 2"),
        (["a"], ["a"], [], "types: expected one for each of 1 predicted answers, got 0"),
        ([], [], [], "predicted: expected at least one answer, got none"),
    ],
)
def test_what_cannot_be_drawn_is_told(predicted, right, types, told):
    with pytest.raises(DataError, match=told):
        confusion_figure(predicted, right, types)


def test_at_least_one_answer_is_shown():
    with pytest.raises(ConfigError, match="top: expected a whole number of at least 1, got 0"):
        confusion_figure(["a"], ["a"], [TYPE], top=0)


def test_it_looks_as_it_did(tmp_path):
    some, more = questions(300, INSTRUMENTS), questions(100, ["yes", "no"], 1)
    types = [("Audio-Visual", "Temporal")] * 300 + [("Audio", "Comparative")] * 100
    check_image(confusion_figure(some[0] + more[0], some[1] + more[1], types), "confusion", tmp_path)
