import os
import struct
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from avground.errors import ConfigError, DataError
from avground.media.decode import RATE, decode
from tests.media.clips import level, tone, write_video

pytest.importorskip("av")
pytest.importorskip("PIL")


def noise(index, height, width):
    """Pictures that do not compress, so that most bytes of a file are theirs."""
    return np.random.default_rng(index).integers(0, 256, (height, width, 3), dtype=np.uint8)


def grays(clip):
    """The gray of each picture, which must be uniform up to what the encoder loses."""
    assert np.ptp(clip.frames, axis=(1, 2, 3)).max() <= 8
    return clip.frames.mean(axis=(1, 2, 3))


def assert_shows(clip, indices):
    assert len(clip.frames) == len(indices)
    assert np.abs(grays(clip) - [level(index) for index in indices]).max() < 4


def sine(seconds, frequency=440.0, start=0.0):
    return tone(frequency)(start + np.arange(round(seconds * RATE)) / RATE)


def fails(path, *words, **settings):
    with pytest.raises(DataError) as error:
        decode(path, **settings)
    message = str(error.value)
    assert message.startswith(f"{path}: ")
    for word in words:
        assert word in message
    return message


# What is on screen, and what is heard.


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.mov", "a.avi"])
def test_the_middle_of_each_second(tmp_path, name):
    clip = decode(write_video(tmp_path / name, seconds=3))
    assert clip.frames.shape == (3, 224, 224, 3)
    assert clip.frames.dtype == np.uint8
    assert_shows(clip, [4, 12, 20])  # Of 8 pictures a second, number 4 appears at 0.5 s.
    assert clip.sound.shape == (3 * RATE,)
    assert clip.sound.dtype == np.float32
    assert clip.video_seconds == pytest.approx(3, abs=0.13)
    assert clip.audio_seconds == pytest.approx(3, abs=0.07)
    assert clip.notes == ()


def test_sound_is_exact_where_the_file_is(tmp_path):
    clip = decode(write_video(tmp_path / "a.mkv", seconds=2))
    assert np.abs(clip.sound - sine(2)).max() < 1 / 32767


@pytest.mark.parametrize("layout", ["mono", "stereo", "5.1"])
@pytest.mark.parametrize("rate", [8_000, 44_100, 48_000])
def test_rates_and_layouts_give_the_same_sound(tmp_path, rate, layout):
    # The same in all channels, so that their mean is as loud as each.
    clip = decode(write_video(tmp_path / "a.mkv", seconds=2, rate=rate, layout=layout))
    assert clip.sound.shape == (2 * RATE,)
    assert np.abs(clip.sound - sine(2))[200:-200].max() < 1e-3


@pytest.mark.parametrize("codec", ["pcm_s16le", "pcm_f32le", "flac"])
def test_the_type_of_samples_does_not_change_the_mix(tmp_path, codec):
    clip = decode(write_video(tmp_path / "a.mkv", seconds=1, layout="stereo", audio_codec=codec))
    assert np.abs(clip.sound - sine(1)).max() < 1e-4


def test_sound_stays_within_one(tmp_path):
    path = write_video(tmp_path / "a.mkv", seconds=1, audio_codec="pcm_f32le", sound=lambda time: 3 * np.sin(9 * time))
    sound = decode(path).sound
    assert (sound.min(), sound.max()) == (-1, 1)


def test_a_tone_begins_where_it_should(tmp_path):
    for name in ("a.mkv", "a.mp4"):
        clip = decode(write_video(tmp_path / name, seconds=3, rate=48_000, sound=tone(since=1.25)))
        heard = np.abs(clip.sound) > 0.1
        assert abs(int(heard.argmax()) - 1.25 * RATE) < 0.005 * RATE


def test_variable_rate_goes_by_timestamps(tmp_path):
    times = [0, 0.1, 0.2, 0.3, 0.45, 1.7, 1.8, 2.49, 2.6]
    clip = decode(write_video(tmp_path / "a.mkv", times=times, audio_seconds=2.7))
    assert_shows(clip, [4, 4, 7])
    assert clip.notes == ("no pictures from 0.6 to 1.7 s",)


def test_pictures_that_begin_later(tmp_path):
    clip = decode(write_video(tmp_path / "a.mkv", seconds=2, video_start=1.5, audio_seconds=3.5))
    assert_shows(clip, [0, 0, 8, 15])  # Nothing is shown before the first picture.
    assert len(clip.sound) == 4 * RATE
    assert clip.notes == ("pictures begin at second 1.5, sound at second 0.0",)


def test_sound_that_begins_later_is_silent_before(tmp_path):
    clip = decode(write_video(tmp_path / "a.mkv", seconds=3, audio_start=1.25, audio_seconds=1.75))
    assert_shows(clip, [4, 12, 20])
    assert not clip.sound[: int(1.24 * RATE)].any()
    assert np.abs(clip.sound[int(1.25 * RATE) :] - sine(1.75, start=1.25)).max() < 1e-3
    assert clip.notes == ("pictures begin at second 0.0, sound at second 1.2",)


def test_a_gap_in_the_sound_is_silence(tmp_path):
    path = write_video(tmp_path / "a.mkv", seconds=4, audio_gap=(1.024, 2.5))
    clip = decode(path)
    sound = clip.sound
    assert clip.notes == ("no sound from 1.0 to 2.6 s",)
    first, last = round(1.024 * RATE), round(2.56 * RATE)
    assert np.abs(sound[:first] - sine(1.024)).max() < 1e-3
    assert not sound[first:last].any()
    assert np.abs(sound[last:] - sine(4 - last / RATE, start=last / RATE)).max() < 1e-3


def test_an_edit_list_is_followed(tmp_path):
    import av

    path = write_video(tmp_path / "whole.mp4", seconds=5, video_codec="libx264", sound=tone(since=3))
    with (
        av.open(str(path)) as whole,
        av.open(str(tmp_path / "edited.mp4"), "w", options={"avoid_negative_ts": "disabled"}) as edited,
    ):
        copies = {stream.index: edited.add_stream_from_template(stream) for stream in whole.streams}
        for packet in whole.demux():
            if packet.dts is not None:  # What lies before 0 is in the file, but not to be shown.
                packet.pts, packet.dts = (int(time - 1.5 / packet.time_base) for time in (packet.pts, packet.dts))
                packet.stream = copies[packet.stream_index]
                edited.mux(packet)
    clip = decode(tmp_path / "edited.mp4")
    assert_shows(clip, [16, 24, 32, 39])
    assert abs(int((np.abs(clip.sound) > 0.1).argmax()) - 1.5 * RATE) < 0.005 * RATE
    assert clip.video_seconds == pytest.approx(3.5)


@pytest.mark.parametrize(("seconds", "rows"), [(0.25, 1), (0.75, 1), (3.25, 3), (3.5, 4), (3.75, 4)])
def test_half_a_second_counts(tmp_path, seconds, rows):
    clip = decode(write_video(tmp_path / "a.mkv", seconds=seconds))
    assert len(clip.frames) == rows
    assert len(clip.sound) == rows * RATE
    kept = min(seconds, rows)
    assert np.abs(clip.sound[: round(kept * RATE)] - sine(kept)).max() < 1e-3
    assert not clip.sound[round(kept * RATE) :].any()


def test_one_picture_short(tmp_path):
    clip = decode(write_video(tmp_path / "a.mp4", seconds=3, times=[n / 8 for n in range(23)], audio_seconds=3))
    assert_shows(clip, [4, 12, 20])


def test_tracks_of_different_length(tmp_path):
    clip = decode(write_video(tmp_path / "a.mkv", seconds=2, audio_seconds=4.2))
    assert (len(clip.frames), len(clip.sound)) == (2, 4 * RATE)
    assert clip.notes == ("pictures end after 2.0 s, sound after 4.2 s",)


def test_a_second_less_is_told(tmp_path):
    clip = decode(write_video(tmp_path / "a.mkv", seconds=2, audio_seconds=1))
    assert (len(clip.frames), len(clip.sound)) == (2, RATE)
    assert clip.notes == ("pictures end after 2.0 s, sound after 1.0 s",)
    clip = decode(write_video(tmp_path / "b.mkv", seconds=2.6, fps=10, audio_seconds=3.4))
    assert (len(clip.frames), len(clip.sound)) == (3, 3 * RATE)
    assert clip.notes == ()  # As many rows.


# A part of a video.


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts"])
def test_longer_than_wanted(tmp_path, name):
    path = write_video(tmp_path / name, seconds=5, video_codec="libx264")
    whole, part = decode(path), decode(path, seconds=2)
    assert np.array_equal(part.frames, whole.frames[:2])
    assert np.array_equal(part.sound, whole.sound[: 2 * RATE])
    assert part.video_seconds == pytest.approx(5, abs=0.2)
    assert part.notes == (f"2 of {max(part.video_seconds, part.audio_seconds):.1f} s used",)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi"])
@pytest.mark.parametrize("start", [1, 7.5, 11])
def test_a_later_start(tmp_path, name, start):
    path = write_video(tmp_path / name, seconds=14, size=32, sound=tone(330))
    whole, part = decode(path), decode(path, start=start, seconds=3)
    assert_shows(part, [round((start + k + 0.5) * 8) for k in range(3)])
    assert np.abs(part.sound - whole.sound[int(start * RATE) :][: 3 * RATE]).max() < 1e-3
    assert part.notes == (f"3 of 14.0 s used from second {start:g}",)


def test_the_end_after_a_later_start(tmp_path):
    path = write_video(tmp_path / "a.mkv", seconds=5)
    clip = decode(path, start=3)
    assert_shows(clip, [28, 36])
    assert len(clip.sound) == 2 * RATE
    assert clip.notes == ("2 of 5.0 s used from second 3",)
    assert_shows(decode(path, start=4.9), [39])


def test_a_start_beyond_the_end(tmp_path):
    path = write_video(tmp_path / "a.mkv", seconds=3, audio_seconds=2)
    fails(path, "start: expected less than 3.0 s, the end of the pictures, got 3", start=3)
    fails(path, "start: expected less than 2.0 s, the end of the sound, got 2.5", start=2.5)


# Pictures of any kind.


def test_large_pictures_are_resized(tmp_path):
    path = write_video(tmp_path / "a.mkv", seconds=1, fps=2, size=(2160, 3840))
    assert_shows(decode(path, size=96), [1])
    assert decode(path, size=96).frames.shape == (1, 96, 96, 3)


def half_white(_, height, width):
    picture = np.zeros((height, width, 3), np.uint8)
    picture[:, : width // 2] = 255
    return picture


def test_a_picture_is_squashed_not_cropped(tmp_path):
    path = write_video(tmp_path / "a.mkv", seconds=1, size=(64, 256), picture=half_white)
    frame = decode(path, size=32).frames[0].mean(axis=2)
    assert frame[:, :14].min() > 240
    assert frame[:, -14:].max() < 15


STRAIGHT, CLOCKWISE = (1 << 16, 0, 0, 0, 1 << 16, 0), (0, 1 << 16, 0, -1 << 16, 0, 0)
"""How MP4 files say where (x, y) comes to lie: as it is, and as in those of a phone that was held upright."""


def test_rotated_pictures_are_upright(tmp_path):
    path = write_video(tmp_path / "a.mp4", seconds=1, size=64, picture=half_white)
    content = path.read_bytes()
    straight, turned = (struct.pack(">9i", *matrix, 0, 0, 1 << 30) for matrix in (STRAIGHT, CLOCKWISE))
    track = content.index(b"tkhd")  # The first track is that of the pictures.
    path.write_bytes(content[:track] + content[track:].replace(straight, turned, 1))
    frame = decode(path, size=32).frames[0].mean(axis=2)
    assert frame[:14].min() > 240  # The left half comes to lie on top.
    assert frame[-14:].max() < 15


def test_resizing_is_that_of_pillow(tmp_path):
    from PIL import Image

    path = write_video(tmp_path / "a.mkv", seconds=1, size=(90, 150), picture=noise, video_codec="ffv1", pixels="bgr0")
    expected = Image.fromarray(noise(4, 90, 150)).resize((64, 64), Image.Resampling.BILINEAR)
    assert np.array_equal(decode(path, size=64).frames[0], np.asarray(expected))


@pytest.mark.parametrize(("codec", "pixels"), [("ffv1", "yuv420p10le"), ("ffv1", "gray"), ("libx264", "yuv444p")])
def test_kinds_of_pixels(tmp_path, codec, pixels):
    clip = decode(write_video(tmp_path / "a.mkv", seconds=2, video_codec=codec, pixels=pixels))
    assert_shows(clip, [4, 12])


# What is the same every time.


def test_twice_the_same(tmp_path):
    path = write_video(tmp_path / "a.mp4", seconds=2, picture=noise, rate=44_100, layout="stereo")
    first = decode(path)
    decode(write_video(tmp_path / "b.mp4", seconds=1))
    second = decode(path)
    assert first.frames.tobytes() == second.frames.tobytes()
    assert first.sound.tobytes() == second.sound.tobytes()


def test_a_name_is_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_video(tmp_path / "a.mkv", seconds=1).rename("http:a.mkv")
    assert len(decode("http:a.mkv").frames) == 1


# What cannot be used.


def test_no_file(tmp_path):
    fails(tmp_path / "a.mp4", "no such file")
    fails(tmp_path, "a folder")
    (tmp_path / "b.mp4").touch()
    fails(tmp_path / "b.mp4", "an empty file")
    os.mkfifo(tmp_path / "c.mp4")
    fails(tmp_path / "c.mp4", "no regular file")
    fails(tmp_path / "a\0.mp4", "null byte")


def test_text(tmp_path):
    (tmp_path / "a.mp4").write_text("not a video\n" * 100)
    fails(tmp_path / "a.mp4", "FFmpeg cannot open: Invalid data found when processing input")


def test_a_playlist_fetches_nothing(tmp_path):
    path = tmp_path / "a.m3u8"
    path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n")
    fails(path, "FFmpeg cannot open")


def test_a_track_is_missing(tmp_path):
    fails(write_video(tmp_path / "a.mp4", audio=False), "a file without a track of sound")
    fails(write_video(tmp_path / "b.mp4", video=False), "a file without a track of pictures")


def test_a_cover_is_no_video(tmp_path):
    fails(write_video(tmp_path / "a.mp4", video=False, cover=True), "a file without a track of pictures")


def test_a_cover_beside_a_video(tmp_path):
    assert_shows(decode(write_video(tmp_path / "a.mp4", seconds=2, cover=True)), [4, 12])


@pytest.mark.parametrize(("name", "kind"), [(b"V_MPEG4", "pictures"), (b"A_PCM", "sound")])
def test_no_decoder(tmp_path, name, kind):
    path = write_video(tmp_path / "a.mkv")
    content = path.read_bytes()
    assert content.count(name) == 1
    path.write_bytes(content.replace(name, name[:2] + b"X" + name[3:]))
    fails(path, f"got no {kind} that can be decoded: FFmpeg has no decoder")


def shortened(path, share):
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    return path


@pytest.mark.parametrize(
    ("name", "options"),
    [("a.mkv", {}), ("a.avi", {}), ("a.mp4", {"movflags": "faststart"}), ("a.webm", {})],
)
def test_cut_short(tmp_path, name, options):
    codecs = {"video_codec": "libvpx", "audio_codec": "libopus", "rate": 48_000} if name == "a.webm" else {}
    path = write_video(tmp_path / name, seconds=8, size=96, picture=noise, options=options, **codecs)
    assert len(decode(path).frames) == 8
    assert len(decode(shortened(path, 0.6), seconds=2).frames) == 2  # All that was wanted is there.
    fails(path, "cut short: the file promises 8.0 s, and ", " s can be decoded")


def test_cut_short_without_an_index(tmp_path):
    path = write_video(tmp_path / "a.mp4", seconds=8, picture=noise)
    fails(shortened(path, 0.9), "expected a complete media file", "Invalid data")


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_damaged_pictures(tmp_path, name):
    path = write_video(tmp_path / name, seconds=8, size=96, picture=noise)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 200] = np.random.default_rng(0).bytes(200)
    path.write_bytes(content)
    message = fails(path, "damaged: ", "in the pictures at second ")
    assert 2.5 < float(message.rsplit(" ", 1)[1]) < 5
    assert len(decode(path, seconds=2).frames) == 2  # The damage is not in what is wanted.


def test_damaged_sound(tmp_path):
    path = write_video(
        tmp_path / "a.mp4", seconds=8, fps=1, size=16, rate=48_000, sound=lambda time: np.sin(time * 1e9) / 2
    )
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 2000] = np.random.default_rng(0).bytes(2000)
    path.write_bytes(content)
    message = fails(path, "damaged: ", "in the sound at second ")
    assert 2 < float(message.rsplit(" ", 1)[1]) < 6


def test_packages_are_missing(tmp_path, monkeypatch):
    monkeypatch.setattr(import_module("avground.media.decode"), "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r'^decoding needs PyAV and Pillow: pip install "avground\[media\]"$'):
        decode(tmp_path / "a.mp4")


@pytest.mark.parametrize("settings", [{"size": 0}, {"seconds": 0}, {"seconds": 1.5}, {"start": -1}, {"start": np.nan}])
def test_settings(tmp_path, settings):
    with pytest.raises(ConfigError, match=rf"^{next(iter(settings))}: expected "):
        decode(Path(tmp_path / "a.mp4"), **settings)
