"""Processes of their own for tests: several that train together, or one that is killed."""

import os
import signal
import socket
import sys
import time
import traceback
import warnings

import pytest
import torch


def fork(function):
    """Start a process that does this and ends; returns its number."""
    if torch.cuda.is_available():
        pytest.skip("autograd's threads for GPUs do not survive forking")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Threads of torch that wait do no harm.
        process = os.fork()
    if process:
        return process
    status = 1
    try:
        torch.set_num_threads(1)  # A thread pool does not survive forking.
        function()
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def wait(process, seconds=60):
    """How a process ended: its exit status, or minus the signal that it died of."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        ended, status = os.waitpid(process, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    raise TimeoutError(f"process {process} did not end within {seconds} s")


def apart(function):
    """Do this in a process of its own; returns how it ended."""
    return wait(fork(function))


def together(count, function, seconds=90):
    """Do this in several processes that find each other as those of torchrun do; returns how each ended."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    shared = {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "WORLD_SIZE": str(count),
        "LOCAL_WORLD_SIZE": str(count),
        "TORCHELASTIC_RUN_ID": "test",
    }

    def start(rank):
        os.environ.update(shared, RANK=str(rank), LOCAL_RANK=str(rank))
        function()
        torch.distributed.destroy_process_group()

    processes = [fork(lambda rank=rank: start(rank)) for rank in range(count)]
    return [wait(process, seconds) for process in processes]
