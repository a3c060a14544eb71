import pytest

from avground import cli
from avground.data import pocket
from avground.training.loop import Loop


def main(options):
    return cli.main(["train", *options])


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("AVGROUND_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("options", "listed"),
    [
        (["--model", "tjst"], "'tjstg'"),
        (["--world", "cores"], "'core'"),
        (["--ablation", "none"], "'without_synchrony'"),
        (["--device", "gpu"], "'cuda'"),
        (["--precision", "fp16"], "'16-mixed'"),
        (["--features-on", "gpu"], "'host'"),
        (["--graph", "yes"], "'off'"),
        (["--data", "x", "--world", "core"], "not allowed with argument --data"),
        (["--epoch", "3"], "--epoch"),
    ],
)
def test_a_wrong_name_is_an_error_that_lists_the_right_ones(options, listed, capsys, tmp_path):
    with pytest.raises(SystemExit) as stop:
        main(options)
    assert stop.value.code == 2
    assert listed in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--epochs", "0"], "epochs: expected a whole number of at least 1, got 0"),
        (["--model", "avst", "--ablation", "full"], "model: expected 'tjstg'"),
        (["--data", "nowhere"], "nowhere: expected json/ with question files"),
        (["--data", "nowhere", "--resume"], "resume: expected last.pt or best.pt in runs/tjstg-nowhere-0"),
    ],
)
def test_what_cannot_be_is_named_before_a_world_is_made(options, named, capsys, tmp_path):
    assert main(options) == 1
    assert named in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_says_how_to_go_on(tmp_path, monkeypatch, capsys):
    world = pocket.World(types=4, rows=6, columns=6, channels=8, train=10, val=3, test=5, questions=3)
    folder = str(pocket.generate(tmp_path / "mine", world, progress=False))
    options = ["--data", folder, "--epochs", "1", "--batch-size", "8", "--device", "cpu", "--output", "out"]
    with monkeypatch.context() as patch:
        patch.setattr(Loop, "_step", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        assert main(options) == 130
    assert "To go on, run the same again with --resume" in capsys.readouterr().err
    assert main([*options, "--resume"]) == 0
    assert (tmp_path / "out" / "metrics.json").exists()


def test_where_features_lie(tmp_path, capsys):
    world = pocket.World(types=4, rows=6, columns=6, channels=8, train=10, val=3, test=5, questions=3)
    folder = str(pocket.generate(tmp_path / "mine", world, progress=False))
    run = ["--data", folder, "--epochs", "1", "--stage-one-epochs", "0", "--dim", "8", "--device", "cpu"]
    assert main([*run, "--output", "a", "--features-on", "disk", "--graph", "off"]) == 0
    assert "\nfeatures  on disk (float32)\n" in capsys.readouterr().out
    assert main([*run, "--output", "b", "--features-on", "host", "--graph", "on"]) == 1
    assert "graph='on': expected a CUDA device, got cpu" in capsys.readouterr().err


def test_one_of_several_data_sets_and_unknown_words(tmp_path):
    world = pocket.World(types=4, rows=6, columns=6, channels=8, train=10, val=3, test=5, questions=3)
    folder = pocket.generate(tmp_path / "mine", world, progress=False)
    (folder / "truth.json").unlink()
    for split, name in (("train", "train"), ("val", "valid"), ("test", "test")):
        path = folder / "json" / f"avqa-{split}.json"
        text = path.read_text()
        for prefix in ("bias", "balance"):
            (folder / "json" / f"{prefix}_{name}.json").write_text(text.replace("Is there", "Is really there"))
        path.unlink()
    run = ["--data", str(folder), "--epochs", "1", "--stage-one-epochs", "0", "--dim", "8", "--device", "cpu"]
    assert main([*run, "--output", "a"]) == 1
    assert main([*run, "--output", "b", "--prefix", "bias", "--unknown-words", "skip", "--matching", "0"]) == 0
