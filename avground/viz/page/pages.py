"""The two pages: one video with its questions, and a whole test split."""

from collections.abc import Mapping, Sequence

from avground.errors import DataError, brief
from avground.viz.example import Example, Footage
from avground.viz.page.document import document
from avground.viz.page.payload import payload


def explain_page(
    footage: Footage, examples: Sequence[Example], *, title: str = "Where and when the model looked"
) -> str:
    """Make a page on which a video plays with the heat of each model over it.

    The page holds all it shows, asks the network for nothing, and consists of ASCII characters only. Several questions
    can be chosen from; the models of a question stand side by side and share the playhead. Chrome 123, Firefox 121,
    Safari 17.5 and later ones show it.

    Args:
        footage: The video, or its frames, or only its length.
        examples: Questions about it, with what each model made of them.
        title: Heading of the page.

    Returns:
        The page. Weights in it are rounded as :func:`avground.viz.page.payload.pack_weights` says.

    Raises:
        DataError: if there are no examples, or they are about several videos, or begin after the video ends.
    """
    videos = sorted({example.video for example in examples})
    if len(videos) > 1:
        raise DataError(f"examples: expected questions about one video, got {brief(videos)}")
    return document("explain", title, payload({video: footage for video in videos}, examples))


def gallery_page(
    footage: Mapping[str, Footage], examples: Sequence[Example], *, title: str = "What the model looked at"
) -> str:
    """Make a page that browses the questions of a whole test split: to filter, search, sort, and open each.

    A card shows the frame nearest to the second that got most attention; footage without frames has none. What opens
    is what :func:`explain_page` shows. Footage that several examples share is stored once, and none that no example
    is about.

    Args:
        footage: What there is to see of each video, by its id.
        examples: The questions, in the order of the data set; the first model of each is the one that is judged.
        title: Heading of the page.

    Returns:
        The page, made as that of :func:`explain_page`.

    Raises:
        DataError: if there are no examples, or one is about a video without footage, or begins after its video ends.
    """
    return document("gallery", title, payload(footage, examples))
