"""What tests read from a page, and do to it."""

import numpy as np
import pytest

HEATS = ".stage .heat"
LINES = ".where .shown"

PIXELS = """(element, [wide, high]) => {
    const paper = new OffscreenCanvas(wide, high).getContext("2d", { willReadFrequently: true });
    paper.drawImage(element, 0, 0, wide, high);
    return [...paper.getImageData(0, 0, wide, high).data];
}"""


def until(page, holds):
    """Wait until something holds. Playwright's own wait evaluates text, which the pages forbid."""
    for _ in range(1000):
        if holds():
            return
        page.wait_for_timeout(20)
    pytest.fail("waited for 20 s")


def heat(page, panel=0):
    """The opacity of every cell, which is the root of its value on the scale."""
    canvas = page.locator(HEATS).nth(panel)
    size = canvas.evaluate("({ width, height }) => [width, height]")
    return (np.array(canvas.evaluate(PIXELS, size))[3::4] / 255) ** 2


def texts(page, selector):
    return page.locator(selector).all_inner_texts()


def scrub(page, time):
    page.locator(".scrub").evaluate(
        "(range, time) => { range.value = time; range.dispatchEvent(new Event('input', { bubbles: true })); }", time
    )


def now(page):
    return float(page.locator(".scrub").input_value())


def shows(page, panel, gray):
    """Wait until a panel's picture is that gray, up to what the codecs lose."""
    picture = page.locator(".picture").nth(panel)
    until(page, lambda: abs(picture.evaluate(PIXELS, [9, 9])[160] - gray) <= 6)
