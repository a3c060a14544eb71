"""Put what run.py and curves.py measured into docs/speed.md and the README, and draw how it scales.

python benchmarks/speed_tables.py       (the figure needs pip install -e ".[viz]")

What was not measured is said to be so, and nothing else stands in its place.
"""

from collections.abc import Callable
from typing import Any

from common import RESULTS, ROOT, fill, read_result

WAYS = ("published", "reference", "compiled reference", "fused", "fused, rows of a bank")
LETTERS = {"b": "clips b", "t": "segments t", "side": "rows and columns of cells", "c": "channels c"}
NOT_MEASURED = "Not measured."


def main() -> None:
    tables = make_tables()
    for path in (ROOT / "docs" / "speed.md", ROOT / "README.md"):
        text = path.read_text()
        path.write_text(fill(text, {name: table for name, table in tables.items() if f"table of {name}:" in text}))
    if (RESULTS / "speed-op-cpu.json").exists():
        draw(read_result("speed-op-cpu"))


def make_tables() -> dict[str, str]:
    """All tables by the name of their place in the page."""
    tables = {}
    for device in ("cpu", "cuda"):
        makers = {"machine": ("speed-op", machine), "op": ("speed-op", op), "sizes": ("speed-op", sizes)}
        makers |= {name: (f"speed-{name}", make) for name, make in (("model", model), ("loader", loader))}
        makers |= {"schedule": ("speed-schedule", schedule)} if device == "cuda" else {}
        makers |= {"curves": ("curves-core", curves)}
        for name, (file, make) in makers.items():
            joint = "with" if name == "machine" else "on"
            tables[f"{name} {joint} {device}"] = measured(f"{file}-{device}", make)
    return tables


def measured(name: str, make: Callable[[dict[str, Any]], str]) -> str:
    """The table of a result file, if there is one."""
    return make(read_result(name)) if (RESULTS / f"{name}.json").exists() else NOT_MEASURED


def machine(result: dict[str, Any]) -> str:
    """Where it was measured."""
    versions = ", ".join(f"{name} {version}" for name, version in result["versions"].items())
    processor = f"{result['machine']['processor']}, {result['machine']['cores']} cores"
    what = processor if result["device"] == "cpu" else f"{result['device']}, {processor}"
    copy = result["copy_bytes_per_second"] / 1e9
    return f"{what}; {versions}; {result['date']}. A copy moves {copy:,.1f} GB/s, read and written."


def op(result: dict[str, Any]) -> str:
    """Times of the published size in every setting."""
    lines = ["| setting | way | forward, ms | with backward, ms | quartiles | share of a copy's rate | peak, MB |"]
    lines += ["|---|---|---:|---:|---:|---:|---:|"]
    for case in published_size(result):
        for way in (way for way in WAYS if way in case["forward"]):
            once, both = case["forward"][way], case["forward_backward"][way]
            low, high = both["milliseconds"]["quartiles"]
            lines.append(
                f"| {case['setting']}, {case['dtype']} | {way} | {once['milliseconds']['median']:,.2f} | "
                f"{both['milliseconds']['median']:,.2f} | {low:,.2f} to {high:,.2f} | "
                f"{100 * both['share_of_copy']:.0f} % | {both['peak_megabytes']:,.1f} |"
            )
    return "\n".join(lines)


def published_size(result: dict[str, Any]) -> list[dict[str, Any]]:
    """The cases that were timed with the compiler too: those of the published size."""
    return [case for case in result["cases"] if "compiled reference" in case["forward"]]


def sizes(result: dict[str, Any]) -> str:
    """Forward and backward at other sizes."""
    ways = [way for way in WAYS if way != "compiled reference"]
    lines = ["| setting | b | t | channels | cells | " + " | ".join(f"{way}, ms" for way in ways) + " | times |"]
    lines += ["|---|---:|---:|---:|---:|" + "---:|" * (len(ways) + 1)]
    for case in result["cases"]:
        if "compiled reference" in case["forward"]:
            continue
        found = {way: entry["milliseconds"]["median"] for way, entry in case["forward_backward"].items()}
        cells = " | ".join(f"{found[way]:,.2f}" if way in found else "" for way in ways)
        times = f"{found['published'] / found['fused']:.1f}" if "published" in found else ""
        size = f"{case['b']} | {case['t']} | {case['c']} | {case['side']} x {case['side']}"
        lines.append(f"| {case['setting']} | {size} | {cells} | {times} |")
    return "\n".join(lines)


def model(result: dict[str, Any]) -> str:
    """A training step; where some are in half precision, also beside the published one in half precision."""
    half = any(name.endswith("bf16") for name in result["ways"])
    titles = ["step", "ms, median", "quartiles", "times as fast", *["in the same precision"] * half]
    titles += ["peak, MB", "of the published"]
    lines = [f"| {' | '.join(titles)} |", "|---|" + "---:|" * (len(titles) - 1)]
    for name, way in result["ways"].items():
        low, high = way["milliseconds"]["quartiles"]
        cells = [name, f"{way['milliseconds']['median']:,.1f}", f"{low:,.1f} to {high:,.1f}", f"{way['faster']:.2f}"]
        cells += [f"{way['faster_same_precision']:.2f}"] * half
        cells += [f"{way['peak_megabytes']:,.0f}", f"{100 * way['memory_share']:.0f} %"]
        lines.append(f"| {' | '.join(cells)} |")
    recurrent = result["parts"]["recurrent layers"]["milliseconds"]["median"]
    return "\n".join([*lines, "", f"The recurrent layers alone: {recurrent:,.1f} ms."])


def loader(result: dict[str, Any]) -> str:
    """Samples a second."""
    first = result["ways"]["published"]["samples_per_second"]
    lines = ["| way | samples/s | times the published |", "|---|---:|---:|"]
    for name, way in result["ways"].items():
        times = "" if name.startswith("device") else f"{way['samples_per_second'] / first:,.1f}"  # it moves no map
        lines.append(f"| {name} | {way['samples_per_second']:,.0f} | {times} |")
    return "\n".join(lines)


def schedule(result: dict[str, Any]) -> str:
    """Whole training runs."""
    lines = ["| run | seconds | ms a step, all included | test, s | peak, GB |", "|---|---:|---:|---:|---:|"]
    for name, run in result["runs"].items():
        lines.append(
            f"| {name} | {run['seconds']:,.1f} | {run['milliseconds_per_step']:.2f} | {run['test_seconds']:.1f} | "
            f"{(run['peak_bytes'] or 0) / 1e9:.1f} |"
        )
    return "\n".join(lines)


def curves(result: dict[str, Any]) -> str:
    """What the fast way costs."""
    lines = ["| way | accuracy, % | against plain, points | 95 % interval | largest difference of a loss curve |"]
    lines += ["|---|---:|---:|---:|---:|"]
    for way, found in result["ways"].items():
        accuracy = f"{100 * found['accuracy']['mean']:.2f} ± {100 * found['accuracy']['deviation']:.2f}"
        if way == "plain":
            between = result["against_plain"]["fast"]["largest_between_plain_seeds"]
            lines.append(f"| {way} | {accuracy} | | | {between:.3f} between its seeds |")
            continue
        against = result["against_plain"][way]
        low, high = (100 * edge for edge in against["accuracy"].get("interval", (0, 0)))
        largest = max(against["largest_in_any_epoch"])
        difference = f"{100 * against['accuracy']['mean']:+.2f} | {low:+.2f} to {high:+.2f} | {largest:.3f}"
        lines.append(f"| {way} | {accuracy} | {difference} |")
    return "\n".join(lines)


def draw(result: dict[str, Any]) -> None:
    """Milliseconds of forward and backward against each size, one panel a size."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "avground"
    from matplotlib import pyplot

    cases = [case for case in result["cases"] if "compiled reference" not in case["forward"]]
    base = published_size(result)[0]
    figure, axes = pyplot.subplots(1, len(LETTERS), figsize=(12, 3), layout="constrained", sharey=True)
    for axis, (letter, title) in zip(axes, LETTERS.items(), strict=True):
        fixed = [name for name in LETTERS if name != letter]
        of_letter = sorted(
            (case for case in cases if all(case[name] == base[name] for name in fixed)), key=lambda case: case[letter]
        )
        for way in ("published", "reference", "fused, rows of a bank"):
            times = [case["forward_backward"][way]["milliseconds"]["median"] for case in of_letter]
            axis.loglog([case[letter] for case in of_letter], times, marker="o", label=way)
        values = [case[letter] for case in of_letter]
        axis.set_xticks(values, [str(value) for value in values])
        axis.minorticks_off()
        axis.set_xlabel(title)
    axes[0].set_ylabel("forward and backward, ms")
    axes[0].legend(frameon=False, fontsize="small")
    figure.savefig(ROOT / "docs" / "figures" / "speed-cpu.svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
