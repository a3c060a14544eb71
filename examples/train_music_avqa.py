"""Train and test a model on MUSIC-AVQA, or on Pocket, the benchmark that is made on this machine.

Without options a Pocket world is made (once, into the user's cache) and a model trained on it:

    python examples/train_music_avqa.py
    python examples/train_music_avqa.py --model tjstg_sharp --world target --seed 1
    python examples/train_music_avqa.py --ablation without_synchrony

For real data give the folder that holds json/avqa-{train,val,test}.json and feats/{vggish,res18_14x14}/:

    python examples/train_music_avqa.py --data MUSIC-AVQA --annotations json_update --device cuda --precision bf16-mixed

After Ctrl-C or a crash, the same command with --resume goes on exactly where the run stopped.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

# Read when torch is loaded: threads that spin while they wait take the processor from others on a busy machine.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from avground.data import pocket
from avground.errors import AvgroundError
from avground.models import ABLATIONS, MODELS
from avground.training import DEVICES, PRECISIONS, Run, music_avqa_run, pocket_run, train


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=formatter, allow_abbrev=False)
    data = parser.add_argument_group("data")
    data.add_argument("--data", type=Path, metavar="DIR", help="a data set in MUSIC-AVQA's layout (default: --world)")
    data.add_argument("--world", choices=pocket.PRESETS, help="Pocket world to make and train on (default: core)")
    data.add_argument("--annotations", metavar="NAME", help="folder of the question files (default: json)")
    model = parser.add_argument_group("model")
    model.add_argument("--model", choices=MODELS, help="default: tjstg, or the model that --ablation changes")
    model.add_argument("--ablation", choices=ABLATIONS, metavar="NAME", help=f"one of {', '.join(ABLATIONS)}")
    model.add_argument("--dim", type=int, help="width (default: the channels of the picture features)")
    model.add_argument("--synchrony", type=float, help="weight of the synchrony loss (default: the model's)")
    model.add_argument("--matching", type=float, help="weight of the matching loss, and 0 also leaves stage I out")
    schedule = parser.add_argument_group("schedule (defaults: the paper's for --data, a short one for Pocket)")
    schedule.add_argument("--epochs", type=int, help="passes over the questions")
    schedule.add_argument(
        "--stage-one-epochs", type=int, help="passes over the videos before, matching sound and sight"
    )
    schedule.add_argument("--batch-size", type=int, help="questions a step, over all devices together")
    schedule.add_argument("--learning-rate", type=float)
    schedule.add_argument("--seed", type=int, help="of weights, order, negatives and dropout; --world has seed 0")
    machine = parser.add_argument_group("machine")
    machine.add_argument("--device", choices=DEVICES)
    machine.add_argument("--devices", type=int, help="devices a node (default: 1)")
    machine.add_argument("--nodes", type=int, help="nodes (default: 1)")
    machine.add_argument("--precision", choices=PRECISIONS)
    machine.add_argument("--workers", type=int, help="processes that read features (default: as many as pay)")
    output = parser.add_argument_group("output")
    output.add_argument("--output", type=Path, metavar="DIR", help="default: runs/<model>-<data>-<seed>")
    output.add_argument("--resume", action="store_true", help="go on with the run in the output folder")
    options = parser.parse_args(arguments)
    if options.data and options.world:
        parser.error("argument --world: not allowed with argument --data")
    return options


def configure(options: argparse.Namespace) -> tuple[Run, str | None]:
    """The run asked for, and the Pocket world to make for it, if any. A wrong name fails here, before anything runs."""
    not_fields = ("data", "world", "output", "resume", "synchrony", "matching")
    changes = {name: value for name, value in vars(options).items() if name not in not_fields and value is not None}
    weights = {"synchrony": options.synchrony, "matching": options.matching}
    changes["objective"] = {name: weight for name, weight in weights.items() if weight is not None}
    if options.data is None:
        world = options.world or "core"
        return pocket_run(str(pocket.default_directory(world)), **changes), world
    preset = pocket_run if (options.data / "pocket.json").exists() else music_avqa_run
    return preset(str(options.data), **changes), None


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    try:
        run, world = configure(options)
        name = f"{run.ablation or run.model}-{world or Path(run.data).resolve().name}-{run.seed}"
        output = options.output or Path("runs") / name
        if world is not None and not Path(run.data).exists():
            print(f"making Pocket world {world!r} in {run.data}", flush=True)
        if world is not None:
            pocket.generate(run.data, world)
        train(run, output, resume=options.resume)
    except (AvgroundError, FloatingPointError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt as stop:
        print(f"\n{str(stop) or 'interrupted before training began'}", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
