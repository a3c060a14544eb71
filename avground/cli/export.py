"""Write a trained model in a form that others can use.

The end of PATH decides which:

    avground export runs/tjstg/best.pt --output model.onnx    for ONNX Runtime and others, checked there
    avground export runs/tjstg/best.pt --output model.pt2     a program that torch.export.load reads
    avground export runs/tjstg/best.pt --output my-model      a folder for Hugging Face's hub, with a model card

MODEL may also be such a folder, or the name of a model on the hub. A folder is taken up to the hub by
"hf upload someone/name my-model", or by avground.hub.PretrainedModel.push_to_hub.
"""

import argparse
from pathlib import Path

from avground.cli.output import check_new_file
from avground.errors import ConfigError
from avground.hub import PretrainedModel

_ONNX, _PROGRAM = ".onnx", ".pt2"
_NO_FOLDER = (".pt", ".pth", ".ckpt", ".json", ".safetensors", ".bin")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("model", metavar="MODEL", help="best.pt of a training run, a folder, or a name on the hub")
    parser.add_argument("--output", metavar="PATH", type=Path, required=True, help="NAME.onnx, NAME.pt2, or a folder")
    parser.add_argument("--overwrite", action="store_true", help="replace what is there")
    parser.add_argument(
        "--map-size",
        nargs=2,
        type=int,
        metavar=("ROWS", "COLUMNS"),
        help="fix the size of maps, for .onnx and .pt2 (default: any; a model with a relative threshold needs it)",
    )


def run(options: argparse.Namespace) -> int:
    """Export, and say what came out."""
    output, suffix = options.output, options.output.suffix.lower()
    if suffix in _NO_FOLDER:
        raise ConfigError(f"--output: expected NAME{_ONNX}, NAME{_PROGRAM} or a folder, got {output}")
    is_file = suffix in (_ONNX, _PROGRAM)
    if options.map_size and not is_file:
        raise ConfigError(f"--map-size: expected an --output of NAME{_ONNX} or NAME{_PROGRAM} with it, got {output}")
    if is_file:
        check_new_file(output, options.overwrite)
    trained = PretrainedModel.load(options.model)
    map_size = None if options.map_size is None else tuple(options.map_size)
    if suffix == _ONNX:
        from avground.export import export_onnx

        export_onnx(trained.model, output, vocabulary=trained.vocabulary, facts=trained.facts(), map_size=map_size)
    elif suffix == _PROGRAM:
        from avground.export import save_program

        facts = {**trained.facts(), **trained.vocabulary.to_dict()}
        save_program(trained.model, output, facts=facts, map_size=map_size)
    else:
        trained.save_pretrained(output, overwrite=options.overwrite)
    files = [output] if is_file else sorted(path for path in output.iterdir() if path.is_file())
    for path in files:
        print(f"{path}: {path.stat().st_size / 1e6:,.2f} MB")
    return 0
