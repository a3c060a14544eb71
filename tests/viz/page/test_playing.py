"""The page of one video in a real browser: what plays, and what moves it."""

import pytest

from avground.viz import Footage, explain_page
from tests.media.clips import level

from .hands import LINES, heat, now, scrub, shows, texts, until
from .material import attention, example, features_only, frames, pair, video


@pytest.mark.parametrize(
    ("name", "codecs"),
    [
        ("a.mp4", {"video_codec": "libx264"}),
        ("a.webm", {"video_codec": "libvpx", "audio_codec": "libopus", "rate": 48_000}),
    ],
)
def test_a_video_plays_and_draws(show, tmp_path, name, codecs):
    page = show(explain_page(Footage(6.0, video(tmp_path, name, **codecs)), [pair()]))
    shows(page, 1, level(20))
    scrub(page, 0)
    page.get_by_role("button", name="Play", exact=True).click()
    until(page, lambda: page.locator("video").evaluate("video => video.currentTime") > 0.6)
    assert page.locator("video").evaluate("video => video.getVideoPlaybackQuality().totalVideoFrames") > 2
    page.get_by_role("button", name="Pause", exact=True).click()
    assert page.locator("video").evaluate("video => video.paused")
    assert now(page) > 0.5
    assert now(page) == pytest.approx(page.locator("video").evaluate("video => video.currentTime"), abs=0.3)


def test_a_video_stops_at_its_end_and_starts_over(show, film):
    page = show(explain_page(film, [example()]))
    shows(page, 0, level(20))
    scrub(page, 5.5)
    page.keyboard.press(" ")
    page.get_by_role("button", name="Play", exact=True).wait_for()
    assert now(page) > 5.5
    page.keyboard.press(" ")
    until(page, lambda: 0.1 < now(page) < 3)


def test_a_stop_that_is_heard_of_late_does_not_stop_the_next_start(show, film):
    page = show(explain_page(film, [example()]))
    shows(page, 0, level(20))
    scrub(page, 0)
    page.evaluate("""() => {
        const press = () => document.body.dispatchEvent(new KeyboardEvent("keydown", { key: " ", bubbles: true }));
        for (let k = 0; k < 3; k++) press();
    }""")
    until(page, lambda: now(page) > 0.5)
    assert page.get_by_role("button", name="Pause", exact=True).count() == 1


def test_models_side_by_side_share_the_playhead(show, film):
    page = show(explain_page(film, [pair()]))
    assert page.locator("video").count() == 1
    before = [heat(page, panel) for panel in range(2)]
    for time in (0.55, 4.55):
        scrub(page, time)
        for panel in range(2):
            shows(page, panel, level(int(8 * time)))
        assert len(set(texts(page, LINES))) == 1
    assert all((heat(page, panel) != before[panel]).any() for panel in range(2))
    heads = page.locator(".head").evaluate_all("heads => heads.map(head => head.style.left)")
    assert heads == [f"{100 * 4.55 / 6}%"] * 2 or len({round(float(left[:-1]), 6) for left in heads}) == 1


def test_frames_step_where_there_is_no_video(show, film):
    page = show(explain_page(Footage(6.0, **frames()), [pair()]))
    for time in (0, 3.2, 5.9):
        scrub(page, time)
        for panel in range(2):
            shows(page, panel, level(round(time - 0.5)))
            box = page.locator(".stage").nth(panel).bounding_box()
            assert box["width"] / box["height"] == pytest.approx(32 / 18, abs=0.02)
    assert page.locator("video").count() == 0
    assert page.get_by_role("button", name="Mute").count() == 0


def test_features_alone_play_by_a_timer_on_a_grid(show):
    page = show(explain_page(features_only(), [example()]))
    assert page.locator(".picture").count() == 0
    assert page.locator(".stage").evaluate("stage => getComputedStyle(stage).backgroundImage").startswith("linear")
    page.keyboard.press("Home")
    page.keyboard.press(" ")
    until(page, lambda: now(page) > 0.3)
    page.keyboard.press(" ")
    stopped = now(page)
    page.wait_for_timeout(100)
    assert now(page) == stopped
    scrub(page, 5.9)
    page.keyboard.press(" ")
    page.get_by_role("button", name="Play", exact=True).wait_for()
    assert now(page) == 6


def test_a_video_that_cannot_be_played_is_told_and_frames_step(show, film):
    broken = Footage(6.0, film.video[:40] + bytes(2000), **frames())
    page = show(explain_page(broken, [pair()]))
    page.get_by_text("This browser cannot play the video.").wait_for()
    assert page.locator("video").count() == 0
    scrub(page, 3.2)
    shows(page, 1, level(3))
    page.keyboard.press("s")
    assert page.locator("input[value=stretched]").is_checked()


# What moves it.


def test_keys(show, film):
    page = show(explain_page(film, [example()]))
    for key, time in (
        ("ArrowRight", 2.6), ("ArrowLeft", 2.5), ("Shift+ArrowRight", 3.5), ("Shift+ArrowLeft", 2.5),
        (".", 4.5), (".", 4.5), (",", 2.5), (",", 0.5), ("End", 6), ("ArrowRight", 6), ("Home", 0), ("ArrowLeft", 0),
    ):  # fmt: skip
        page.keyboard.press(key)
        assert now(page) == pytest.approx(time), key
    for key, name in (("s", "stretched"), ("o", "Outlines"), ("c", "Smooth")):
        control = page.get_by_label(name, exact=True)
        before = control.is_checked()
        page.keyboard.press(key)
        assert control.is_checked() is not before
        page.keyboard.press(key)
        assert control.is_checked() is before
    page.keyboard.press("m")
    page.get_by_role("button", name="Unmute").wait_for()
    assert page.locator("video").evaluate("video => video.muted")
    page.keyboard.press("Control+s")
    assert not page.locator("input[value=stretched]").is_checked()


def test_keys_that_a_control_uses_itself_are_left_to_it(show):
    page = show(explain_page(features_only(), [example(), example()]))
    page.get_by_label("Heat").focus()
    page.keyboard.press("ArrowLeft")
    assert now(page) == 2.5
    assert page.get_by_label("Heat").input_value() == "84"
    page.get_by_label("Outlines").focus()
    page.keyboard.press(" ")
    assert not page.get_by_label("Outlines").is_checked()
    assert page.get_by_role("button", name="Play", exact=True).count() == 1
    page.get_by_label("Second of the video").focus()
    page.keyboard.press("ArrowRight")
    assert now(page) == pytest.approx(2.6)
    page.get_by_label("Question").focus()
    page.keyboard.press("s")
    assert page.locator("input[value=true]").is_checked()


def test_pressing_and_dragging_a_timeline_scrubs(still):
    still.set_viewport_size({"width": 1280, "height": 2000})
    box = still.locator(".track").nth(1).bounding_box()
    middle = box["y"] + box["height"] / 2
    still.mouse.move(box["x"] + box["width"] / 4, middle)
    still.mouse.down()
    assert now(still) == pytest.approx(1.5, abs=0.02)
    still.mouse.move(box["x"] + box["width"] * 0.75, middle + 300)
    assert now(still) == pytest.approx(4.5, abs=0.02)
    still.mouse.up()
    still.mouse.move(box["x"], middle)
    assert now(still) == pytest.approx(4.5, abs=0.02)


def test_the_address_names_the_question(show):
    asked = [example(attention(answer=answer)) for answer in ("two", "three", "four")]
    page = show(explain_page(features_only(), asked), address="#question=2")
    assert texts(page, ".panel header p") == ["three \u2717 wrong"]
    page.keyboard.press("s")
    page.get_by_label("Question").select_option("2")
    page.get_by_text("four \u2717 wrong").first.wait_for()
    assert page.url.endswith("#question=3")
    assert page.locator("input[value=stretched]").is_checked()
    assert page.locator(".view").count() == 1
    page.keyboard.press("Escape")
    page.locator("h2").click()
    page.keyboard.press("s")  # Heard by the view that is shown, and by no other.
    assert page.locator("input[value=true]").is_checked()
    page.go_back()
    page.get_by_text("three \u2717 wrong").first.wait_for()
    assert page.get_by_label("Question").input_value() == "1"


def test_an_address_of_no_question_shows_the_first(show):
    page = show(explain_page(features_only(), [example()]), address="#question=99")
    assert page.locator(".panel").count() == 1
    assert not page.get_by_label("Question").is_visible()
