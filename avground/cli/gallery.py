r"""Write a page of all questions of a split: filter by type of question and by right and wrong, search, look closer.

    avground gallery --checkpoint runs/tjstg-core-0/best.pt --output gallery.html
    avground gallery --checkpoint tjstg.pt --compare avst.pt --data MUSIC-AVQA --annotations json_update \
        --limit 1000 --output gallery.html

The data set is the one that the model was trained on, unless --data names another. Where the videos lie beside it the
page shows a still for each second that the model looked at; the page is one file, which needs no network.
"""

import argparse
import sys

from avground.cli.explain import add_data, add_models, add_output, check_output, open_data, write_page
from avground.data.headers import show_progress
from avground.data.variants import SPLITS
from avground.errors import check_whole
from avground.viz import gallery_page


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    add_models(parser)
    add_output(parser)
    add_data(parser)
    parser.add_argument("--split", choices=SPLITS, default="test", help="whose questions (default: test)")
    parser.add_argument("--limit", type=int, metavar="N", help="only the first N questions")
    parser.add_argument("--no-stills", action="store_true", help="leave the pictures out, for a smaller page")


def run(options: argparse.Namespace) -> int:
    """Answer all questions, and write the page."""
    check_output(options)
    if options.limit is not None:
        check_whole("--limit", options.limit)
    data = open_data(options)
    records = data.splits.records[options.split]
    chosen = records[: options.limit]
    if len(chosen) < len(records):
        print(f"note: {len(chosen):,} of {len(records):,} questions", file=sys.stderr)
    examples = data.examples(chosen, top=options.top)
    ids = list(dict.fromkeys(record.video_id for record in chosen))
    shown = show_progress(ids, "reading videos", not options.no_stills)
    footage = {
        video_id: data.footage(video_id, show="nothing" if options.no_stills else "stills") for video_id in shown
    }
    known = f"{len(chosen):,} {options.split} questions of {data.splits.folder.resolve().name}"
    title = f"{', '.join(data.models)}: {known}"
    write_page(options.output, gallery_page(footage, examples, title=title))
    right = sum(example.right is True for example in examples)
    print(f"{known}: {right / len(examples):.2%} right ({examples[0].attention[0].model})")
    print(options.output)
    return 0
