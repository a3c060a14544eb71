import numpy as np
import pytest

from avground.errors import DataError
from avground.viz import words_figure
from avground.viz.style import AUDIO, contrast_ratio, tint
from tests.viz.drawn import check_image, check_legible, words_of

pytest.importorskip("matplotlib", reason="figures need matplotlib")

QUESTION = "what is the left instrument of the violin that is playing at the same time as the accordion"
WORDS = QUESTION.split()
FLAT = np.full(len(WORDS), 1 / len(WORDS))
HARD = np.eye(len(WORDS))[7]


def boxes_of(figure):
    """Each box's colour, and the artists of its word and of its weight."""
    (axis,) = figure.axes
    found = []
    for box in axis.patches:
        x0, y0, width, height = box.get_x(), box.get_y(), box.get_width(), box.get_height()
        inside = [text for text in axis.texts if x0 < text.get_position()[0] < x0 + width]
        word, weight = (text for text in inside if y0 < text.get_position()[1] < y0 + height)
        found.append((box.get_facecolor()[:3], word, weight))
    return found


def test_each_word_has_its_weight_and_a_shade_of_it():
    weights = np.arange(len(WORDS)) / sum(range(len(WORDS)))
    boxes = boxes_of(words_figure(WORDS, weights))
    assert [word.get_text() for _, word, _ in boxes] == WORDS
    assert [weight.get_text() for _, _, weight in boxes] == [f"{weight:.3f}" for weight in weights]
    for (colour, _, _), weight in zip(boxes, weights, strict=True):
        assert colour == pytest.approx(tint(AUDIO, weight))


def test_text_is_legible_on_every_shade():
    from matplotlib.colors import to_rgb

    boxes = boxes_of(words_figure(["a", "b"], [[share, 1 - share] for share in np.linspace(0.5, 1, 26)]))
    assert len(boxes) == 52
    for colour, *texts in boxes:
        assert all(contrast_ratio(to_rgb(text.get_color()), colour) >= 4.5 for text in texts)


def test_models_have_a_row_each_and_one_scale():
    figure = words_figure(WORDS, [FLAT, HARD], labels=["full", "tjstg, hard"])
    n = len(WORDS)
    boxes = boxes_of(figure)
    assert len(boxes) == 2 * n
    assert [weight.get_text() for _, _, weight in boxes[:n]] == [f"{1 / n:.3f}"] * n
    assert boxes[n + 7][0] == pytest.approx(tint(AUDIO, 1))
    assert "tjstg, hard" in words_of(figure)


@pytest.mark.parametrize(("share", "told"), [(0.7, True), (0.998, True), (0.9995, False), (1.0, False)])
def test_weight_on_padding_is_told(share, told):
    boxes = boxes_of(words_figure(WORDS, share * FLAT))
    last = boxes[-1]
    assert (last[1].get_text() == "padding") is told
    if told:
        assert last[2].get_text() == f"{1 - share:.3f}"
        assert len(boxes) == len(WORDS) + 1


def test_long_questions_go_on_in_the_next_line():
    figure = words_figure(
        WORDS * 2, [np.concatenate([FLAT, FLAT]) / 2] * 2, labels=["full", "a model of a longer name"]
    )
    lines = {box.get_y() for box in figure.axes[0].patches}
    assert len(lines) > 4
    check_legible(figure)


@pytest.mark.parametrize("words", [["a"], ["which"], WORDS])
def test_all_text_is_legible(words):
    check_legible(words_figure(words, np.full(len(words), 0.5 / len(words)), labels=None))


def test_words_are_written_as_they_are():
    figure = words_figure(["$x^2$", "%", "costs", "$"], [0.25] * 4)
    assert [word.get_text() for _, word, _ in boxes_of(figure)] == ["$x^2$", "%", "costs", "$"]
    assert not any(text.get_parse_math() for text in figure.axes[0].texts)


@pytest.mark.parametrize(
    ("weights", "labels", "told"),
    [
        (HARD[:3], None, r"word_weights: expected \(n=18,\) or \(k, n=18\), got \(3,\)"),
        (HARD[None, None], None, r"word_weights: expected \(n=18,\) or \(k, n=18\), got \(1, 1, 18\)"),
        (2 * HARD, None, "word_weights: expected weights that sum to at most 1, got a sum of 2"),
        ([FLAT, HARD], ["full"], "labels: expected k=2, as word_weights has, got 1"),
    ],
)
def test_what_cannot_be_drawn_is_told(weights, labels, told):
    with pytest.raises(DataError, match=told):
        words_figure(WORDS, weights, labels=labels)


def test_it_looks_as_it_did(tmp_path):
    soft = np.array([1, 0, 0, 6, 4, 0, 0, 5, 0, 0, 1, 0, 0, 1, 1, 0, 0, 1]) / 20
    check_image(words_figure(WORDS, [soft, 0.7 * FLAT, HARD], labels=["soft", "flat", "hard"]), "words", tmp_path)
