"""A real browser, without a network, in which nothing may go wrong unseen."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from avground.viz import Footage, explain_page

from .material import features_only, frames, pair, video

ARGUMENTS = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required", "--mute-audio"]
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
LOCAL = ("file:", "blob:", "data:")


def missing(reason):
    """A machine without a browser skips; continuous integration has one, or fails."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def find_browser():
    """The path of a browser, or None for the one that playwright installed; skips where there is neither."""
    try:
        from playwright.sync_api import sync_playwright
    except ModuleNotFoundError:
        missing("playwright is not installed")
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        with sync_playwright() as playwright:
            if not Path(playwright.chromium.executable_path).exists():
                missing("there is no Chromium")
    return path


@pytest.fixture(scope="package")
def browser():
    path = find_browser()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield found
        found.close()


@pytest.fixture
def show(browser, tmp_path):
    """Open a page from a file. Whatever asks the network, complains to the console or opens a box fails the test."""
    contexts, wrong = [], []

    def heard(request):
        if not request.url.startswith(LOCAL):
            wrong.append(f"asked for {request.url}")

    def opened(html, *, address="", width=1280, height=900, **settings):
        path = tmp_path / f"page-{len(contexts)}.html"
        path.write_text(html, encoding="ascii")
        context = browser.new_context(viewport={"width": width, "height": height}, offline=True, **settings)
        contexts.append(context)
        context.set_default_timeout(20_000)
        context.on("request", heard)
        page = context.new_page()
        page.wrong = wrong
        page.on("console", lambda message: wrong.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
        page.on("dialog", lambda box: (wrong.append(f"box: {box.message}"), box.dismiss()))
        page.goto(f"{path.as_uri()}{address}")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert not wrong, "\n".join(wrong)


@pytest.fixture(scope="package")
def film(tmp_path_factory):
    return Footage(6.0, video(tmp_path_factory.mktemp("film")), waveform=np.linspace(0, 1, 50), **frames())


@pytest.fixture
def still(show):
    """Two models, without any picture."""
    return show(explain_page(features_only(), [pair()]))
