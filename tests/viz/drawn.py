"""What the tests of all figures share: pictures to compare with, and a look at what is written in a figure."""

import os
import shutil
from itertools import combinations
from pathlib import Path

import pytest

IMAGES = Path(__file__).with_name("images")
ANEW = "AVGROUND_NEW_IMAGES"
"""Set to 1, the tests write the pictures that they compare with, and fail: somebody has to look at them first."""

TOLERANCE = 1.0
"""Root mean square of the differences, of 255: less than a digit makes in a figure of a few boxes."""
_DPI = 60


def check_image(figure, name, folder):
    """Fail unless a figure looks like ``images/<name>.png``; the folder then holds it, and the difference."""
    import matplotlib as mpl
    from matplotlib.testing.compare import compare_images
    from matplotlib.testing.exceptions import ImageComparisonFailure
    from PIL import Image

    expected, drawn = IMAGES / f"{name}.png", folder / f"{name}.png"
    version = ".".join(mpl.__version__.split(".")[:2])
    figure.savefig(drawn, dpi=_DPI, metadata={"Software": None, "matplotlib": version}, pil_kwargs={"optimize": True})
    if os.environ.get(ANEW) == "1":
        shutil.copyfile(drawn, expected)
        pytest.fail(f"{expected} was drawn anew: look at it, then run the test without {ANEW}")
    with Image.open(expected) as image:
        made_with = image.info["matplotlib"]
    if made_with != version:
        pytest.skip(f"{expected.name} was drawn with matplotlib {made_with}; {version} sets text otherwise")
    try:
        difference = compare_images(expected, drawn, TOLERANCE)
    except ImageComparisonFailure as error:  # another size
        difference = f"{error}\nExpected: {expected}\nActual: {drawn}"
    if difference:
        pytest.fail(difference)


def texts_of(figure):
    """All that can be read in a figure, as artists."""
    from matplotlib.text import Text

    figure.draw_without_rendering()
    hidden = {id(text) for axes in figure.axes for text in _never_drawn(axes)}
    texts = figure.findobj(Text)
    return [text for text in texts if text.get_visible() and text.get_text().strip() and id(text) not in hidden]


def _never_drawn(axes):
    """What belongs to axes that are off, and to ticks beyond their ends."""
    for axis in (axes.xaxis, axes.yaxis):
        low, high = sorted(axis.get_view_interval())
        for tick in axis.get_major_ticks():
            if not (axes.axison and low <= tick.get_loc() <= high):
                yield from (tick.label1, tick.label2)
        if not axes.axison:
            yield axis.label


def words_of(figure):
    """All that is written in a figure, one after the other."""
    return "\n".join(text.get_text() for text in texts_of(figure))


def check_legible(figure, least=5.5):
    """Fail if texts overlap, leave the figure or are small."""
    texts = texts_of(figure)
    boxes = [(text.get_text(), text.get_window_extent()) for text in texts]
    assert min(text.get_fontsize() for text in texts) >= least
    for text, box in boxes:
        assert figure.bbox.x0 - 1 <= box.x0 <= box.x1 <= figure.bbox.x1 + 1, f"{text!r} leaves the figure sideways"
        assert figure.bbox.y0 - 1 <= box.y0 <= box.y1 <= figure.bbox.y1 + 1, f"{text!r} leaves the figure"
    for (one, a), (other, b) in combinations(boxes, 2):
        wide, tall = min(a.x1, b.x1) - max(a.x0, b.x0), min(a.y1, b.y1) - max(a.y0, b.y0)
        assert not (wide > 1 and tall > 1), f"{one!r} and {other!r} overlap"
