"""The page of one video in a real browser: what is drawn, read out and refused."""

import re
from importlib.resources import files

import numpy as np
import pytest

from avground.viz import explain_page, stretched_scale, true_scale
from tests.media.clips import level

from .hands import HEATS, LINES, heat, now, scrub, shows, texts, until
from .material import HOSTILE, OUTLINES, attention, example, features_only, pair


def test_the_heat_is_that_of_python_on_both_scales(still):
    for time, t in ((0, 0), (2.5, 1), (5, 2)):
        scrub(still, time)
        for panel, one in enumerate(pair().attention):
            for key, scale in (("true", true_scale), ("stretched", stretched_scale)):
                still.get_by_role("radio", name=key, exact=True).check(force=True)
                expected = scale(one.cell_weights)[t].ravel()
                assert abs(heat(still, panel) - expected).max() < 0.01
                assert expected.max() > 0.001


def test_colours_are_those_of_inferno(browser):
    colours = pytest.importorskip("matplotlib").colormaps["inferno"](np.linspace(0, 1, 256))[:, :3] * 255
    script = (files("avground.viz.page") / "assets" / "scale.js").read_text()
    page = browser.new_page()
    page.set_content("<p>blank")
    found = page.evaluate(f"() => {{ {script}; return Array.from({{length: 256}}, (_, i) => inferno(i / 255)); }}")
    page.close()
    assert abs(np.array(found) - colours).max() < 2


def test_weights_are_decoded_as_python_packs_them(browser):
    from avground.viz.page.payload import pack_weights

    maps = np.array([[0, 1e-9, 0.25, 1 / 3, 0.7], [0.2, 0.2, 0.2, 0.2, 0.2], [0.1, 0.3, 0.2, 0.2, 0.2]])
    packed = pack_weights(maps)
    script = (files("avground.viz.page") / "assets" / "bytes.js").read_text()
    page = browser.new_page()
    found = page.evaluate(f"(packed) => {{ {script}; return decode(...packed).map((map) => [...map]); }}", packed)
    page.close()
    assert np.array(found) == pytest.approx(maps, abs=0.7 / 131070)
    assert (found[0][0], found[0][4], found[1]) == (0, 0.7, [0.2] * 5)


def test_a_map_that_rounding_alone_sets_apart_is_flat(show):
    maps = np.full((3, 4, 4), 1 / 16)
    maps[:, 0, 0] *= 1 + 1e-7  # single precision has no finer steps
    one = attention()
    one.cell_weights = maps / maps.sum((1, 2), keepdims=True)
    page = show(explain_page(features_only(), [example(one)]))
    page.keyboard.press("s")
    assert (heat(page) == 0).all()


def test_scales_are_told_apart_and_say_what_they_are(still):
    lowest, most = (getattr(pair().attention[1].cell_weights[1], name)() for name in ("min", "max"))
    true = heat(still, 1)
    assert texts(still, ".legend p")[0].startswith("True scale, in multiples of a flat map: the same for all")
    assert texts(still, ".legend .marks")[1].split() == ["1", "2", "6", "=", "all"]
    still.keyboard.press("s")
    assert abs(heat(still, 1) - true).max() > 0.5
    assert texts(still, ".legend p")[1].startswith("Stretched from this map\u2019s smallest weight to its largest")
    ends = still.locator(".legend .marks").nth(1).locator("span").all_inner_texts()
    assert ends == [f"{w:.3f} = {6 * w:#.3g} x flat" for w in (lowest, most)]


def test_the_spread_of_the_shown_map_is_printed(still):
    from avground.viz import spread

    for time, t in ((2, 1), (0, 0)):
        scrub(still, time)
        assert texts(still, ".spread") == [str(spread(one.cell_weights[t])) for one in pair().attention]


def test_the_line_says_which_second_is_shown(still):
    for time, line in (
        (2.25, "Map of second 2, shown at 2.3 s"),
        (3, "Map of second 2, shown at 3.0 s"),
        (3.25, "Map of second 2, nearest to 3.3 s"),
        (3.75, "Map of second 4, nearest to 3.8 s"),
        (6, "Map of second 4, nearest to 6.0 s"),
    ):
        scrub(still, time)
        assert texts(still, LINES) == [line] * 2


def test_where_seconds_meet_the_later_one_is_shown(show):
    one = attention()
    one.starts = np.arange(3.0)
    page = show(explain_page(features_only(), [example(one)]))
    for time, line in ((0.99, "Map of second 0, shown at 1.0 s"), (1, "Map of second 1, shown at 1.0 s")):
        scrub(page, time)
        assert texts(page, LINES) == [line]


def test_the_page_opens_at_the_second_that_was_looked_at_most(still):
    assert now(still) == 2.5
    assert texts(still, ".when .shown")[0] == "Second 2: pictures 0.600, sound 0.250, no preference 0.333"


def test_outlines_are_named_and_the_target_is_solid(still):
    assert texts(still, ".panel:first-child .outline span") == ["violin (target)", "piano"]
    dashes = still.locator(".panel:first-child .outline .line").evaluate_all(
        "lines => lines.map(line => getComputedStyle(line).strokeDasharray)"
    )
    assert dashes[0] == "none"
    assert dashes[1] != "none"
    sides = still.locator(".panel:first-child .outline .line").first.get_attribute("d")
    assert len(re.findall("M", sides)) == 8  # Around three cells in a corner.
    still.get_by_label("Outlines").uncheck()
    assert not still.locator(".outlines").first.is_visible()


def test_opacity_and_smoothness_change_the_heat(still):
    style = "canvas => [getComputedStyle(canvas).opacity, getComputedStyle(canvas).imageRendering]"
    assert still.locator(HEATS).first.evaluate(style) == ["0.85", "pixelated"]
    still.get_by_label("Heat").fill("30")
    still.get_by_label("Smooth").check()
    assert still.locator(HEATS).first.evaluate(style) == ["0.3", "auto"]


def test_the_heat_covers_the_whole_picture(show, film):
    page = show(explain_page(film, [pair()]))
    shows(page, 0, level(20))
    for panel in range(2):
        boxes = [page.locator(name).nth(panel).bounding_box() for name in (".stage", ".stage .heat", ".picture")]
        assert boxes[0] == boxes[1] == boxes[2]
        assert boxes[0]["width"] / boxes[0]["height"] == pytest.approx(1.5, abs=0.02)


def test_words_are_shaded_by_weight_and_say_it(still):
    words = still.locator(".for").first.locator(".word")
    assert [word.split("\n")[0] for word in words.all_inner_texts()] == ["How", "many", "violins", "sound"]
    assert [text.split("weight ")[1] for text in words.all_text_contents()] == ["0.10", "0.20", "0.60", "0.050"]
    assert words.nth(2).get_attribute("title") == "weight 0.600"
    shades = words.evaluate_all("words => words.map(word => getComputedStyle(word).backgroundColor)")
    assert len(set(shades)) == 4
    assert "0.050 of the weight lies on padding" in texts(still, ".for")[0]
    assert texts(still, ".for")[1].endswith("This model chooses no word.")


def test_answers_say_which_is_right(show):
    models = attention(), attention("other", "one"), attention("third", "ten")
    page = show(explain_page(features_only(), [example(*models, answer="two")]))
    first = page.locator(".answers").nth(0)
    assert first.locator("li").first.inner_text().split() == ["two", "\u2713", "right", "70.0", "%"]
    assert texts(page, ".panel header em") == ["\u2713 right", "\u2717 wrong", "\u2717 wrong"]
    assert page.locator(".answers").nth(2).inner_text().endswith("The right answer, two, is not among these.")
    widths = first.locator(".bar span").evaluate_all("bars => bars.map(bar => bar.style.width)")
    assert widths == ["70%", "14%", "7%"]


def test_the_right_answer_is_marked_where_it_is_not_the_first(show):
    page = show(explain_page(features_only(), [example(attention(answer="ten"), answer="one")]))
    assert texts(page, ".answers em") == ["\u2717 wrong", "\u2713 right"]
    assert texts(page, ".answers li.right .answer") == ["one \u2713 right"]
    assert page.locator(".answers .note").count() == 0


def test_where_no_answer_is_known_none_is_judged(show):
    shown = example(answer=None, type=None, notes=("Other sound was heard.",))
    page = show(explain_page(features_only(notes=("Made up.",)), [shown]))
    assert page.locator(".panel em").count() == 0
    assert texts(page, ".facts span") == ["video v"]
    assert texts(page, ".notes li") == ["Other sound was heard.", "Made up."]


def test_weights_over_time_stand_where_their_seconds_are(show, film):
    page = show(explain_page(film, [example()]))
    bars = page.locator("rect.pictures").evaluate_all(
        "bars => bars.map(bar => ['x', 'width', 'height'].map(name => parseFloat(bar.getAttribute(name))))"
    )
    assert bars == [
        pytest.approx([100 * t / 3, 100 / 6, 100 * w / 0.625], abs=1e-3) for t, w in enumerate((0.2, 0.6, 0.2))
    ]
    lines = page.locator(".half.sound .uniform").evaluate_all(
        "lines => lines.map(line => ['x1', 'x2', 'y1'].map(name => parseFloat(line.getAttribute(name))))"
    )
    height = 100 / 3 / 0.625
    assert lines == [pytest.approx([*ends, height], abs=1e-3) for ends in ((0, 25), (25, 175 / 3), (175 / 3, 100))]
    assert page.locator("rect.sound title").first.inner_html() == "second 0: sound 0.125, no preference 0.333"
    assert page.locator(".wave path").get_attribute("d").count("M") == 50
    assert page.locator(".strip img").count() == 6
    described = page.locator(".timeline").get_attribute("aria-label")
    assert described.endswith("Most to the pictures: 0.600 at second 2. Most to the sound: 0.625 at second 4.")


def test_nothing_is_read_out_while_it_plays(still):
    still.keyboard.press("Home")
    still.keyboard.press(" ")
    still.get_by_role("button", name="Pause", exact=True).wait_for()
    still.evaluate("""() => {
        window.said = [];
        const status = document.querySelector("[role=status]");
        new MutationObserver(() => window.said.push(status.textContent)).observe(status, { childList: true });
    }""")
    until(still, lambda: now(still) > 1.2)
    assert still.evaluate("window.said") == []
    still.keyboard.press(" ")
    until(still, lambda: len(still.evaluate("window.said")) == 1)
    assert still.evaluate("window.said[0]").startswith("Map of second")


def test_any_text_is_text(show):
    odd = example(
        attention(HOSTILE, HOSTILE), answer=HOSTILE, type=(HOSTILE, HOSTILE), video=HOSTILE,
        outlines=(*OUTLINES, type(OUTLINES[0])(HOSTILE, ((1, 1),), 4, 4)),
    )  # fmt: skip
    page = show(explain_page(features_only(notes=(HOSTILE,)), [odd, odd], title=HOSTILE))
    assert page.title() == HOSTILE
    for selector in ("h1", "h3", ".notes li", ".panel header p", ".outline:nth-child(3) span"):
        assert HOSTILE in page.locator(selector).first.text_content(), selector
    assert page.locator("img, body script[src], script:not([type])").count() == 0


def test_the_policy_works(still):
    broken = still.evaluate("""async () => {
        const broken = [];
        document.addEventListener("securitypolicyviolation", (event) => broken.push(event.effectiveDirective));
        const add = (name, text) => document.body.append(Object.assign(document.createElement(name), { text }));
        const tries = [
            () => fetch("https://example.org/"),
            () => { document.body.append(Object.assign(new Image(), { src: "https://example.org/a.png" })); },
            () => add("script", "window.done = 1"),
            () => { document.body.innerHTML = "<b>"; },
            () => { document.body.setAttribute("style", "color: red"); },
            () => { document.head.querySelector("style").textContent += "* {}"; },
        ];
        for (const attempt of tries) try { await attempt(); } catch {}
        await new Promise((then) => setTimeout(then, 100));
        return [broken, window.done];
    }""")
    directives = set(broken[0])
    assert {"connect-src", "img-src", "require-trusted-types-for", "style-src-attr", "style-src-elem"} <= directives
    assert broken[1] is None
    assert still.locator(".panel").count() == 2
    assert still.wrong
    still.wrong.clear()  # The browser complained of the tries.


def test_no_name_is_left_in_the_window(still):
    names = still.evaluate("Object.getOwnPropertyNames(window)")
    assert "document" in names
    assert not {"make", "data", "View", "Clock", "place", "second", "weight"} & set(names)
