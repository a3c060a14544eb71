from types import SimpleNamespace

import pytest
import torch

from avground.data.bank import bank_bytes
from avground.errors import ConfigError
from avground.training import make_model, train
from avground.training import placement as module
from avground.training.placement import load_features, place_features

CPU = torch.device("cpu")


@pytest.fixture
def place(make_run, splits, monkeypatch):
    """Decide for a machine with so much free memory, in shares of what the features need."""

    def decide(features_on, *, host=100.0, cuda=None, devices=1, model="tjstg_sharp"):
        run = make_run(features_on=features_on, devices=devices, model=model, stage_one_epochs=0)
        built = make_model(run, splits)
        video_ids, audio_ids = splits.videos
        needed = bank_bytes(splits.features, video_ids, audio_ids=audio_ids, lengths=model == "tjstg_sharp")
        monkeypatch.setattr(module, "available_memory", lambda: None if host is None else int(host * needed))
        if cuda is not None:
            monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: [int(part * needed) for part in cuda])
        device = CPU if cuda is None else torch.device("cuda", 0)
        return place_features(run, splits, built, SimpleNamespace(device=device, world_size=1))

    return decide


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"host": 2.01}, "cpu"),
        ({"host": 1.99}, None),  # half is left to others
        ({"host": 4.01, "devices": 2}, "cpu"),
        ({"host": 3.99, "devices": 2}, None),  # each process has its own
        ({"host": None}, "cpu"),
        ({"cuda": (2.0, 4.0)}, "cuda"),
        ({"cuda": (2.0, 6.0)}, "cpu"),  # a fifth of the device is left to the model
        ({"cuda": (2.0, 6.0), "host": 1.9}, None),
    ],
)
def test_auto_takes_the_first_place_with_room(place, options, expected):
    found = place("auto", **options)
    assert (None if found.device is None else found.device.type) == expected
    if expected != "cuda" and "cuda" in options:
        assert "cuda: " in found.text  # says why not


@pytest.mark.parametrize(
    ("asked", "options", "expected"),
    [
        ("host", {"host": 1.01}, "cpu"),
        ("device", {"host": 1.01}, "cpu"),
        ("host", {"cuda": (9.0, 9.0), "host": 1.01}, "cpu"),
        ("device", {"cuda": (2.0, 4.0)}, "cuda"),
        ("disk", {"cuda": (2.0, 4.0)}, None),
    ],
)
def test_a_place_that_is_asked_for_is_taken(place, asked, options, expected):
    found = place(asked, **options)
    assert (None if found.device is None else found.device.type) == expected


@pytest.mark.parametrize(
    ("asked", "options", "got"),
    [
        ("host", {"host": 0.5}, "cpu: .* free"),
        ("device", {"host": 0.5}, "cpu: .* free"),
        ("device", {"cuda": (1.5, 4.0), "host": 9.0}, "cuda: .* free"),
        ("host", {"cuda": (9.0, 9.0), "host": 0.5}, "cpu: .* free"),
    ],
)
def test_a_place_without_room_is_refused_with_sizes(place, asked, options, got):
    with pytest.raises(
        ConfigError, match=rf"^features_on='{asked}': expected room for \d\.\d MB of features, got {got}"
    ):
        place(asked, **options)


def test_lengths_are_kept_for_models_that_ground_by_cosines(place):
    assert place("auto").lengths
    assert place("auto", model="avst").lengths
    assert place("auto", model="tjstg_released").lengths
    assert not place("auto", model="tjstg").lengths
    assert not place("auto", model="avsd").lengths


def test_features_that_stay_on_disk_are_kept_where_they_fit(place, splits):
    assert load_features(place("disk"), splits, progress=False) is None
    assert splits.features.in_memory


@pytest.mark.parametrize("features_on", ["auto", "device", "host", "disk"])
def test_what_a_run_says(make_run, tmp_path, capsys, features_on):
    train(make_run(epochs=1, features_on=features_on), tmp_path)
    (line,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("features  "))
    assert line.startswith(
        "features  on disk (float32)" if features_on == "disk" else "features  0.1 MB (float32) on cpu: "
    )


def test_features_without_room_are_refused_before_anything_is_written(make_run, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "available_memory", lambda: 1000)
    with pytest.raises(ConfigError, match="features_on='host'"):
        train(make_run(features_on="host"), tmp_path / "out")
    assert not (tmp_path / "out").exists()
    report = train(make_run(epochs=1), tmp_path / "out")
    assert report["run"]["features_on"] == "auto"
