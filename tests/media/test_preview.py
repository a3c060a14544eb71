from fractions import Fraction
from io import BytesIO

import numpy as np
import pytest

from avground.errors import ConfigError, DataError
from avground.media.preview import make_preview, read_length, read_stills

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
    for height, size in ((60, (100, 60)), (61, (100, 60)), (63, (104, 62)), (500, (202, 120))):
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
    assert shades(read_stills(path, (0.0, 0.5, 2.9))) == pytest.approx([level(0), level(0), level(15)], abs=6)


def shades(stills):
    from PIL import Image

    return [np.asarray(Image.open(BytesIO(still))).mean() for still in stills]


def test_a_picture_is_on_until_the_next_one(tmp_path):
    slides = write_video(tmp_path / "slides.mkv", seconds=15, times=(0.0, 5.0, 10.0))
    preview = make_preview(slides, start=2, seconds=6)
    found = pictures(preview.content)
    assert [time for time, _ in found] == pytest.approx([0, 3], abs=2e-3)
    assert [shade for _, shade in found] == pytest.approx([level(0), level(1)], abs=6)
    assert preview.seconds == 6
    assert shades(read_stills(slides, (2.0, 7.0, 12.0))) == pytest.approx([level(0), level(1), level(2)], abs=6)


def test_a_jump_that_lands_too_late_is_made_up_for(tmp_path):
    path = write_video(tmp_path / "film.ts", seconds=20, fps=8, video_codec="libx264")
    found = pictures(make_preview(path, start=12, seconds=2).content)
    assert (found[0][0], found[-1][0]) == pytest.approx((0, 15 / 8), abs=0.13)
    # The sound begins a moment earlier, and so does the file: the picture before is still on.
    assert [shade for _, shade in found[:3]] == pytest.approx([level(95), level(96), level(97)], abs=6)
    assert shades(read_stills(path, (12.5,))) == pytest.approx([level(99)], abs=6)


def test_sound_may_change_its_format_in_the_middle(tmp_path):
    parts = [
        write_video(tmp_path / f"{rate}.ts", seconds=2, rate=rate, layout=layout, video_codec="libx264")
        for rate, layout in ((44_100, "stereo"), (48_000, "mono"))
    ]
    path = tmp_path / "both.ts"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    assert abs(samples(make_preview(path, seconds=2).content)).max() > 0.3


def test_pixels_that_are_not_square_become_square(tmp_path):
    import av

    path = tmp_path / "wide.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=8)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(2, 1)
        for _ in range(8):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")))
        container.mux(stream.encode(None))
    with opened(make_preview(path).content) as container:
        assert (container.streams.video[0].width, container.streams.video[0].height) == (128, 64)


def test_the_length_is_what_the_file_says(tmp_path):
    assert read_length(write_video(tmp_path / "film.mp4", seconds=3)) == pytest.approx(3, abs=0.1)


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
