import copy
import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, default_collate

from avground.data import Batch, FeatureFolder, MusicAVQA, Negatives, Record, Vocabulary
from avground.data.annotations import parse_rows
from avground.errors import ConfigError, DataError

KIND = ("Audio", "Counting")
RECORDS = [
    Record("a", 1, KIND, "How many?", ("How", "many"), "two", source="q.json", row=0),
    Record("c", 2, KIND, "Is it?", ("Is", "it"), "yes", source="q.json", row=1),
    Record("a", None, KIND, "Why?", ("Why",), "no", source="q.json", row=2),
    Record("e", 4, KIND, "Is it?", ("Is", "it"), "two", audio_id="b", source="q.json", row=3),
]
VOCABULARY = Vocabulary.from_annotations(RECORDS)


def dataset(feats, negatives=None, keep="disk", **settings):
    return MusicAVQA(RECORDS, FeatureFolder(feats, keep=keep), VOCABULARY, negatives=negatives, **settings)


@pytest.mark.parametrize("keep", ["memory", "disk"])
def test_batch(feats, keep):
    data = dataset(feats, keep=keep, question_length=3)
    assert len(data) == 4
    batch = data.__getitems__([3, 0, 0, 2])
    assert isinstance(batch, Batch)
    assert torch.equal(batch.audio, data.features.audio(["b", "a", "a", "a"]))
    assert torch.equal(batch.visual, data.features.visual(["e", "a", "a", "a"]))
    assert batch.question.tolist() == [[3, 4, 0], [1, 2, 0], [1, 2, 0], [5, 0, 0]]
    assert batch.answer.tolist() == [0, 0, 0, 2]
    assert batch.index.tolist() == [3, 0, 0, 2]
    assert batch.matched.tolist() == [False, True, True, True]
    assert batch.negative is None
    assert batch.question.dtype == batch.answer.dtype == batch.index.dtype == torch.int64


def test_unknown_words(feats):
    records = [replace(RECORDS[1], words=("Is", "perhaps", "it"))]
    with pytest.raises(DataError, match=r"q\.json, row 1 \(video c, question 2\): word 'perhaps' is not among"):
        MusicAVQA(records, FeatureFolder(feats), VOCABULARY)
    data = MusicAVQA(records, FeatureFolder(feats), VOCABULARY, question_length=3, unknown_words="skip")
    assert data[0]["question"].tolist() == [3, 4, 0]


def test_default_length_is_fourteen_words(feats):
    assert dataset(feats).__getitems__([0]).question.shape == (1, 14)


def test_negatives(feats):
    negatives = Negatives("abcde", seed=3)
    data = dataset(feats, negatives)
    indices = [2, 1, 3]
    for epoch in (0, 5):
        data.set_epoch(epoch)
        assert data.epoch == epoch
        drawn = negatives.draw(indices, ["a", "c", "e"], epoch)
        pictures = data.features.visual("abcde")
        wanted = pictures[torch.from_numpy(drawn.videos), torch.from_numpy(drawn.segments)]
        assert torch.equal(data.__getitems__(indices).negative, wanted)


def test_negatives_of_a_sample_do_not_depend_on_the_batch(feats):
    data = dataset(feats, Negatives("abcde"))
    whole = data.__getitems__([0, 1, 2, 3])
    assert torch.equal(data.__getitems__([3, 1]).negative, whole.negative[[3, 1]])
    data.set_epoch(1)
    assert not torch.equal(data.__getitems__([0, 1, 2, 3]).negative, whole.negative)


def test_evaluation_reads_no_negatives(feats, monkeypatch):
    data = dataset(feats)
    monkeypatch.setattr(FeatureFolder, "frames", None)
    assert data.__getitems__([0]).negative is None


@pytest.mark.parametrize("negatives", [None, Negatives("abcde")])
def test_one_sample(feats, negatives):
    data = dataset(feats, negatives)
    batch = data.__getitems__([1])
    sample = data[1]
    assert set(sample) == {name for name, value in batch._asdict().items() if value is not None}
    for name, value in sample.items():
        assert torch.equal(value, getattr(batch, name)[0])
    assert torch.equal(data[-1]["visual"], data[3]["visual"])
    assert data[-1]["index"] == 3
    together = default_collate([data[0], data[3]])
    for name, value in together.items():
        assert torch.equal(value, getattr(data.__getitems__([0, 3]), name))


@pytest.mark.parametrize("index", [4, -5])
def test_index_out_of_range(feats, index):
    with pytest.raises(IndexError):
        dataset(feats)[index]


def test_loader(feats):
    data = dataset(feats, Negatives("abcde"))
    loader = DataLoader(data, batch_size=3, collate_fn=data.collate)
    batches = list(loader)
    assert [type(batch) for batch in batches] == [Batch, Batch]
    assert [batch.index.tolist() for batch in batches] == [[0, 1, 2], [3]]


@pytest.mark.parametrize("keep", ["memory", "disk"])
def test_pickle_and_copy(feats, keep):
    data = dataset(feats, Negatives("abcde"), keep=keep)
    data.set_epoch(4)
    wanted = data.__getitems__([0, 3])
    for again in (pickle.loads(pickle.dumps(data)), copy.deepcopy(data)):
        assert again.epoch == 4
        for value, expected in zip(again.__getitems__([0, 3]), wanted, strict=True):
            assert torch.equal(value, expected)


def test_loading_process_that_outlives_an_epoch_sees_the_next(feats):
    data = dataset(feats, Negatives("abcde"), keep="memory")
    loader = DataLoader(
        data,
        batch_size=4,
        collate_fn=data.collate,
        num_workers=1,
        persistent_workers=True,
        multiprocessing_context="spawn",
    )
    for epoch in range(3):
        data.set_epoch(epoch)
        (batch,) = loader
        assert torch.equal(batch.negative, data.__getitems__([0, 1, 2, 3]).negative)


# All that can be wrong is found before training.


def changed(**changes):
    last = RECORDS[3]
    fields = {name: getattr(last, name) for name in last.__slots__} | changes
    return [*RECORDS[:3], Record(**fields)]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"words": ("Is", "its")}, r"q\.json, row 3 \(video e, question 4\): word 'its' .* near ones: 'it'"),
        ({"answer": "twos"}, r"q\.json, row 3 \(video e, question 4\): answer 'twos' .* near ones: 'two'"),
        (
            {"words": ("Is", "it", "it")},
            r"row 3 \(video e, question 4\): expected at most 2 words \(question_length\), got 3",
        ),
        ({"video_id": "z"}, r"res18_14x14: 1 of 3 videos cannot be used: z\.npy is missing"),
        ({"audio_id": "z"}, r"vggish: 1 of 3 videos cannot be used: z\.npy is missing"),
        ({"video_id": "../z"}, r"video id: expected a plain file name without a folder, got '\.\./z'"),
    ],
)
def test_bad_record(feats, changes, message):
    with pytest.raises(DataError, match=message):
        MusicAVQA(changed(**changes), FeatureFolder(feats), VOCABULARY, question_length=2)


def test_negative_without_features(feats):
    with pytest.raises(DataError, match=r"res18_14x14: 1 of 4 videos cannot be used: z\.npy is missing"):
        dataset(feats, Negatives("az"))


def test_no_records(feats):
    with pytest.raises(DataError, match="records: expected at least one question, got none"):
        MusicAVQA([], FeatureFolder(feats), VOCABULARY)


def test_segments_must_agree(feats):
    with pytest.raises(ConfigError, match=r"negatives\.segments: expected 10 as in features, got 6"):
        dataset(feats, Negatives("ab", segments=6))


def test_an_error_of_a_loading_process_keeps_its_message(feats, row):
    values = np.load(feats / "vggish" / "b.npy").copy()
    values[0, 0] = np.nan
    np.save(feats / "vggish" / "b.npy", values)
    records = parse_rows([row(video_id="a"), row(video_id="b")], "x")
    dataset = MusicAVQA(
        records, FeatureFolder(feats, keep="disk"), Vocabulary.from_annotations(records), progress=False
    )
    loader = DataLoader(dataset, batch_size=1, num_workers=1, collate_fn=dataset.collate)
    with pytest.raises(DataError) as error:
        list(loader)
    assert str(error.value) == f"{feats / 'vggish' / 'b.npy'}: audio: expected finite values, got NaN or infinity"
    assert "Traceback" in error.value.__notes__[0]


@pytest.mark.parametrize("video_id", ["../../x", "/etc/passwd", "..", ".", "a\\b", "C:x", "a/b"])
@pytest.mark.parametrize("key", ["video_id", "unmatch_audio"])
def test_an_id_that_leads_elsewhere_is_refused_when_it_is_read(row, key, video_id):
    with pytest.raises(DataError, match=f"x, row 1: {key}: video id: expected a plain file name without a folder"):
        parse_rows([row(), row(**{key: video_id})], "x")
