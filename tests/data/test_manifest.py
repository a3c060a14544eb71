import dataclasses
import json

import numpy as np
import pytest

from avground.data import FeatureFolder, Manifest
from avground.data.manifest import FILE, dump_manifest, read_manifest
from avground.errors import ConfigError, DataError

SOUND = Manifest(kind="audio", extractor="logmel", shape=(4,))
PICTURES = Manifest(
    kind="visual", extractor="resnet18", shape=(3, 2, 5), weights="ab" * 32, settings={"statistics": "kinetics"}
)


def write(folder, manifest):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FILE).write_text(dump_manifest(manifest))


@pytest.mark.parametrize("manifest", [SOUND, PICTURES])
def test_what_is_written_is_read(tmp_path, manifest):
    assert read_manifest(tmp_path) is None
    write(tmp_path, manifest)
    assert read_manifest(tmp_path) == manifest


def test_differences_name_both_sides_and_leave_versions_out():
    other = Manifest(
        kind="visual",
        extractor="resnet18",
        shape=(3, 2, 5),
        weights="cd" * 32,
        settings={"statistics": "imagenet"},
        versions={"torch": "3"},
    )
    found = PICTURES.differences(other)
    assert found == f"weights '{'ab' * 32}', not '{'cd' * 32}', statistics 'kinetics', not 'imagenet'"
    assert Manifest(**{**vars_of(PICTURES), "versions": {"torch": "3"}}).differences(PICTURES) == ""


def vars_of(manifest):
    return {**manifest.to_dict(), "shape": manifest.shape}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "expected a manifest, got a text that does not parse as JSON"),
        ("[" * 100_000, "expected a manifest, got a text that does not parse as JSON: maximum recursion"),
        ("[]", "expected a manifest of the format 'avground features 1', got another file"),
        ('{"format": "avground features 2"}', "expected a manifest of the format"),
        ('{"format": "avground features 1"}', r"expected the keys \['extractor', 'kind'"),
        (dump_manifest(SOUND).replace('"audio"', '"smell"'), "kind: expected one of 'audio', 'visual', got 'smell'"),
        (dump_manifest(SOUND).replace('"rate": 1.0', '"rate": 0'), "rate: expected a number above 0, got 0"),
        (dump_manifest(SOUND).replace('"rate": 1.0', '"rate": 1e308'), "rate, seconds: expected 1 to 100000 rows"),
        (dump_manifest(SOUND).replace('"logmel"', "5"), "extractor: expected a string, got 5"),
        (dump_manifest(SOUND).replace('"weights": null', '"weights": [1]'), "weights: expected a string, got"),
        (dump_manifest(SOUND).replace('"settings": {}', '"settings": []'), "settings: expected a mapping, got"),
        (dump_manifest(SOUND).replace("    4\n", "    -4\n"), "shape, seconds: expected a whole number of at least 1"),
    ],
)
def test_a_manifest_that_cannot_be_read_is_named(tmp_path, text, message):
    (tmp_path / FILE).write_text(text)
    with pytest.raises(DataError, match=f"{FILE}: {message}"):
        read_manifest(tmp_path)


def test_a_setting_that_is_no_number_is_named():
    with pytest.raises(ConfigError, match="seconds: expected a whole number"):
        Manifest(kind="audio", extractor="x", shape=(4,), seconds=0)


def test_features_of_another_shape_than_the_manifest_says_are_refused(feats):
    write(feats / "vggish", Manifest(kind="audio", extractor="vggish", shape=(128,)))
    folder = FeatureFolder(feats)
    with pytest.raises(DataError, match=r"a\.npy: expected \(rows, 128\) as the manifest says, got \(60, 4\)"):
        folder.check(["a"], progress=False)


def test_sound_and_pictures_of_other_seconds_are_refused(feats):
    write(feats / "vggish", Manifest(kind="audio", extractor="vggish", shape=(4,), seconds=10))
    write(feats / "res18_14x14", PICTURES)
    with pytest.raises(DataError, match="of as many seconds, got 10 s of 'vggish' and 60 s of 'resnet18'"):
        FeatureFolder(feats)


def test_a_manifest_tells_how_many_rows_a_full_video_has(feats, save):
    for kind, item in (("vggish", (4,)), ("res18_14x14", (3, 2, 5))):
        save(kind, "f", (28, *item))
    for seconds, layout in ((30, 30), (60, 60), (90, 60)):
        write(feats / "vggish", Manifest(kind="audio", extractor="vggish", shape=(4,), seconds=seconds))
        folder = FeatureFolder(feats)
        folder.check(["f"], progress=False)
        assert folder.kinds["audio"].layout == layout
        assert folder.kinds["visual"].layout == 60


def test_folders_of_other_names_are_found_by_their_manifests(feats):
    (feats / "vggish").rename(feats / "mine")
    with pytest.raises(DataError, match=r"vggish: expected a folder of \.npy files, got none"):
        FeatureFolder(feats)
    write(feats / "mine", SOUND)
    assert FeatureFolder(feats).kinds["audio"].directory == feats / "mine"
    write(feats / "other", SOUND)
    with pytest.raises(DataError, match="expected one folder of audio features, got mine, other: name the one to use"):
        FeatureFolder(feats)
    assert FeatureFolder(feats, audio="mine").kinds["audio"].manifest == SOUND


def test_the_published_name_comes_first(feats):
    write(feats / "other", SOUND)
    assert FeatureFolder(feats).kinds["audio"].directory == feats / "vggish"


def test_the_file_is_plain_json():
    assert json.loads(dump_manifest(PICTURES))["settings"] == {"statistics": "kinetics"}


def test_more_rows_than_a_minute_need_a_manifest_that_says_so(feats, save):
    for kind, item in (("vggish", (4,)), ("res18_14x14", (3, 2, 5))):
        save(kind, "g", (90, *item))
    with pytest.raises(DataError, match=r"g\.npy: expected \(rows, c\) with at most 60 rows, got \(90, 4\)"):
        FeatureFolder(feats).check(["g"], progress=False)
    for kind, manifest in (("vggish", SOUND), ("res18_14x14", PICTURES)):
        write(feats / kind, dataclasses.replace(manifest, seconds=90))
    folder = FeatureFolder(feats)
    folder.check(["g"], progress=False)
    assert folder.kinds["audio"].layout == 90
    assert folder.audio(["g"]).shape == (1, 10, 4)


def test_a_manifest_of_the_other_kind_is_refused(feats):
    write(feats / "vggish", PICTURES)
    with pytest.raises(
        DataError, match="expected audio features with rows of 1 dimensions, got visual features of shape"
    ):
        FeatureFolder(feats)


def test_sound_and_pictures_of_one_rate_are_taken_from_the_same_seconds(tmp_path, save):
    for kind, item, lengths in (("vggish", (4,), {"a": 10, "c": 60}), ("res18_14x14", (3, 2, 5), {"a": 10})):
        values = {video: save(kind, video, (length, *item)) for video, length in lengths.items()}
        write(tmp_path / "feats" / kind, SOUND if kind == "vggish" else PICTURES)
    folder = FeatureFolder(tmp_path / "feats")
    folder.check(["a"], audio_ids=["a", "c"], progress=False)
    assert {kind.layout for kind in folder.kinds.values()} == {60}
    assert np.array_equal(folder.visual(["a"])[0].numpy(), values["a"][np.minimum(np.arange(0, 60, 6), 9)])
