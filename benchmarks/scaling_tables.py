"""The estimates of docs/scaling.md: what scaling.py measured, times how much there is of it, beside what is assumed.

    python benchmarks/scaling_tables.py

Every estimate is a product or a quotient of measured figures, of the published sizes, and of :data:`ASSUMED`, which are
figures of data sheets and were not measured. No speed of a GPU is assumed: a table says from which speed on something
else is the bottleneck.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Any

from common import ROOT, fill, read_result

GPUS, BATCH = 8, 64
TIMES = 1000
"""How many times MUSIC-AVQA the larger corpus is."""

ASSUMED = {
    "NVLink": 450e9,
    "InfiniBand": 50e9,
    "Ethernet": 1.25e9,
    "PCIe": 50e9,
    "SSD": 7e9,
    "shared": 2e9,
    "GPU": 80e9,
    "host": 2e12,
    "disk": 30e12,
}
"""Bytes a second and bytes, see the table of assumptions."""

LABELS = {
    "NVLink": "between GPUs of a node: NVLink of an H100, each way",
    "InfiniBand": "between nodes: a 400 Gb/s port for each GPU",
    "Ethernet": "between nodes: one 10 Gb/s port",
    "PCIe": "host to GPU: PCIe 5.0 x16, of 63 GB/s nominal",
    "SSD": "one NVMe SSD, large reads",
    "shared": "a shared file system, to one node",
    "GPU": "memory of a GPU",
    "host": "memory of a node, free",
    "disk": "an NVMe volume of a node",
}


def main() -> None:
    fill_page(read_result("scaling"))


def fill_page(result: dict[str, Any]) -> None:
    """Put the tables of a result into the page."""
    page = ROOT / "docs" / "scaling.md"
    page.write_text(
        fill(page.read_text(), make_tables(result, read_result("speed-model-cpu"), read_result("speed-loader-cpu")))
    )


def make_tables(result: dict[str, Any], model: dict[str, Any], loader: dict[str, Any]) -> dict[str, str]:
    """All tables by the name of their place in the page.

    Args:
        result: What scaling.py measured.
        model: What ``run.py model`` measured.
        loader: What ``run.py loader`` measured.
    """
    return {
        "machine of scaling": machine(result),
        "assumptions": assumptions(),
        "steps of processes": steps(result),
        "gradients": exchanged(result),
        "features": features(result),
        "rates": rates(result, model, loader),
        "questions": questions(result),
        "videos": videos(result),
        "limits": limits(result),
    }


def machine(result: dict[str, Any]) -> str:
    """Where it was measured, and how busy that was."""
    versions = ", ".join(f"{name} {version}" for name, version in result["versions"].items())
    where = f"{result['machine']['processor']}, {result['machine']['cores']} cores"
    load = result["load_before"][0]
    beside = f"the load before was {load:.1f}: other work ran beside" if load > 0.5 else "idle before"
    return f"{where}; {versions}; {result['date']}; seed {result['seed']}; {beside}."


def assumptions() -> str:
    """What was not measured."""
    rates = ("NVLink", "InfiniBand", "Ethernet", "PCIe", "SSD", "shared")
    rows = [(LABELS[name], size(value) + "/s" * (name in rates)) for name, value in ASSUMED.items()]
    return table(("assumed, not measured", ""), rows)


def steps(result: dict[str, Any]) -> str:
    """One process and two."""
    found = result["steps"]
    ways = {name: way["milliseconds"] for name, way in found["ways"].items()}
    alone, two = (ways[name]["median"] for name in ("one process, 1 thread", "two processes, 1 thread each"))
    share, moved = found["share_of_exchange"], found["gradient_bytes"]
    low, high = share["quartiles"]
    rate = moved / ways["exchange of the gradients alone"]["median"] / 1e6
    titles = (f"a step of the same {found['batch']} questions", "ms, median", "quartiles", "least")
    return table(titles, [(name, *cells(times), f"{times['least']:,.1f}") for name, times in ways.items()]) + (
        f"\n\nTwo processes take {100 * two / alone:.0f} % of the time of one with as many threads each. Where "
        f"gradients are not exchanged their step takes {100 - 100 * share['median']:.0f} % of that "
        f"({100 - 100 * high:.0f} to {100 - 100 * low:.0f} %). The exchange alone adds up {size(moved)} of both at "
        f"{rate:.2f} GB/s. The loss of the first step differs by {found['loss_deviation']:.0e} of itself."
    )


def exchanged(result: dict[str, Any]) -> str:
    """Gradients over several links."""
    links = ("NVLink", "InfiniBand", "Ethernet")
    rows = []
    for name, about in result["models"].items():
        sent = 2 * (GPUS - 1) / GPUS * about["bytes"]
        seconds = [sent / ASSUMED[link] for link in links]
        times = [f"{1e3 * value:,.2f} ms" for value in seconds]
        rows.append((f"`{name}`", size(about["bytes"]), size(sent), *times))
        rows.append(
            ("takes as long as a step from, questions/s", "", "", *(figure(BATCH / GPUS / value) for value in seconds))
        )
    return table(("model", "gradients", f"sent by each of {GPUS}", *links), rows)


def features(result: dict[str, Any]) -> str:
    """How much fits where."""
    video, stored = result["videos"]["bank_bytes"], result["videos"]["stored_bytes"]
    corpus, gpu, host = result["published"]["videos"], ASSUMED["GPU"], ASSUMED["host"]
    rooms = {
        "each GPU (`device`)": (video, 0.8 * gpu, f"0.8 x {size(gpu)}"),
        "host, `auto`": (video, host / 2 / GPUS, f"{size(host)} / 2 / {GPUS} processes"),
        "host, asked for (`host`)": (video, host / GPUS, f"{size(host)} / {GPUS} processes"),
        "host, if processes shared it (they do not)": (video, host, size(host)),
        "disk of a node": (stored, ASSUMED["disk"], size(ASSUMED["disk"])),
    }
    rows = [
        (name, text, figure(room / each), figure(room / each / corpus)) for name, (each, room, text) in rooms.items()
    ]
    whole = corpus * video
    return table(("where", "room", "videos", "times MUSIC-AVQA"), rows) + (
        f"\n\nA video takes {video:,.0f} bytes in memory and {stored:,.0f} on disk, MUSIC-AVQA {size(whole)} in "
        f"memory, {TIMES:,} times as much {size(TIMES * whole)}."
    )


def rates(result: dict[str, Any], model: dict[str, Any], loader: dict[str, Any]) -> str:
    """From which speed of a GPU on something else is what it waits for."""
    stored, single = result["videos"]["question_bytes"].values()
    read = 1e6 / result["videos"]["maps"]["a batch from a store"]["microseconds"]["median"]
    host = loader["ways"]["host, half precision"]["samples_per_second"]
    ssd, shared, pcie = (ASSUMED[name] for name in ("SSD", "shared", "PCIe"))
    rows = [
        ("disk: one SSD", f"{size(stored)}, at {size(ssd)}/s a node", figure(ssd / stored / GPUS)),
        ("disk: shared file system", f"{size(stored)}, at {size(shared)}/s a node", figure(shared / stored / GPUS)),
        ("disk: 4 workers a process", f"{figure(read)} questions/s each, measured here", figure(4 * read)),
        ("disk: host to GPU", f"{size(single)}, at {size(pcie)}/s", figure(pcie / single)),
        ("host: gathering", f"{figure(host)} questions/s a process, measured here", figure(host)),
        ("host: host to GPU", f"{size(stored)}, at {size(pcie)}/s", figure(pcie / stored)),
        ("device", "row numbers, once an epoch", "never"),
    ]
    step = model["ways"]["tjstg, rows of a bank"]["milliseconds"]["median"]
    here, train = 1e3 * model["b"] / step, result["published"]["train"]
    return table(("features on", "what a question moves", "a GPU waits for it from, questions/s"), rows) + (
        f"\n\nFor comparison: the {model['threads']} cores of `speed-model-cpu.json` train {here:,.0f} questions/s "
        f"({model['b']} in {step:,.1f} ms), which is {size(here * stored)}/s of maps. An epoch over {train:,} "
        f"questions moves {size(train * stored)}, over {TIMES:,} times as many {size(TIMES * train * stored)}."
    )


QUESTION_PARTS = {
    "reading": ("JSON to records, at the start", ("questions",), 1),
    "vocabulary": ("words and answers, at the start", ("train",), 1),
    "data set": ("questions as numbers, at the start, train for either stage", ("questions", "train"), 1),
    "order of an epoch": ("order and batches, each epoch", ("train",), 1),
    "negatives of an epoch": ("negatives at once, each epoch, features in memory", ("train",), GPUS),
    "negatives of a batch": ("negatives by batches, each epoch, features on disk", ("train",), GPUS),
    "rows of an epoch": ("row numbers with negatives, each epoch, features in memory", ("train",), GPUS),
    "scoring": ("scores, after each validation", ("val",), 1),
}
"""For each part what it is, which questions it is about, and among how many processes those are divided."""


def questions(result: dict[str, Any]) -> str:
    """What each process does for every question."""
    rows = []
    for name, (text, which, processes) in QUESTION_PARTS.items():
        part, count = result["questions"]["parts"][name], sum(result["published"][split] for split in which) / processes
        seconds = part["microseconds"]["median"] * count / 1e6
        held = part.get("bytes")
        sizes = ["", ""] if held is None else [f"{held:,.0f}", f"{TIMES * held * count / 1e9:,.1f}"]
        rows.append((text, *cells(part["microseconds"]), f"{seconds:,.2f}", f"{TIMES * seconds / 60:,.1f}", *sizes))
    titles = ("part", "µs a question", "quartiles", "MUSIC-AVQA, s", f"{TIMES:,} x, min")
    found = result["questions"]["parts"]
    growth, published = found["reading"]["process_bytes"], result["published"]
    numbers = found["data set"]["bytes"] * (published["questions"] + published["train"])
    large = TIMES * (
        growth * published["questions"] + numbers + found["order of an epoch"]["bytes"] * published["train"]
    )
    return table((*titles, "bytes a question", f"{TIMES:,} x, GB"), rows) + (
        f"\n\nA process that reads questions grows by {growth:,.0f} bytes each. With numbers and order that is "
        f"{size(large)} a process for {TIMES:,} times MUSIC-AVQA, and {size(GPUS * large)} for {GPUS}."
    )


def videos(result: dict[str, Any]) -> str:
    """What each process does for every video."""
    parts = {**result["videos"]["parts"], **result["videos"]["maps"]}
    texts = {
        "first look at a folder": "first look at the headers of a folder's two files",
        "next look at a folder": "next look: size and time of change",
        "opening a store": "opening a store",
        "reading into memory": "reading a store into memory, from the system's cache",
    }
    rows = []
    for name, text in texts.items():
        seconds = parts[name]["microseconds"]["median"] * result["published"]["videos"] / 1e6
        rows.append((text, *cells(parts[name]["microseconds"]), f"{seconds:,.2f}", f"{TIMES * seconds / 60:,.1f}"))
    return table(("part", "µs a video", "quartiles", "MUSIC-AVQA, s", f"{TIMES:,} x, min"), rows) + (
        f"\n\nAn open store keeps {parts['opening a store']['bytes']:,.0f} bytes a video in each process."
    )


def limits(result: dict[str, Any]) -> str:
    """What is refused, and from which size on."""
    published, store, asked = result["published"], result["store"], result["questions"]
    header, each = store["header_limit"], result["videos"]["header_bytes"]
    file, row = asked["most_bytes_of_file"], asked["bytes_in_file"]
    most = {"videos": header / each, "train": file / row}
    times = {name: figure(count / published[name]) for name, count in most.items()}
    rows = [
        (
            "header of a store (safetensors)",
            f"{header:,} bytes, {each:.0f} a video",
            f"{figure(most['videos'])} videos",
            times["videos"],
        ),
        (
            "a question file (avground)",
            f"{file:,} bytes, {row:.0f} a question",
            f"{figure(most['train'])} train questions",
            times["train"],
        ),
    ]
    return table(("limit", "", "reached with", "times MUSIC-AVQA"), rows)


# ---- numbers ---------------------------------------------------------------------------------------------------------


def table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table whose first column is text and whose others are numbers."""
    lines = [titles, ("---", *("---:" for _ in titles[1:])), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def cells(spread: dict[str, Any]) -> tuple[str, str]:
    """Median and quartiles."""
    low, high = spread["quartiles"]
    digits = 1 if spread["median"] >= 10 else 2
    return f"{spread['median']:,.{digits}f}", f"{low:,.{digits}f} to {high:,.{digits}f}"


def figure(value: float) -> str:
    """Three digits: a product of measured and assumed figures has no more."""
    if value <= 0:
        return "0"
    rounded = round(value, 2 - math.floor(math.log10(value)))
    return f"{rounded:,.0f}" if rounded >= 100 else f"{rounded:,.3g}"


def size(count: float) -> str:
    """Bytes in words, decimal."""
    for unit, name in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if count >= unit:
            return f"{figure(count / unit)} {name}"
    return f"{count:,.0f} bytes"


if __name__ == "__main__":
    main()
