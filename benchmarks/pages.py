"""How large pages of whole test splits are, and how long a browser takes to show, filter, search and scroll them.

    python benchmarks/pages.py [--examples 1000 9000] [--cells 7 14] [--repeats 7]

Made-up examples of ten segments, in the mean five a video, as in MUSIC-AVQA; ten stills of 160 x 90 a video. Each
repetition opens the file anew in Chromium without a window. Times end when the frame is painted in which it shows:
first card from the start of loading; a filter from the change of its field; a search from the last letter, so with the
120 ms that the page waits for another. Scrolling moves by 120 pixels a frame, a notch of a wheel; what is kept are the
times between frames, of which a display of 60 Hz has one every 16.7 ms.

Writes benchmarks/results/pages.json, and the table in docs/explain.md.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Sequence
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from common import RESULTS, ROOT, browser_path, environment, fill, write_result
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from avground.viz import Attention, Example, Footage, gallery_page

SEGMENTS, WORDS, STILLS, A_VIDEO = 10, 12, 10, 5
THINGS = ("violin", "cello", "piano", "flute", "drum", "tuba", "guzheng", "erhu")
TYPES = [(m, k) for m in ("Audio", "Visual", "Audio-Visual") for k in ("Counting", "Location", "Comparative")]

# The clock stops after the frame is painted: a task that a frame asks for runs after it.
FIRST_CARD = """new MutationObserver((_, observer) => {
    if (!document.querySelector(".card")) return;
    observer.disconnect();
    requestAnimationFrame(() => setTimeout(() => (window.firstCard = performance.now())));
}).observe(document, { childList: true, subtree: true });"""
CHANGE = """([name, value]) => new Promise((done, fail) => {
    setTimeout(() => fail(new Error(`no frame within a minute after ${name} ${value}`)), 60000);
    const field = document.getElementById("filters").elements[name];
    const count = document.getElementById("count");
    const started = performance.now();
    new MutationObserver((_, observer) => {
        observer.disconnect();
        requestAnimationFrame(() => setTimeout(() => done(performance.now() - started)));
    }).observe(count, { childList: true, characterData: true, subtree: true });
    field.value = value;
    field.dispatchEvent(new Event("input", { bubbles: true }));
})"""
SCROLL = """(frames) => new Promise((done, fail) => {
    setTimeout(() => fail(new Error("no end of scrolling within a minute")), 60000);
    const times = [];
    let before = null;
    function step(now) {
        if (before !== null) times.push(now - before);
        before = now;
        scrollBy(0, 120);
        if (times.length < frames) requestAnimationFrame(step);
        else done(times);
    }
    requestAnimationFrame(step);
})"""


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=int, nargs="+", default=[1000, 9000])
    parser.add_argument("--cells", type=int, nargs="+", default=[7, 14], help="rows, and columns, of a map")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--frames", type=int, default=240, help="frames of scrolling a repetition")
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args(arguments)
    about = environment()
    cases = {}
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path(), args=["--no-sandbox"])
        about["versions"] |= {"chromium": browser.version, "playwright": version("playwright")}
        for count in options.examples:
            for side in options.cells:
                name = f"{count} x {SEGMENTS} x {side} x {side}"
                page = Path(folder) / "page.html"
                cases[name] = build(page, count, side) | measure(browser, page, options.repeats, options.frames)
                print(f"{name}: {brief(cases[name])}", flush=True)
        browser.close()
    examples, cells = (" ".join(map(str, values)) for values in (options.examples, options.cells))
    command = f"python benchmarks/pages.py --examples {examples} --cells {cells} --repeats {options.repeats}"
    result = {"command": command, **about, "seed": 0, "frames": options.frames, "pages": cases}
    print(write_result("pages", result, options.results))
    if options.results == RESULTS:
        docs = ROOT / "docs" / "explain.md"
        docs.write_text(fill(docs.read_text(), {"the pages": table(result)}))


def build(path: Path, count: int, side: int) -> dict[str, Any]:
    """Write a page of so many examples."""
    footage, examples = make_split(count, side)
    started = time.perf_counter()
    text = gallery_page(footage, examples)
    seconds = time.perf_counter() - started
    path.write_text(text, encoding="ascii")
    stills = sum(len(frame) for one in footage.values() for frame in one.frames)
    return {"examples": count, "videos": len(footage), "seconds_to_make": seconds, "bytes": len(text), "stills": stills}


def make_split(count: int, side: int) -> tuple[dict[str, Footage], list[Example]]:
    generator = np.random.default_rng(0)
    pictures = [make_still(generator) for _ in range(50)]
    starts = np.arange(SEGMENTS) * 6.0
    footage = {
        f"{number:08d}": Footage(
            60.0,
            frames=tuple(pictures[place] for place in generator.integers(len(pictures), size=STILLS)),
            frame_starts=tuple(starts),
            waveform=generator.random(600),
        )
        for number in range(-(-count // A_VIDEO))
    }
    videos = list(footage)
    examples = []
    for number in range(count):
        maps = np.exp(generator.uniform(0, 2) * generator.standard_normal((SEGMENTS, side, side)))
        audio, visual = generator.dirichlet(np.ones(SEGMENTS), size=2)
        answers = zip(
            generator.permutation(THINGS)[:5], sorted(generator.dirichlet(np.ones(5)), reverse=True), strict=True
        )
        one = Attention(
            "a model",
            list(answers),
            starts,
            maps / maps.sum((1, 2), keepdims=True),
            audio,
            visual,
            word_weights=generator.dirichlet(np.ones(WORDS)),
        )
        words = (
            "Which",
            "of",
            "the",
            "things",
            "that",
            "sound",
            "is",
            "louder",
            "than",
            "the",
            THINGS[number % 8],
            "here",
        )
        examples.append(
            Example(
                videos[number % len(videos)], words, (one,), answer=THINGS[number % 3], type=TYPES[number % len(TYPES)]
            )
        )
    return footage, examples


def make_still(generator: np.random.Generator) -> bytes:
    """A picture that compresses as photographs do: coarse noise."""
    coarse = Image.fromarray(generator.integers(0, 256, (15, 27, 3), dtype=np.uint8))
    content = BytesIO()
    coarse.resize((160, 90), Image.Resampling.BICUBIC).save(content, "JPEG", quality=80)
    return content.getvalue()


def measure(browser: Browser, path: Path, repeats: int, frames: int) -> dict[str, Any]:
    """What a browser takes for a page, over so many times that it is opened."""
    found: dict[str, list[Any]] = {"first_card": [], "filter": [], "search": [], "frame_intervals": []}
    for _ in range(repeats):
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.add_init_script(FIRST_CARD)
        page.goto(path.as_uri(), timeout=120_000)
        found["first_card"].append(wait_for_card(page))
        for change in (("result", "wrong"), ("modality", "Audio"), ("modality", ""), ("result", "")):
            found["filter"].append(page.evaluate(CHANGE, change))
        for text in ("violin", "louder cello", "nothing at all", ""):
            found["search"].append(page.evaluate(CHANGE, ("q", text)))
        found["frame_intervals"].append(page.evaluate(SCROLL, frames))
        page.close()
    intervals = [interval for times in found.pop("frame_intervals") for interval in times]
    return {
        "milliseconds": {name: quartiles(values) for name, values in found.items()},
        "milliseconds_between_frames": {
            "median": statistics.median(intervals),
            "95 %": float(np.percentile(intervals, 95)),
            "longest": max(intervals),
            "above_25": sum(interval > 25 for interval in intervals),
            "frames": len(intervals),
        },
    }


def wait_for_card(page: Page) -> float:
    for _ in range(6000):
        found = page.evaluate("window.firstCard")
        if found is not None:
            return float(found)
        page.wait_for_timeout(20)
    raise SystemExit("expected a card within two minutes, got none")


def quartiles(values: Sequence[float]) -> dict[str, Any]:
    low, middle, high = np.percentile(values, (25, 50, 75)).tolist()
    return {"median": middle, "quartiles": [low, high], "values": list(values)}


def table(result: dict[str, Any]) -> str:
    """The medians, for docs/explain.md."""
    lines = ["| questions | map | MB | first card, ms | filter, ms | search, ms | between frames, ms | longest, ms |"]
    lines.append("|---:|---|---:|---:|---:|---:|---:|---:|")
    for name, case in result["pages"].items():
        times = [f"{case['milliseconds'][key]['median']:.0f}" for key in ("first_card", "filter", "search")]
        frames = case["milliseconds_between_frames"]
        side = name.split(" x ")[-1]
        cells = [f"{case['examples']:,}", f"{side} x {side}", f"{case['bytes'] / 1e6:.0f}", *times]
        lines.append(f"| {' | '.join([*cells, *(f'{frames[key]:.1f}' for key in ('median', 'longest'))])} |")
    repeats = len(next(iter(result["pages"].values()))["milliseconds"]["first_card"]["values"])
    rule = (
        f"Medians of {repeats} openings on {result['machine']['cores']} cores, without a GPU; a search waits 120 ms for"
    )
    rule += " another letter. Scrolling goes a notch of a wheel a frame; 16.7 ms is the pace of the screen."
    return "\n".join([*lines, "", rule])


def brief(case: dict[str, Any]) -> str:
    times = {name: round(values["median"]) for name, values in case["milliseconds"].items()}
    frames = {name: round(value, 1) for name, value in case["milliseconds_between_frames"].items()}
    return f"{case['bytes'] / 1e6:.1f} MB made in {case['seconds_to_make']:.1f} s; ms {times}; between frames {frames}"


if __name__ == "__main__":
    main()
