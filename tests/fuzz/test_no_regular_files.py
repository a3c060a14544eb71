"""Pipes, folders, devices and links to nowhere in the place of a file are named, and never waited for."""

import os
import signal

import pytest

from avground.data import FeatureFolder, Vocabulary, open_features, pack, read_annotations, verify
from avground.data.headers import read_header
from avground.data.manifest import FILE, read_manifest
from avground.data.pocket import read_truth
from avground.data.pocket.build import read_record
from avground.data.store import read_contents
from avground.errors import DataError
from avground.media.outcomes import OutcomeLog
from avground.media.weights import examine
from avground.models import from_official
from avground.models.weights import read_safely
from avground.training import load_checkpoint

from .targets import make_features

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs pipes and links")


def pipe(path):
    os.mkfifo(path)


def folder(path):
    path.mkdir()


def device(path):
    path.symlink_to("/dev/zero")


def circle(path):
    path.symlink_to(path)


def dangling(path):
    path.symlink_to(path.with_name("nowhere"))


KINDS = [pipe, folder, device, circle, dangling]


@pytest.fixture(autouse=True)
def _impatient():
    """A read that waits for a pipe ends the test."""

    def give_up(*_):
        raise AssertionError("waited")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("make", KINDS)
@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("x.json", read_annotations),
        ("x.json", Vocabulary.from_annotations),
        ("x.npy", read_header),
        ("x.safetensors", read_contents),
        ("x.pt", lambda path: read_safely(path, "checkpoint")),
        ("x.pt", load_checkpoint),
        ("x.pt", lambda path: from_official(path, "stage1")),
        ("x.pth", examine),
        ("truth.json", lambda path: read_truth(path.parent)),
        ("pocket.json", lambda path: read_record(path.parent)),
    ],
)
def test_readers(tmp_path, make, name, read):
    make(tmp_path / name)
    with pytest.raises(DataError, match=r"x\.|truth|pocket"):
        read(tmp_path / name)


@pytest.mark.parametrize("make", [pipe, folder, device, circle])
def test_a_manifest(tmp_path, make):
    make(tmp_path / FILE)
    with pytest.raises(DataError, match=r"manifest\.json: expected a manifest, got"):
        read_manifest(tmp_path)


@pytest.mark.parametrize("make", KINDS)
@pytest.mark.parametrize("keep", ["memory", "disk"])
def test_among_features(tmp_path, make, keep):
    root = make_features(tmp_path / "feats")
    opened = FeatureFolder(root, keep="disk")
    opened.check(["a", "b"], progress=False)
    (root / "vggish" / "a.npy").unlink()
    make(root / "vggish" / "a.npy")
    with pytest.raises(DataError, match=r"vggish: 1 of 2 videos cannot be used: a\.npy"):
        FeatureFolder(root, keep=keep).check(["a", "b"], progress=False)
    with pytest.raises(DataError, match=r"a\.npy: expected the array that was checked"):
        opened.audio(["b", "a"])
    with pytest.raises(DataError, match=r"a\.npy"):
        verify(root, progress=False)
    with pytest.raises(DataError, match=r"a\.npy"):
        pack(root, tmp_path / "s.safetensors", progress=False)
    assert not (tmp_path / "s.safetensors").exists()


@pytest.mark.parametrize("make", KINDS)
def test_instead_of_all_features(tmp_path, make):
    make(tmp_path / "feats")
    with pytest.raises(DataError, match="feats"):
        open_features(tmp_path / "feats")
    with pytest.raises(DataError, match="feats"):
        verify(tmp_path / "feats", progress=False)


def test_a_folder_that_leads_to_its_parent(tmp_path):
    root = make_features(tmp_path / "feats")
    (root / "loop").symlink_to(root)
    (root / "vggish" / "loop").symlink_to(root / "vggish")
    assert sum(verify(root, progress=False).values()) == 4
    opened = FeatureFolder(root)
    opened.check(["a", "b"], progress=False)
    assert opened.in_memory


@pytest.mark.parametrize("make", KINDS)
def test_outcomes_that_cannot_be_read_are_left_out(tmp_path, make):
    make(tmp_path / "extraction-7.jsonl")
    assert OutcomeLog(tmp_path, ["a"], 0).read() == {}
