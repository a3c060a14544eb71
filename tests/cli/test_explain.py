import re

import pytest

from avground import cli
from tests.answer.conftest import film, manifests, no_cache, save, trained
from tests.answer.untrained import TEMPLATES

__all__ = ["film", "manifests", "no_cache", "save", "trained"]


@pytest.fixture
def run(capsys, tmp_path, monkeypatch):
    """Runs the command; returns its status and what it printed."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        status = cli.main([*map(str, arguments), "--device", "cpu"])
        return status, capsys.readouterr()

    return call


def test_a_video_and_its_questions_become_a_page(run, save, film, tmp_path):
    sharp, avst = save(name="sharp.pt"), save("avst", name="avst.pt")
    asked = (film, *TEMPLATES[:1], "Is the flute louder than the acoustic_guitar?")
    status, told = run("explain", *asked, "--checkpoint", sharp, "--compare", avst, "--output", "page.html")
    assert status == 0, told.err
    page = (tmp_path / "page.html").read_text()
    for text in (TEMPLATES[0], "TJSTG sharp", "AVST", "film.mp4"):
        assert text in page
    lines = told.out.splitlines()
    assert lines[-1] == "page.html"
    assert re.fullmatch(r"How many .*\? TJSTG sharp: \w+ \(\d+%\); AVST: \w+ \(\d+%\)", lines[0])
    assert len(lines) == 3


def first_question(trained):
    from avground.answer.dataset import AnsweredData
    from avground.hub import PretrainedModel

    model = PretrainedModel.from_checkpoint(trained / "best.pt")
    return AnsweredData({"ours": model}, device="cpu").splits


def test_a_video_of_a_data_set_is_asked_all_its_questions(run, trained, tmp_path):
    splits = first_question(trained)
    video_id = splits.records["test"][0].video_id
    own = [record for record in splits.records["test"] if record.video_id == video_id]
    options = ("--data", splits.folder, "--checkpoint", trained / "best.pt", "--output", "page.html")
    status, told = run("explain", video_id, *options)
    assert status == 0, told.err
    assert [line.split("?")[0] for line in told.out.splitlines()[:-1]] == [" ".join(record.words) for record in own]
    assert all(f"(right: {record.answer})" in told.out for record in own)

    words = " ".join(own[0].words)
    status, told = run("explain", video_id, f"{words}?", *options, "--overwrite")
    assert told.out.count("(right: ") == 1

    new = next(record for record in splits.records["test"] if record.words not in [one.words for one in own])
    status, told = run("explain", video_id, " ".join(new.words), *options, "--overwrite")
    assert status == 0
    assert "right: " not in told.out

    status, told = run("explain", video_id, " ? ", *options, "--overwrite")
    assert (status, told.err) == (1, "error: question ' ? ': expected a question, got no word\n")


def test_what_cannot_be_is_told_before_any_work(run, save, film, trained, tmp_path, monkeypatch):
    monkeypatch.setattr("avground.hub.PretrainedModel.load", lambda *_, **__: pytest.fail("a model was loaded"))
    path = save()
    there = tmp_path / "there.html"
    there.write_text("mine")
    rest = ("--checkpoint", path, "--output")
    cases = {
        ("explain", film, TEMPLATES[0], *rest, there): "--output: expected a new file, got .*there.html, which exists",
        ("explain", film, TEMPLATES[0], *rest, tmp_path): "--output: expected a file, got the folder",
        ("explain", "none.mp4", TEMPLATES[0], *rest, "p.html"): "VIDEO: expected a file, or the id of a video together",
        ("explain", film, *rest, "p.html"): "QUESTION: expected at least one, got none",
        ("explain", film, "Is it?", *rest, "p.html", "--features", "x"): "--features: expected it together with --data",
        ("explain", "x", *rest, "p.html", "--data", "d", "--start", "1"): "--start: expected 0 together with --data",
        ("explain", "x", *rest, "p.html", "--data", "d", "--audio", "logmel"): "--audio: expected none together with",
        (
            "explain",
            film,
            "Is it?",
            *rest,
            "p.html",
            "--height",
            "3",
        ): "--height: expected a whole number of at least 16",
        ("explain", film, "Is it?", *rest, "p.html", "--top", "0"): "--top: expected a whole number of at least 1",
        ("explain", film, "Is it?", *rest, there / "p.html"): "--output: expected a folder that can be written to",
        (
            "gallery",
            "--checkpoint",
            trained / "best.pt",
            "--output",
            "p.html",
            "--limit",
            "0",
        ): "--limit: expected a wh",
    }
    for arguments, message in cases.items():
        status, told = run(*arguments)
        assert status == 1
        assert re.search(message, told.err), told.err
        assert not (tmp_path / "p.html").exists()
    assert there.read_text() == "mine"


def test_a_video_that_the_data_set_does_not_know_is_told(run, trained):
    splits = first_question(trained)
    status, told = run(
        "explain", "x", "--data", splits.folder, "--checkpoint", trained / "best.pt", "--output", "p.html"
    )
    assert status == 1
    assert "VIDEO: expected one that" in told.err
    assert "got 'x'" in told.err


def test_a_split_becomes_a_gallery(run, trained, tmp_path):
    splits = first_question(trained)
    status, told = run("gallery", "--checkpoint", trained / "best.pt", "--output", "all.html")
    assert status == 0, told.err
    page = (tmp_path / "all.html").read_text()
    for record in splits.records["test"]:
        assert record.video_id in page
    n = len(splits.records["test"])
    assert re.match(rf"{n} test questions of pocket: \d+\.\d\d% right \(TJSTG sharp\)", told.out)
    assert told.err == ""

    status, told = run("gallery", "--checkpoint", trained / "best.pt", "--output", "two.html", "--limit", "2")
    assert status == 0
    assert told.err == f"note: 2 of {n} questions\n"
    assert len((tmp_path / "two.html").read_text()) < len(page)

    status, told = run("gallery", "--checkpoint", trained / "best.pt", "--output", "val.html", "--split", "val")
    assert f"{len(splits.records['val'])} val questions" in told.out
