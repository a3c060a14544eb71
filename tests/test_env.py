import getpass
import json
import os
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
import torch

import avground
from avground import env

PARTS = ["versions", "packages", "system", "gpus", "backends", "environment", "avground"]
ROOT = Path(__file__).parents[1]


def test_every_part_is_described_in_plain_values(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    found = env.describe()
    assert list(found) == PARTS
    assert all(isinstance(part, dict) for part in found.values())
    assert json.loads(json.dumps(found)) == found
    assert found["versions"]["avground"] == avground.__version__
    assert found["versions"]["torch"] == torch.__version__
    assert found["system"]["cores"] == os.cpu_count()
    assert found["environment"]["OMP_NUM_THREADS"] == "3"
    assert found["avground"]["impl='auto' on cpu"] == "fused"
    assert isinstance(found["backends"]["gloo"], bool)
    unknown = [value for part in found.values() for value in part.values() if str(value).startswith("unknown: ")]
    assert unknown in ([], ["unknown: no nvidia-smi"])


def test_packages_are_those_of_the_extras(monkeypatch):
    monkeypatch.setattr(
        metadata,
        "requires",
        lambda name: [
            "torch>=2.8",
            "tqdm>=4.66; extra == 'train'",
            'tqdm>=4.66; extra == "media"',
            "tqdm>=4.66; extra == 'all'",
            "no-such-package[x]>=1; python_version > '3' and extra == 'viz'",
            "pytest>=8; extra == 'dev'",
            "pytest>=8; extra == 'all'",
            "avground[train]; extra == 'all'",
        ],
    )
    found = env.describe()["packages"]
    assert found == {
        "torch": {"version": metadata.version("torch"), "extras": []},
        "tqdm": {"version": metadata.version("tqdm"), "extras": ["train", "media"]},
        "no-such-package": {"version": "not installed", "extras": ["viz"]},
        "pytest": {"version": metadata.version("pytest"), "extras": ["dev"]},
    }


def test_a_folder_that_is_not_installed_is_said_to_be(monkeypatch):
    def missing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "requires", missing)
    assert "not installed" in env.describe()["packages"]["avground"]


def test_names_and_secrets_stay_here(monkeypatch, tmp_path):
    home, user = tmp_path / "home" / "alice", "alice"
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setattr(getpass, "getuser", lambda: user)
    monkeypatch.setenv("AVGROUND_CACHE", f"{home}/cache")
    monkeypatch.setenv("TRITON_CACHE_DIR", f"/scratch/{user}/triton:/scratch/{user}s:{home}2/x")
    monkeypatch.setenv("SLURM_NTASKS", "4")
    for name in ("SLURM_JWT", "SLURM_JOB_USER", "HF_TOKEN", "SECRET"):
        monkeypatch.setenv(name, "tell nobody")
    text = json.dumps(env.describe())
    assert str(home) + "/" not in text
    assert "nobody" not in text
    found = env.describe()
    assert found["environment"]["AVGROUND_CACHE"] == found["avground"]["cache"] == "~/cache"
    assert found["environment"]["TRITON_CACHE_DIR"] == f"/scratch/~/triton:/scratch/alices:{home}2/x"
    assert found["environment"]["SLURM_NTASKS"] == "4"


@pytest.mark.parametrize("name", [f"_{part}" for part in PARTS])
def test_a_part_that_fails_says_why_and_the_others_are_there(monkeypatch, name, capsys):
    def fail():
        raise OSError("out of luck")

    monkeypatch.setattr(env, name, fail)
    found = env.describe()
    assert found.pop(name[1:]) == "unknown: OSError: out of luck"
    assert all(isinstance(part, dict) for part in found.values())
    assert env.main([]) == 0
    assert "unknown: OSError: out of luck" in capsys.readouterr().out


def test_a_broken_driver_is_no_reason_to_fail(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)

    def broken(number):
        raise RuntimeError("no driver")

    monkeypatch.setattr(torch.cuda, "get_device_properties", broken)
    assert env.describe()["gpus"] == "unknown: RuntimeError: no driver"


def test_a_users_home_may_be_missing(monkeypatch):
    for name in ("HOME", "AVGROUND_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)

    def nobody(*_):
        raise KeyError("no such user")

    def homeless():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(getpass, "getuser", nobody)
    monkeypatch.setattr(Path, "home", homeless)
    monkeypatch.setattr(Path, "expanduser", lambda self: homeless())
    found = env.describe()["avground"]
    assert found["cache"] == found["cache writable"] == "unknown: RuntimeError: Could not determine home directory."


def test_the_cache_is_tried_and_left_as_it_was(monkeypatch, tmp_path):
    for folder in (tmp_path, tmp_path / "not" / "there"):
        monkeypatch.setenv("AVGROUND_CACHE", str(folder))
        assert env.describe()["avground"]["cache writable"] is True
    assert list(tmp_path.iterdir()) == []

    def refuse(**_):
        raise PermissionError("read only")

    monkeypatch.setattr(env.tempfile, "TemporaryFile", refuse)
    assert env.describe()["avground"]["cache writable"] is False


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        ({torch.float16, torch.bfloat16, torch.float32}, "fused for float16, bfloat16, float32, else reference"),
        (set(), "reference: no Triton or no C compiler"),
    ],
)
def test_what_auto_chooses_on_cuda(monkeypatch, runs, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(env, "fused_runs_on", lambda device, dtype: dtype in runs)
    assert env._chosen("cuda") == expected


def test_text_and_json_say_the_same(capsys):
    assert env.main(["--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert env.main([]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if not line.startswith(" ")] == PARTS
    assert len(lines) == len(PARTS) + sum(len(part) for part in found.values())
    assert any(re.fullmatch(rf"  torch +{re.escape(torch.__version__)}", line) for line in lines)
    assert any(re.fullmatch(r"  av +\S+ \[media\]", line) for line in lines)


def test_it_runs_where_nothing_optional_is_installed():
    """In a process of its own where an import of any of them fails, as it does where it is not installed."""
    optional = ("triton", "torchvision", "lightning", "matplotlib", "torchmetrics", "tqdm", "av", "PIL", "safetensors")
    code = (
        "import runpy, sys, torch\n"
        f"sys.modules.update(dict.fromkeys({optional!r}))\n"
        "sys.argv = ['avground.env', '--json']\n"
        "runpy.run_module('avground.env', run_name='__main__')\n"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert list(json.loads(done.stdout)) == PARTS
