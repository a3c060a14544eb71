"""The commands and the code of docs/models.md, one after the other, on a small run."""

import re
import shlex
import shutil
from pathlib import Path

import huggingface_hub
import pytest

from avground import cli
from avground.hub import PretrainedModel

PAGE = (Path(__file__).parents[2] / "docs" / "models.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(bash|python)\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def pushed(monkeypatch):
    """A hub that keeps folders here."""
    kept = Path("hub")

    class Api:
        def __init__(self, **_):
            pass

        def create_repo(self, repo_id, **_):
            return huggingface_hub.RepoUrl(f"https://huggingface.co/{repo_id}")

        def upload_folder(self, *, repo_id, folder_path, **_):
            shutil.copytree(folder_path, kept / repo_id)

    monkeypatch.setattr(huggingface_hub.hub_mixin, "HfApi", Api)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", lambda name, file, **_: str(kept / name / file))
    return kept


def test_the_page_works_as_written(trained, pushed, tmp_path, monkeypatch, capsys):
    shutil.copytree(trained, tmp_path / "runs" / "tjstg")
    monkeypatch.chdir(tmp_path)
    done = []
    for language, text in BLOCKS:
        if language == "python":
            exec(text, {})
            continue
        (command,) = text.splitlines()
        if command.startswith("avground export "):
            assert cli.main(shlex.split(command)[1:]) == 0
            done.append(command)
        else:  # what installs, and what needs a film: see tests/answer
            assert command.startswith(("pip install ", "avground answer concert.mp4 "))
    assert len(done) == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("hub", "model.onnx", "model.pt2", "my-model", "runs", "the-same-model")
    ]
    answers = PretrainedModel.from_pretrained("someone/name").vocabulary.answers
    printed = capsys.readouterr().out.splitlines()
    assert f"tjstg_sharp {len(answers)} answers" in printed
    assert sum(line in answers for line in printed) == 2
