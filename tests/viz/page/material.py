"""Small footage and examples whose every number is known."""

from io import BytesIO

import numpy as np
import pytest

from avground.viz import Attention, Example, Footage, Outline
from tests.media.clips import level, write_video

STARTS = (0.0, 2.0, 4.0)  # Of six seconds: between them no model looked.
WORDS = ("How", "many", "violins", "sound")
HOSTILE = "</script><script>alert(1)</script> <img src=x onerror=alert(2)> & \u2028 \u00fc?"


def jpeg(gray, size=(32, 18)):
    content = BytesIO()
    pytest.importorskip("PIL.Image").new("L", size, gray).convert("RGB").save(content, "JPEG")
    return content.getvalue()


def video(folder, name="a.mp4", **settings):
    """Six seconds of gray pictures, 8 a second, 96 x 64, as browsers play them."""
    pytest.importorskip("av")
    settings = {"seconds": 6, "size": (64, 96), "video_codec": "libx264", "rate": 44_100, **settings}
    return write_video(folder / name, **settings).read_bytes()


def frames():
    """What :class:`Footage` is told of six gray pictures, one a second."""
    return {"frames": tuple(jpeg(level(k)) for k in range(6)), "frame_starts": tuple(map(float, range(6)))}


def maps(seed, shape=(3, 4, 4), sharp=1.0):
    scores = sharp * np.random.default_rng(seed).normal(size=shape)
    weights = np.exp(scores)
    return weights / weights.sum((1, 2), keepdims=True)


def row(*values):
    return np.array(values) / sum(values)


def attention(
    model="sharp", answer="two", *, seed=0, sharp=1.0, shape=(3, 4, 4), words=(0.1, 0.2, 0.6, 0.05), share=0.7
):
    """A model that looked most at second 2 and heard most at second 4."""
    return Attention(
        model,
        [(answer, share), ("one", 0.2 * share), ("zero", 0.1 * share)],
        STARTS,
        maps(seed, shape, sharp),
        row(1, 2, 5),
        row(2, 6, 2),
        word_weights=words,
    )


OUTLINES = (
    Outline("violin", ((0, 0), (0, 1), (1, 0)), 4, 4, target=True),
    Outline("piano", ((3, 3),), 4, 4),
)


def example(*models, video="v", **settings):
    models = models or (attention(),)
    settings = {"answer": "two", "type": ("Audio", "Counting"), "outlines": OUTLINES, **settings}
    return Example(video, WORDS, models, question="How many violins sound?", **settings)


def pair():
    """Two models of one example: grids of other sizes, and one that chooses no word."""
    return example(attention(), attention("flat", "one", seed=1, sharp=0.02, shape=(3, 2, 3), words=None))


def features_only(seconds=6.0, **settings):
    return Footage(seconds, **settings)


def split(count, videos=None, **settings):
    """A split of examples about some videos, each with one gray frame of its own."""
    generator = np.random.default_rng(0)
    kinds = [("Audio", "Counting"), ("Visual", "Location"), ("Audio-Visual", "Counting")]
    examples = []
    for number in range(count):
        one = attention(
            answer=("two", "one", "zero")[number % 4 % 3],
            seed=number,
            sharp=generator.uniform(0.01, 2),
            share=generator.uniform(0.3, 0.99),
        )
        known = None if number % 10 == 9 else "two"
        examples.append(example(one, video=f"v{number % (videos or count)}", answer=known, type=kinds[number % 3]))
    footage = {
        f"v{k}": Footage(6.0, frames=(jpeg(40 + k % 200),), frame_starts=(2.0,), **settings)
        for k in range(videos or count)
    }
    return footage, examples
