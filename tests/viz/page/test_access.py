"""Both pages on telephones, in light and dark, by keyboard alone and read out."""

import pytest

from avground.viz import explain_page, gallery_page

from .material import attention, example, features_only, pair, split

LONG = "a_name_without_any_place_to_break_it_" * 3


def explain():
    long = example(attention(LONG, LONG), *pair().attention, type=(LONG, LONG), answer=None)
    return explain_page(features_only(notes=(LONG,)), [pair(), long], title=LONG)


def gallery():
    footage, examples = split(30)
    long = example(attention(LONG, LONG), video="v0", type=(LONG, LONG), answer=LONG)
    return gallery_page(footage, [long, *examples], title=LONG)


PAGES = {
    "explain": (explain, ""),
    "explain, long": (explain, "#question=2"),
    "gallery": (gallery, ""),
    "dialog": (gallery, "#open=1"),
}
every_page = pytest.mark.parametrize(("make", "address"), PAGES.values(), ids=PAGES)

TARGETS = """() => [...document.querySelectorAll("button, select, input, a, label")]
    .filter((one) => one.checkVisibility() && one.closest("dialog[open]") === document.querySelector("dialog[open]"))
    .map((one) => (one.type === "checkbox" || one.type === "radio" ? one.closest("label") : one))
    .filter((one) => one.tagName !== "LABEL" || one.querySelector("input[type=checkbox], input[type=radio]"))
    .map((one) => [one.outerHTML.slice(0, 80), one.getBoundingClientRect()])
    .filter(([, box]) => box.width && (box.height < 43.5 || box.width < 43.5)).map(([name]) => name)"""

# Colours as they are computed, through a canvas: mixed colours have other notations than rgb().
CONTRASTS = """() => {
    const paper = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
    const over = (...colours) => {
        paper.clearRect(0, 0, 1, 1);
        for (const colour of colours) { paper.fillStyle = colour; paper.fillRect(0, 0, 1, 1); }
        return [...paper.getImageData(0, 0, 1, 1).data];
    };
    const linear = (c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    const light = ([r, g, b]) => 0.2126 * linear(r / 255) + 0.7152 * linear(g / 255) + 0.0722 * linear(b / 255);
    const found = [];
    for (const one of document.querySelectorAll("body *")) {
        const text = [...one.childNodes].filter((node) => node.nodeType === 3).map((node) => node.data).join("").trim();
        if (!text || !one.checkVisibility() || one.closest("svg, script, .unseen, :disabled")) continue;
        const grounds = [];
        for (let up = one; up; up = up.parentElement) grounds.unshift(getComputedStyle(up).backgroundColor);
        const [ink, ground] = [over(...grounds, getComputedStyle(one).color), over(...grounds)].map(light);
        found.push([(Math.max(ink, ground) + 0.05) / (Math.min(ink, ground) + 0.05), text.slice(0, 40), one.className]);
    }
    return found;
}"""


@every_page
def test_a_telephone_needs_no_scrolling_sideways(show, make, address):
    page = show(make(), address=address, width=390, height=844, has_touch=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    if page.locator("dialog[open]").count():
        assert page.evaluate("(({ scrollWidth, clientWidth }) => scrollWidth - clientWidth)(dialog)") <= 0
    assert page.evaluate(TARGETS) == []


def test_panels_stand_side_by_side_or_stacked_as_there_is_room(show):
    wide, narrow = (show(explain(), width=width) for width in (1280, 390))
    first, second = (wide.locator(".panel").nth(k).bounding_box() for k in range(2))
    assert first["y"] == second["y"]
    assert first["x"] + first["width"] < second["x"]
    tops = [
        [wide.locator(f".{name}").nth(k).bounding_box()["y"] for k in range(2)] for name in ("where", "when", "then")
    ]
    assert all(one == other for one, other in tops)
    first, second = (narrow.locator(".panel").nth(k).bounding_box() for k in range(2))
    assert first["x"] == second["x"]
    assert first["y"] + first["height"] < second["y"]


@every_page
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_contrast_in_light_and_dark(show, make, address, scheme):
    page = show(make(), address=address, color_scheme=scheme)
    found = page.evaluate(CONTRASTS)
    assert len(found) > 20
    assert min(found)[0] >= 4.5, sorted(found)[:3]


def test_the_scheme_is_that_of_the_system_until_it_is_chosen(show):
    page = show(explain(), color_scheme="light")
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.emulate_media(color_scheme="dark")
    dark = page.evaluate(ground)
    assert light != dark
    page.get_by_role("button", name="Light colours").click()
    assert page.evaluate(ground) == light
    page.get_by_role("button", name="Dark colours").click()
    assert page.evaluate(ground) == dark
    page.emulate_media(color_scheme="light")
    assert page.evaluate(ground) == dark


@every_page
def test_all_that_takes_the_focus_has_a_name(show, make, address):
    page = show(make(), address=address)
    page.locator(".card, .panel").first.wait_for()
    tree = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")["nodes"]
    focusable = []
    for node in tree:
        about = {one["name"]: one["value"].get("value") for one in node.get("properties", [])}
        role = node.get("role", {}).get("value")
        if about.get("focusable") and not node["ignored"] and role not in ("RootWebArea", "dialog"):
            focusable.append((role, node.get("name", {}).get("value", "")))
    assert len(focusable) > 5
    assert [role for role, name in focusable if not name.strip()] == []


@every_page
def test_tab_reaches_all_and_shows_where_it_is(show, make, address):
    page = show(make(), address=address)
    page.locator(".card, .panel").first.wait_for()
    wanted = page.evaluate("""() => [...document.querySelectorAll("button, select, input, a")]
        .filter((one) => !one.disabled && one.checkVisibility() && !(one.type === "radio" && !one.checked)
            && one.closest("dialog[open]") === document.querySelector("dialog[open]")).slice(0, 20)
        .map((one, k) => (one.dataset.stop = k))""")
    page.evaluate("document.querySelector('dialog[open]') || document.activeElement.blur()")
    reached = set()
    for _ in range(len(wanted) + 8):
        page.keyboard.press("Tab")
        stop, outline = page.evaluate("""() => {
            const one = document.activeElement;
            const lit = one.type === "radio" ? one.nextSibling : one;
            return [one.dataset.stop, getComputedStyle(lit).outlineStyle];
        }""")
        if stop is not None:
            reached.add(int(stop))
            assert outline == "solid"
    assert reached == set(wanted)


@every_page
def test_nothing_moves_by_itself(show, make, address):
    page = show(make(), address=address, reduced_motion="reduce")
    page.keyboard.press("s")
    page.keyboard.press(".")
    page.get_by_role("button", name="colours").first.evaluate("button => button.click()")
    assert page.evaluate("document.getAnimations().length") == 0
    assert page.evaluate("getComputedStyle(document.documentElement).scrollBehavior") == "auto"
