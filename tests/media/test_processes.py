import datetime

import pytest
import torch
import torch.distributed as dist

from avground.errors import ConfigError, DataError
from avground.media import processes
from avground.media.processes import Processes, launch


def test_alone():
    alone = launch("cpu", 1, 1)
    assert (alone.rank, alone.size, alone.here, alone.device) == (0, 1, 1, torch.device("cpu"))
    assert alone.gather({"a": 1}) == [{"a": 1}]
    alone.agree(None)
    problem = DataError("broken")
    with pytest.raises(DataError) as error:
        alone.agree(problem)
    assert error.value is problem
    alone.end()
    assert not dist.is_initialized()


def test_auto(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert launch("auto", 1, 1).device.type == "cpu"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert launch("auto", 1, 1).device.type == "cuda"
    assert launch("cpu", 1, 1).device.type == "cpu"


@pytest.fixture
def of_three(monkeypatch):
    """Process 1 of three, whose neighbours say what ``said`` holds for them."""
    said = [None, None, None]

    def gather(values, value):
        said[1] = value
        values[:] = said

    monkeypatch.setattr(dist, "get_world_size", lambda: 3)
    monkeypatch.setattr(dist, "get_rank", lambda: 1)
    monkeypatch.setattr(dist, "all_gather_object", gather)
    monkeypatch.setattr(dist, "barrier", lambda: None)
    children = ["a child"]
    return Processes(torch.device("cpu"), children, 3), said, children


def test_the_problem_of_another(of_three):
    own, said, children = of_three
    assert (own.rank, own.size) == (1, 3)
    own.agree(None)
    assert children == ["a child"]
    said[2] = "disk full"
    with pytest.raises(DataError, match=r"^process 2: disk full$"):
        own.agree(None)
    assert not children  # Nobody is killed for ending with an error now.


def test_the_own_problem_first(of_three):
    own, said, _ = of_three
    said[0] = "other"
    with pytest.raises(ConfigError, match=r"^mine$"):
        own.agree(ConfigError("mine"))


def test_torchrun_decides(monkeypatch):
    asked = []
    monkeypatch.setattr(dist, "is_torchelastic_launched", lambda: True)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    monkeypatch.setenv("WORLD_SIZE", "6")
    monkeypatch.setattr(processes, "_launch", lambda *arguments: asked.append(arguments))
    launch("cpu", 1, 1)
    launch("cpu", 2, 3)
    assert asked == [("cpu", 2, 3)] * 2
    with pytest.raises(ConfigError, match="devices=3, nodes=2: torchrun started 2 on each of 3 machines"):
        launch("cpu", 3, 2)


def test_nobody_is_given_up_for_being_slow():
    assert datetime.timedelta(days=2) < processes._PATIENCE
