"""The screenshots of the documentation: pages of filmed scenes, opened in Chromium.

    python benchmarks/screenshots.py [--world runs/pixels_tiny]

Films the world `pixels_tiny`, extracts and packs its features, writes the pages with the commands that users run and
the models in examples/pocket_pixels, and opens them: docs/figures/explain-1280.png, explain-390.png, gallery-1280.png.
What is finished is not done again.
"""

import argparse
import subprocess
import sys
from io import BytesIO
from pathlib import Path

from common import ROOT, browser_path
from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from avground.data import pocket

FIGURES = ROOT / "docs" / "figures"
MODELS = ROOT / "examples" / "pocket_pixels"
VIDEO, QUESTION = "20000000", "Is the cello in the video always playing?"
SECOND = 5.5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--world", type=Path, default=Path("runs") / "pixels_tiny")
    world = parser.parse_args().world.resolve()
    store, feats = world.with_suffix(".safetensors"), world / "feats"
    pocket.generate(world, "pixels_tiny", rendering=pocket.Rendering())
    if not store.exists():
        extractors = ("--audio", "logmel", "--visual", "efficientnet_lite0", "--seconds", 10)
        command("extract", world / "videos", "--output", feats, *extractors)
        command("pack", feats, "--output", store)
    data = ("--data", world, "--features", store, "--overwrite")
    models = ("--checkpoint", MODELS / "tjstg_sharp", "--compare", MODELS / "avst")
    explain, gallery = world.with_name("explain.html"), world.with_name("gallery.html")
    command("explain", VIDEO, QUESTION, *models, *data, "--output", explain)
    command("gallery", *models, *data, "--output", gallery)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path(), args=["--no-sandbox"])
        shoot(browser, explain, "explain-1280", 1280, "light")
        shoot(browser, explain, "explain-390", 390, "dark")
        shoot(browser, gallery, "gallery-1280", 1280, "light", video=False)
        browser.close()


def command(*arguments: object) -> None:
    subprocess.run([sys.executable, "-m", "avground", *map(str, arguments)], check=True)


def shoot(browser: Browser, page: Path, name: str, width: int, scheme: str, video: bool = True) -> None:
    """Open a page, go to a second of its video if it has one, and keep what it looks like."""
    opened = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    opened.goto(page.as_uri())
    if video:
        opened.evaluate(
            "second => new Promise(done => { const video = document.querySelector('video');"
            " video.addEventListener('seeked', () => setTimeout(done, 300)); video.currentTime = second; })",
            SECOND,
        )
        # So tall that the bar at the foot of the window covers nothing.
        height = opened.evaluate("document.documentElement.scrollHeight")
        opened.set_viewport_size({"width": width, "height": height})
    opened.wait_for_timeout(500)
    picture = Image.open(BytesIO(opened.screenshot())).convert("RGB").quantize(256)
    picture.save(FIGURES / f"{name}.png", optimize=True)
    opened.close()


if __name__ == "__main__":
    main()
