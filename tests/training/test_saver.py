import torch

from avground.training import saver
from avground.training.saver import BEST, LAST, Saver


def content(value):
    return {"model": torch.full((2,), float(value)), "epoch": value}


def read(path):
    return torch.load(path, weights_only=True)


def test_the_best_waits_for_the_next_writing_and_is_what_it_was(tmp_path):
    writer = Saver(tmp_path, writes=True)
    best = content(1)
    writer.keep_best(best)
    assert not list(tmp_path.iterdir())
    best["model"].fill_(9)  # as the next steps change the weights
    writer.write(content(2))
    assert read(tmp_path / BEST)["model"].tolist() == [1, 1]
    assert read(tmp_path / LAST)["epoch"] == 2


def test_a_best_is_written_once_and_the_younger_one_counts(tmp_path):
    writer = Saver(tmp_path, writes=True)
    writer.keep_best(content(1))
    writer.keep_best(content(2))
    writer.write(content(3))
    assert read(tmp_path / BEST)["epoch"] == 2
    (tmp_path / BEST).unlink()
    writer.write(content(4))
    assert not (tmp_path / BEST).exists()


def test_the_best_is_written_before_the_last(tmp_path, monkeypatch):
    order = []
    monkeypatch.setattr(saver, "write_atomically", lambda path, _: order.append(path.name))
    writer = Saver(tmp_path, writes=True)
    writer.keep_best(content(1))
    writer.write(content(1))
    assert order == [BEST, LAST]


def test_other_processes_write_nothing(tmp_path):
    writer = Saver(tmp_path, writes=False)
    writer.keep_best(content(1))
    writer.write(content(2))
    assert not list(tmp_path.iterdir())


def test_epochs_are_saved_more_often_than_steps_and_neither_always(tmp_path, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(saver.time, "monotonic", lambda: now[0])
    writer = Saver(tmp_path, writes=True)
    assert (writer.due(within_epoch=False), writer.due(within_epoch=True)) == (True, False)  # nothing is there yet
    (tmp_path / LAST).touch()
    found = []
    for seconds in (1.0, 20.0, 601.0):
        now[0] = 100.0 + seconds
        found.append((writer.due(within_epoch=False), writer.due(within_epoch=True)))
    assert found == [(False, False), (True, False), (True, True)]
    writer.write(content(1))
    assert not writer.due(within_epoch=False)
