"""``python -m avground.data.pocket DIR --world target --seed 1 [--knob value]``, as ``avground pocket`` does it."""

import argparse
import dataclasses
from collections.abc import Sequence

from avground.data.pocket import KNOBS, PRESETS, Rendering, World, default_directory, generate
from avground.errors import AvgroundError, ConfigError


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options to a parser."""
    parser.add_argument(
        "directory", nargs="?", metavar="DIR", help="where to make it; by default a folder of the cache"
    )
    parser.add_argument("--world", default="core", metavar="NAME", help=f"one of {', '.join(PRESETS)} (default: core)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="(default: 0)")
    parser.add_argument("--quiet", action="store_true", help="show no progress bar")
    videos = parser.add_argument_group("videos")
    videos.add_argument("--pixels", action="store_true", help="make videos instead of features")
    for field in dataclasses.fields(Rendering):
        videos.add_argument(f"--{field.name}", type=int, metavar="N", help=f"with --pixels (default: {field.default})")
    videos.add_argument(
        "--workers", type=int, metavar="N", help="with --pixels: videos made at once (default: all cores)"
    )
    knobs = parser.add_argument_group("knobs, each in place of the preset's value")
    for knob in dataclasses.fields(World):
        option = f"--{knob.name.replace('_', '-')}"
        if knob.name == "templates":
            knobs.add_argument(option, nargs="+", metavar="NAME", dest=knob.name)
        else:
            knobs.add_argument(option, type=type(knob.default), metavar="VALUE", dest=knob.name)


def run(options: argparse.Namespace) -> int:
    """Make the folder, print its path, and return 0.

    Raises:
        ConfigError: for options that do not go together, and as :func:`generate` does.
        DataError: as :func:`generate` does.
    """
    given = {name: value for name, value in vars(options).items() if value is not None}
    knobs = {name: given[name] for name in KNOBS if name in given}
    filmed = {field.name: given[field.name] for field in dataclasses.fields(Rendering) if field.name in given}
    for name in (*filmed, "workers"):
        if name in given and not options.pixels:
            raise ConfigError(f"--{name}: expected --pixels with it, got {given[name]} without")
    rendering = Rendering(**filmed) if options.pixels else None
    world = PRESETS[options.world].replace(**knobs) if knobs and options.world in PRESETS else options.world
    directory = options.directory or default_directory(world, seed=options.seed, rendering=rendering)
    made = generate(
        directory,
        world,
        seed=options.seed,
        progress=not options.quiet,
        rendering=rendering,
        workers=options.workers,
    )
    print(made)
    return 0


def main(arguments: Sequence[str] | None = None) -> None:
    """Make a Pocket folder from the command line, and print its path."""
    parser = argparse.ArgumentParser(
        prog="python -m avground.data.pocket", description="Make a Pocket benchmark.", allow_abbrev=False
    )
    configure(parser)
    try:
        run(parser.parse_args(arguments))
    except AvgroundError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
