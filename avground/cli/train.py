"""Train and test a model on MUSIC-AVQA, or on Pocket, the benchmark that is made on this machine.

Without options a Pocket world is made (once, into the user's cache) and a model trained on it:

    avground train
    avground train --model tjstg_sharp --world target --seed 1
    avground train --ablation without_synchrony

For real data give the folder that holds json/avqa-{train,val,test}.json and feats/{vggish,res18_14x14}/, or a store
that "avground pack" wrote:

    avground train --data MUSIC-AVQA --annotations json_update --device cuda --precision bf16-mixed
    avground train --data MUSIC-AVQA --annotations json_update --features feats.safetensors

After Ctrl-C or a crash, the same command with --resume goes on exactly where the run stopped.
"""

import argparse
from pathlib import Path
from typing import get_args

from avground.data import pocket
from avground.data.vocabulary import UnknownWords
from avground.models import ABLATIONS, MODELS
from avground.training import DEVICES, FEATURES_ON, GRAPHS, LOGGERS, PRECISIONS, Run, music_avqa_run, pocket_run, train
from avground.training.launch import find_launcher, is_first_process


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    data = parser.add_argument_group("data")
    source = data.add_mutually_exclusive_group()
    source.add_argument("--data", type=Path, metavar="DIR", help="a data set in MUSIC-AVQA's layout (default: --world)")
    source.add_argument("--world", choices=pocket.PRESETS, help="Pocket world to make and train on (default: core)")
    data.add_argument("--annotations", metavar="NAME", help="folder of the question files (default: json)")
    data.add_argument(
        "--features", metavar="PATH", help="folder of features, or a packed store (default: feats in DIR)"
    )
    data.add_argument("--audio-features", metavar="NAME", help="folder of sound features (default: the only one)")
    data.add_argument("--visual-features", metavar="NAME", help="folder of picture features (default: the only one)")
    data.add_argument("--prefix", metavar="NAME", help="which data set, where several lie there: bias, balance, avqa")
    data.add_argument("--unknown-words", choices=get_args(UnknownWords), help="words that train lacks (default: error)")
    data.add_argument("--segments", type=int, metavar="T", help="segments of a video (default: 10)")
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
    machine.add_argument("--devices", type=int, help="devices a node (default: 1, or as torchrun or srun has it)")
    machine.add_argument("--nodes", type=int, help="nodes (default: the same)")
    machine.add_argument("--precision", choices=PRECISIONS)
    machine.add_argument("--features-on", choices=FEATURES_ON, help="where features lie (default: where there is room)")
    machine.add_argument("--graph", choices=GRAPHS, help="replay a step as one CUDA graph (default: where it can be)")
    machine.add_argument("--workers", type=int, help="processes that read from disk (default: as many as pay)")
    output = parser.add_argument_group("output")
    output.add_argument("--output", type=Path, metavar="DIR", help="default: runs/<model>-<data>-<seed>")
    output.add_argument(
        "--log", nargs="*", choices=LOGGERS, help="metrics.csv and TensorBoard's events, each or none (default: csv)"
    )
    output.add_argument("--resume", action="store_true", help="go on with the run in the output folder")


def make_run(options: argparse.Namespace) -> tuple[Run, str | None]:
    """The run asked for, and the Pocket world to make for it, if any. A wrong name fails here, before anything runs."""
    not_fields = ("command", "data", "world", "output", "resume", "synchrony", "matching")
    changes = {name: value for name, value in vars(options).items() if name not in not_fields and value is not None}
    launched = find_launcher()
    if launched is not None:
        changes = {"devices": launched.devices, "nodes": launched.nodes, **changes}
    weights = {"synchrony": options.synchrony, "matching": options.matching}
    changes["objective"] = {name: weight for name, weight in weights.items() if weight is not None}
    if options.data is None:
        world = options.world or "core"
        return pocket_run(str(pocket.default_directory(world)), **changes), world
    preset = pocket_run if (options.data / "pocket.json").exists() else music_avqa_run
    return preset(str(options.data), **changes), None


def run(options: argparse.Namespace) -> int:
    """Make the world if one is asked for, and train."""
    asked, world = make_run(options)
    name = f"{asked.ablation or asked.model}-{world or Path(asked.data).resolve().name}-{asked.seed}"
    output = options.output or Path("runs") / name
    if world is not None and not Path(asked.data).exists() and is_first_process():
        print(f"making Pocket world {world!r} in {asked.data}", flush=True)
    if world is not None:
        pocket.generate(asked.data, world)
    train(asked, output, resume=options.resume)
    return 0
