"""Put what pixels.py, demo.py, loading.py and killed_extraction.py measured into the docs and the README.

python benchmarks/video_tables.py
"""

from typing import Any

from common import ROOT, fill, read_result

NAMES = {
    "tjstg_sharp": "`tjstg_sharp` (ours)",
    "tjstg": "`tjstg`",
    "avst": "`avst`",
    "tjstg_released": "`tjstg_released`",
}

RECIPES = {
    "tjstg_sharp": "`tjstg_sharp`, with matching and stage I",
    "avst": "`avst`, with both",
    "tjstg_sharp_without_matching": "`tjstg_sharp`, as its preset: without",
}


def main() -> None:
    pixels, loading, killed = (read_result(name) for name in ("pixels", "loading", "killed-extraction"))
    tables = {"the pixels": accuracies(pixels), "the steps": steps(pixels), "the loading": ways(loading)}
    tables["the kills"] = kills(killed)
    tables["the precision"] = precision(pixels)
    tables["the matching"] = matching(read_result("demo"))
    for path in (*(ROOT / "docs" / f"{page}.md" for page in ("videos", "reproduction")), ROOT / "README.md"):
        text = path.read_text()
        path.write_text(fill(text, {name: table for name, table in tables.items() if f"table of {name}" in text}))


def accuracies(result: dict[str, Any]) -> str:
    """Models on the rendered world."""
    lines = ["| model | features | accuracy, % | gain | pointing, % | flat map | audio shuffled | visual shuffled |"]
    lines += ["|---|---|---:|---:|---:|---:|---:|---:|"]
    for row, measured in result["rows"].items():
        model, dtype = row.split(", ")
        gain = result["gain_over_prior"][row]
        keys = ("accuracy", None, "pointing", "pointing_by_chance", "audio_shuffled", "visual_shuffled")
        cells = [f"{100 * gain['mean']:+.1f}" if key is None else _spread(measured[key]) for key in keys]
        lines.append(f"| {NAMES.get(model, f'`{model}`')} | {dtype} | " + " | ".join(cells) + " |")
    lines.append(f"| prior | | {_spread(result['prior'])} | | | | | |")
    return "\n".join(lines)


def matching(result: dict[str, Any]) -> str:
    """`tjstg_sharp` on filmed scenes with and without the matching loss and stage I, and AVST with them."""
    lines = ["| row | accuracy, % | pointing, % | largest weight, x flat |", "|---|---:|---:|---:|"]
    for name, row in result["rows"].items():
        peak = f"{row['peak_over_uniform']['mean']:.1f}"
        lines.append(f"| {RECIPES[name]} | {_spread(row['test'])} | {_spread(row['pointing'])} | {peak} |")
    first = result["rows"]["avst"]
    flat = f"{100 * first['pointing_of_a_flat_map']['mean']:.1f}"
    lines.append(f"| prior, flat map | {100 * first['prior']['mean']:.1f} | {flat} | 1.0 |")
    told = []
    for key, what in (("test", "accuracy"), ("pointing", "pointing")):
        found = result["matching"][key]
        low, high = (100 * edge for edge in found["interval"])
        told.append(f"{what} {100 * found['mean']:+.1f} points (95 %: {low:+.1f} to {high:+.1f}, p {found['p']:.2f})")
    rule = "1,500 test questions, mean ± standard deviation."
    return "\n".join(
        [*lines, "", f"{rule} With the loss and stage I against without, seed by seed: {'; '.join(told)}."]
    )


def precision(result: dict[str, Any]) -> str:
    """What half precision costs `tjstg_sharp`."""
    lines = ["| maps | against float32, points | 95 % interval | pairs |", "|---|---:|---:|---:|"]
    for dtype, cost in result["cost_of_half_precision"].items():
        low, high = (100 * edge for edge in cost["interval"])
        lines.append(f"| {dtype} | {100 * cost['mean']:+.1f} | {low:+.1f} to {high:+.1f} | {len(cost['values'])} |")
    return "\n".join(lines)


def steps(result: dict[str, Any]) -> str:
    """Seconds of each step of the five commands, and bytes, by seed."""
    seeds = result["seeds"]
    lines = ["| step | " + " | ".join(f"seed {seed}, s" for seed in seeds) + " |", "|---|" + "---:|" * len(seeds)]
    for step in ("render", "extract", "pack float16", "train tjstg_sharp, float16"):
        lines.append(f"| {step} | " + " | ".join(f"{seconds[step]:,.0f}" for seconds in result["seconds"]) + " |")
    sizes = ", ".join(f"{name} {size / 1e6:,.0f} MB" for name, size in result["bytes"][0].items())
    return "\n".join([*lines, "", f"On disk (seed {seeds[0]}): {sizes}."])


def ways(result: dict[str, Any]) -> str:
    """Samples a second of each way to load."""
    lines = ["| way | samples/s, median | least to greatest | times the first |", "|---|---:|---:|---:|"]
    for name, way in result["ways"].items():
        least, greatest = way["least_and_greatest"]
        speed = f"{way['samples_per_second']:,.1f} | {least:,.1f} to {greatest:,.1f}"
        lines.append(f"| {name} | {speed} | {way['faster_than_whole_files']:,.1f} |")
    return "\n".join(lines)


def kills(result: dict[str, Any]) -> str:
    """What became of extractions that were killed."""
    trials = result["trials"]
    finished = [trial["finished"] for trial in trials]
    lines = [
        "| killed runs | videos | finished at the kill | half-written files | finished and redone | files that differ |"
    ]
    lines.append("|---:|---:|---:|---:|---:|---:|")
    counts = f"{result['half_written']} | {result['redone']} | {result['differing']}"
    lines.append(f"| {result['killed']} | {result['videos']} | {min(finished)} to {max(finished)} | {counts} |")
    return "\n".join(lines)


def _spread(summary: dict[str, Any]) -> str:
    deviation = f" ± {100 * summary['deviation']:.1f}" if "deviation" in summary else ""
    return f"{100 * summary['mean']:.1f}{deviation}"


if __name__ == "__main__":
    main()
