"""``python -m avground.data.pocket DIR --world target --seed 1 [--knob value]``."""

import argparse
import dataclasses
from collections.abc import Sequence

from avground.data.pocket import PRESETS, World, default_directory, generate
from avground.errors import AvgroundError


def main(arguments: Sequence[str] | None = None) -> None:
    """Make a Pocket folder from the command line, and print its path."""
    parser = argparse.ArgumentParser(prog="python -m avground.data.pocket", description="Make a Pocket benchmark.")
    parser.add_argument("directory", nargs="?", help="where to make it; by default a folder of your cache")
    parser.add_argument("--world", default="core", help=f"one of {', '.join(PRESETS)}")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quiet", action="store_true", help="show no progress bar")
    knobs = parser.add_argument_group("knobs, each in place of the preset's value")
    for field in dataclasses.fields(World):
        option = f"--{field.name.replace('_', '-')}"
        if field.name == "templates":
            knobs.add_argument(option, nargs="+", metavar="NAME", dest=field.name)
        else:
            knobs.add_argument(option, type=type(field.default), metavar="VALUE", dest=field.name)
    options = vars(parser.parse_args(arguments))
    changed = {
        field.name: options[field.name] for field in dataclasses.fields(World) if options[field.name] is not None
    }
    try:
        if changed and options["world"] in PRESETS:
            world: str | World = PRESETS[options["world"]].replace(**changed)
        else:
            world = options["world"]
        directory = options["directory"] or default_directory(world, seed=options["seed"])
        print(generate(directory, world, seed=options["seed"], progress=not options["quiet"]))
    except AvgroundError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
