import datetime
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.distributed as dist

from avground.errors import ConfigError, DataError
from avground.media import processes
from avground.media.processes import Processes, launch

SECONDS = 120.0  # Until a process that hangs is given up.


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

    def gather(values, value, group):
        assert group == "the patient ones"
        said[1] = value
        values[:] = said

    def new_group(timeout):
        assert timeout > datetime.timedelta(days=2)  # Nobody is given up for being slow.
        return "the patient ones"

    monkeypatch.setattr(dist, "new_group", new_group)
    monkeypatch.setattr(dist, "get_world_size", lambda: 3)
    monkeypatch.setattr(dist, "get_rank", lambda: 1)
    monkeypatch.setattr(dist, "all_gather_object", gather)
    monkeypatch.setattr(dist, "barrier", lambda group: None)
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


WAITING = """
import datetime
from avground.errors import ConfigError
from avground.media import processes
assert processes._START < datetime.timedelta(hours=1)
processes._START = datetime.timedelta(seconds=2)
try:
    processes.launch("cpu", 1, 2)
except ConfigError as error:
    print(error)
"""


@pytest.mark.parametrize("number", ["0", "1"])
def test_a_machine_that_never_starts(number):
    pytest.importorskip("lightning")
    done = subprocess.run(
        [sys.executable, "-c", WAITING], env=of_many(number), capture_output=True, text=True, timeout=SECONDS
    )
    assert done.stdout.startswith("devices=1, nodes=2: expected 2 processes within 2 s, got: "), done.stderr


def test_one_machine_fails_early(tmp_path):
    """The other ends, too, and says why."""
    pytest.importorskip("lightning")
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "a.mp4").touch()
    command = [sys.executable, "-m", "avground", "extract", "--output", str(tmp_path / "out"), "--audio", "logmel"]
    command += ["--visual", "efficientnet_lite0", "--device", "cpu", "--nodes", "2"]
    port = free_port()
    running = [
        subprocess.Popen(
            [*command, str(tmp_path / folder)], env=of_many(number, port), stderr=subprocess.PIPE, text=True
        )
        for number, folder in (("0", "videos"), ("1", "nowhere"))
    ]
    try:
        errors = [process.communicate(timeout=SECONDS)[1] for process in running]
    finally:
        for process in running:
            process.kill()
    assert [process.returncode for process in running] == [1, 1], errors
    reason = f"{tmp_path / 'nowhere'}: expected a video or a folder of videos, got nothing there"
    assert f"error: process 1: {reason}\n" in errors[0]
    assert f"error: {reason}\n" in errors[1]


def of_many(number, port=None):
    """What a cluster tells machine ``number`` of its machines."""
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port or free_port()), "NODE_RANK": number}
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2]), **place}


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]
