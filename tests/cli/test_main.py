import subprocess
import sys

import pytest

from avground.cli import COMMANDS, main


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
