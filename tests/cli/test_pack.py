import sys

import pytest

from avground.cli import main
from avground.data import pocket
from avground.data.store import FeatureStore


@pytest.fixture(scope="module")
def feats(tmp_path_factory):
    world = pocket.World(types=4, rows=6, columns=6, channels=8, train=4, val=2, test=2, questions=2)
    return pocket.generate(tmp_path_factory.mktemp("world") / "pocket", world, progress=False) / "feats"


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("AVGROUND_CACHE", str(tmp_path / "cache"))


def test_pack_and_verify(feats, tmp_path, capsys):
    path = tmp_path / "feats.safetensors"
    assert main(["pack", str(feats), "--output", str(path), "--dtype", "bfloat16"]) == 0
    assert "sound of 8 videos, pictures of 8, 8 x 6 x 6" in capsys.readouterr().out
    assert FeatureStore(path).describe()["visual"]["precision"] == "bfloat16"
    for features, names in ((path, ("audio", "visual")), (feats, ("res18_14x14", "vggish"))):
        assert main(["verify", str(features)]) == 0
        assert f"{names[0]} of 8 videos, {names[1]} of 8 videos: good" in capsys.readouterr().out
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert main(["verify", str(path)]) == 1
    assert "1 of 16 cannot be used: visual of" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--output", "x.bin"], "output: expected a name that ends in .safetensors, got 'x.bin'"),
        (["--output", "x.safetensors", "--every", "7"], "every: expected a divisor of the rows of a full video"),
        (["--output", "x.safetensors", "--audio-features", "mine"], "mine: expected a folder of .npy files, got none"),
    ],
)
def test_what_cannot_be_is_named(feats, options, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["pack", str(feats), *options]) == 1
    assert message in capsys.readouterr().err
    assert not list(tmp_path.glob("*x*"))


def test_a_file_where_a_folder_should_be_is_an_error_in_one_line(feats, tmp_path, capsys):
    (tmp_path / "file").touch()
    assert main(["pack", str(feats), "--output", str(tmp_path / "file" / "x.safetensors")]) == 1
    assert capsys.readouterr().err.startswith("error: ")


def test_a_missing_package_is_named_with_the_extra_that_brings_it(monkeypatch, capsys):
    for module in [name for name in sys.modules if name.startswith(("avground.training", "avground.cli.train"))]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "lightning", None)
    monkeypatch.setitem(sys.modules, "lightning.fabric", None)
    assert main(["train", "--help"]) == 1
    assert 'error: avground train needs lightning.fabric: pip install "avground[train]"' in capsys.readouterr().err
