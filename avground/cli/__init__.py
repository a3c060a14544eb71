"""The command line: ``avground COMMAND ...``."""

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from io import TextIOWrapper

from avground.errors import AvgroundError

COMMANDS = {
    "pocket": "make the embedded benchmark, as features or as videos",
    "extract": "turn videos into features",
    "pack": "put features into one file that loads fast",
    "verify": "check features against their checksums",
    "inspect": "say what question files hold",
    "split": "share questions among train, val and test so that no video is in two",
    "train": "train and test a model",
    "answer": "answer questions about a video",
    "explain": "write a page that shows where and when a model looked in a video",
    "gallery": "write a page of all questions of a split: filter, search, look closer",
    "export": "write a trained model for others: an ONNX file, a program of torch, a folder for the hub",
}
"""The commands, each a module here with ``configure(parser)`` and ``run(options)``, and what it does."""

EXTRAS = {
    "pocket": "media",
    "extract": "media",
    "pack": "train",
    "verify": "train",
    "train": "train",
    "answer": "train,media",
    "explain": "train,media",
    "gallery": "train,media",
    "export": "hub,export",
}
"""What to install for each command that needs more than avground alone."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit status: 0 if all went well, 1 on an error, 130 after Ctrl-C."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # A path need not be text.
    parser = argparse.ArgumentParser(prog="avground", description=__doc__, allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    asked = next((word for word in arguments if not word.startswith("-")), None)
    for name, purpose in COMMANDS.items():
        child = commands.add_parser(
            name, help=purpose, allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        if name == asked:  # Only this one is imported: what it needs, others may live without.
            try:
                module = import_module(f"avground.cli.{name}")
            except ModuleNotFoundError as error:
                extra = f"[{EXTRAS[name]}]" if name in EXTRAS else ""
                print(f'error: avground {name} needs {error.name}: pip install "avground{extra}"', file=sys.stderr)
                return 1
            child.description = module.__doc__
            module.configure(child)
    options = parser.parse_args(arguments)
    try:
        return int(module.run(options))
    except (
        AvgroundError,
        FloatingPointError,
        OSError,
    ) as error:  # A file system has its own reasons, in its own words.
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt as stop:
        print(f"\n{str(stop) or 'interrupted'}", file=sys.stderr)
        return 130
