from io import BytesIO

import numpy as np
import pytest

from avground.errors import ConfigError, DataError
from avground.media.preview import make_preview, read_stills

from .clips import level, tone, write_video


def opened(content):
    import av

    return av.open(BytesIO(content))


def pictures(content):
    """Time and mean level of each picture."""
    with opened(content) as container:
        return [(float(f.time), f.to_ndarray(format="rgb24").mean()) for f in container.decode(video=0)]


def samples(content):
    with opened(content) as container:
        return np.concatenate([f.to_ndarray() for f in container.decode(audio=0)], axis=1)


@pytest.mark.parametrize("name", ["film.mp4", "film.mkv", "film.avi", "film.mov"])
def test_a_copy_has_the_same_pictures_at_the_same_times_and_the_same_sound(tmp_path, name):
    path = write_video(tmp_path / name, seconds=3, fps=8, size=64)
    preview = make_preview(path)
    found = pictures(preview.content)
    assert [time for time, _ in found] == pytest.approx([n / 8 for n in range(24)], abs=2e-3)
    assert [shade for _, shade in found] == pytest.approx(
        [level(n) for n in range(24)], abs=6
    )  # neighbours are 9 apart
    assert preview.seconds == pytest.approx(3, abs=1 / 8)  # AVI does not say how long the last one lasts
    sound = samples(preview.content)
    assert len(sound) == 2
    assert sound.shape[1] / 44_100 == pytest.approx(3, abs=0.1)
    spectrum = abs(np.fft.rfft(sound[0, :44_100]))
    assert spectrum.argmax() == pytest.approx(440, abs=2)


def test_a_copy_is_of_codecs_that_every_browser_plays(tmp_path):
    path = write_video(tmp_path / "film.mkv", seconds=1, video_codec="mpeg4")
    with opened(make_preview(path).content) as container:
        assert container.streams.video[0].codec_context.name == "h264"
        assert container.streams.video[0].codec_context.pix_fmt == "yuv420p"
        assert container.streams.audio[0].codec_context.name == "aac"
        assert "mp4" in container.format.name


@pytest.mark.parametrize("name", ["film.mp4", "film.avi"])
def test_a_stretch_begins_at_its_second(tmp_path, name):
    path = write_video(tmp_path / name, seconds=6, fps=8, sound=tone(since=3))
    preview = make_preview(path, start=2, seconds=2)
    found = pictures(preview.content)
    assert (found[0][0], found[-1][0]) == pytest.approx((0, 15 / 8), abs=2e-3)
    assert [shade for _, shade in found] == pytest.approx(
        [level(n) for n in range(16, 32)], abs=6
    )  # neighbours are 9 apart
    assert preview.seconds == pytest.approx(2, abs=1 / 8)  # AVI does not say how long the last one lasts
    sound = abs(samples(preview.content)[0])
    assert sound[: 44_100 * 9 // 10].max() < 0.05 < sound[44_100 * 11 // 10 :].max()


def test_large_pictures_become_smaller_and_keep_their_aspect(tmp_path):
    path = write_video(tmp_path / "film.mp4", seconds=1, size=(120, 202))
    for height, size in ((60, (100, 60)), (61, (102, 60)), (500, (202, 120))):
        with opened(make_preview(path, height=height).content) as container:
            found = container.streams.video[0]
            assert (found.width, found.height) == size


def test_without_sound_there_is_a_copy_without_sound(tmp_path):
    path = write_video(tmp_path / "film.mp4", seconds=1, audio=False)
    with opened(make_preview(path).content) as container:
        assert not container.streams.audio


def test_stills_are_what_is_on_screen_then(tmp_path):
    from PIL import Image

    path = write_video(tmp_path / "film.mp4", seconds=3, fps=8, size=(64, 128))
    stills = [Image.open(BytesIO(still)) for still in read_stills(path, (0.0, 0.3, 1.5, 9.0), height=32)]
    assert [image.size for image in stills] == [(64, 32)] * 4
    assert all(image.format == "JPEG" for image in stills)
    shades = [np.asarray(image).mean() for image in stills]
    assert shades == pytest.approx([level(0), level(2), level(12), level(23)], abs=6)  # neighbours are 9 apart


def test_pictures_that_begin_late_are_there_from_the_beginning(tmp_path):
    path = write_video(tmp_path / "film.mkv", seconds=2, fps=8, video_start=1.0)
    assert len(read_stills(path, (0.0, 0.5, 2.9))) == 3


def test_what_cannot_be_copied_is_told(tmp_path):
    film = write_video(tmp_path / "film.mp4", seconds=2)
    with pytest.raises(DataError, match=r"film.mp4: expected pictures from second 30 to 90, got none"):
        make_preview(film, start=30)
    with pytest.raises(DataError, match="without a track of pictures"):
        make_preview(write_video(tmp_path / "sound.mp4", seconds=1, video=False))
    with pytest.raises(DataError, match="no such file"):
        make_preview(tmp_path / "none.mp4")
    with pytest.raises(DataError, match="no such file"):
        read_stills(tmp_path / "none.mp4", (0.0,))
    (tmp_path / "text.mp4").write_text("not a film")
    with pytest.raises(DataError, match="FFmpeg cannot open"):
        make_preview(tmp_path / "text.mp4")
    with pytest.raises(DataError, match="ascending"):
        read_stills(film, (1.0, 0.5))
    with pytest.raises(ConfigError, match="height: expected a whole number of at least 16, got 3"):
        make_preview(film, height=3)
    with pytest.raises(ConfigError, match="start: expected a number that is at least 0, got -1"):
        make_preview(film, start=-1)
