import subprocess
import sys
from importlib.metadata import metadata

import pytest

from avground import cli
from avground.cli import COMMANDS, EXTRAS, main


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command, capsys):
    with pytest.raises(SystemExit) as stop:
        main([command, "--help"])
    assert stop.value.code == 0
    out = capsys.readouterr().out
    assert f"usage: avground {command}" in out
    assert len(out.splitlines()) > 5


def test_a_command_that_does_not_exist_is_an_error_that_lists_those_that_do(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["trian"])
    assert stop.value.code == 2
    assert "'train'" in capsys.readouterr().err


def test_the_package_can_be_run():
    done = subprocess.run([sys.executable, "-m", "avground", "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert all(purpose.split()[0] in done.stdout for purpose in COMMANDS.values())


@pytest.mark.parametrize(
    ("command", "advice"),
    [
        ("train", "avground[train]"),
        ("answer", "avground[train,media]"),
        ("export", "avground[hub,export]"),
        ("extract", "avground[media]"),
        ("inspect", "avground"),
    ],
)
def test_a_missing_package_is_named_with_what_brings_it(command, advice, monkeypatch, capsys):
    def missing(_):
        raise ModuleNotFoundError("No module named 'lightning'", name="lightning")

    monkeypatch.setattr(cli, "import_module", missing)
    assert main([command]) == 1
    assert capsys.readouterr().err == f'error: avground {command} needs lightning: pip install "{advice}"\n'


def test_what_is_advised_exists():
    assert set(COMMANDS) >= set(EXTRAS)
    advised = {extra for extras in EXTRAS.values() for extra in extras.split(",")}
    assert advised <= set(metadata("avground").get_all("Provides-Extra"))
