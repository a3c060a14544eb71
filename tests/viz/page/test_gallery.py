"""The page of a split in a real browser: what is chosen, counted, drawn, opened and remembered."""

import numpy as np
import pytest

from avground.viz import Footage, gallery_page, spread, true_scale

from .hands import PIXELS, texts, until
from .material import HOSTILE, attention, example, features_only, split

COUNT = 60


@pytest.fixture(scope="module")
def material():
    return split(COUNT, videos=20)


@pytest.fixture
def gallery(show, material):
    return lambda **settings: show(gallery_page(*material), **settings)


def addresses(page):
    """The number of each card that exists, from 1, as in the data set."""
    links = page.locator(".card").evaluate_all("links => links.map(link => link.getAttribute('href'))")
    return [int(link.split("open=")[1]) for link in links]


def closed(page):
    """Wait until the dialog, and what it held, are gone: browsers tell of a closed dialog a little later."""
    until(page, lambda: page.locator("dialog[open], dialog .view").count() == 0)


def sorted_by(examples, key, *, reverse=False):
    order = sorted(range(len(examples)), key=lambda k: key(examples[k].attention[0]), reverse=reverse)
    return [k + 1 for k in order]


def peak(one):
    return spread(one.cell_weights[one.visual_weights.argmax()])


def test_everything_is_shown_and_counted(gallery):
    page = gallery(height=8000)
    assert addresses(page) == list(range(1, COUNT + 1))
    known = COUNT - COUNT // 10
    right = sum(one.right is True for one in split(COUNT, videos=20)[1])
    accuracy = f"{100 * right / known:.1f}\u00a0%"
    line = f"60 of 60 questions; accuracy {accuracy}: {right} right of {known} with a known answer"
    assert texts(page, "#count") == [line]


@pytest.mark.parametrize(
    ("label", "value", "fits"),
    [
        ("Modality", "Audio", lambda one: one.type[0] == "Audio"),
        ("Kind", "Counting", lambda one: one.type[1] == "Counting"),
        ("Answered", "right", lambda one: one.right is True),
        ("Answered", "wrong", lambda one: one.right is False),
        ("Answered", "unknown", lambda one: one.right is None),
    ],
)
def test_filters_and_counts_agree(gallery, material, label, value, fits):
    page = gallery(height=8000)
    page.get_by_label(label).select_option(value)
    wanted = [k + 1 for k, one in enumerate(material[1]) if fits(one)]
    assert 0 < len(wanted) < COUNT
    assert addresses(page) == wanted
    assert texts(page, "#count")[0].startswith(f"{len(wanted)} of 60 questions")


def test_filters_add_up(gallery, material):
    page = gallery(height=8000)
    page.get_by_label("Modality").select_option("Audio-Visual")
    page.get_by_label("Kind").select_option("Counting")
    page.get_by_label("Answered").select_option("wrong")
    fits = [k + 1 for k, one in enumerate(material[1]) if one.type[0] == "Audio-Visual" and one.right is False]
    assert addresses(page) == fits
    assert f"0.0\u00a0%: 0 right of {len(fits)}" in texts(page, "#count")[0]


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("V13", lambda one: one.video == "v13"),
        ("violins v7", lambda one: one.video == "v7"),
        ("one", lambda one: one.attention[0].answers[0][0] == "one"),
        ("sound? how", lambda one: True),
    ],
)
def test_a_search_finds_question_answer_and_video(gallery, material, text, fits):
    page = gallery(height=8000)
    page.get_by_label("Search").fill(text)
    wanted = [k + 1 for k, one in enumerate(material[1]) if fits(one)]
    until(page, lambda: addresses(page) == wanted)


def test_nothing_found_is_said_and_undone(gallery):
    page = gallery()
    page.get_by_label("Search").fill("a trombone")
    page.get_by_text("No question fits.").wait_for()
    assert texts(page, "#count") == ["0 of 60 questions"]
    page.get_by_role("button", name="Show all").click()
    until(page, lambda: page.locator(".card").count() > 3)
    assert page.get_by_label("Search").input_value() == ""
    assert not page.get_by_text("No question fits.").is_visible()


@pytest.mark.parametrize(
    ("order", "key", "reverse"),
    [
        ("surest answer first", lambda one: one.answers[0][1], True),
        ("least sure answer first", lambda one: one.answers[0][1], False),
        ("lowest entropy first", lambda one: peak(one).entropy, False),
        ("highest entropy first", lambda one: peak(one).entropy, True),
        ("largest x flat first", lambda one: peak(one).peak_over_uniform, True),
        ("smallest x flat first", lambda one: peak(one).peak_over_uniform, False),
    ],
)
def test_orders(gallery, material, order, key, reverse):
    page = gallery(height=8000)
    page.get_by_label("Order").select_option(order)
    assert addresses(page) == sorted_by(material[1], key, reverse=reverse)
    page.get_by_label("Order").select_option("as in the data")
    assert addresses(page) == list(range(1, COUNT + 1))


def test_a_card_shows_the_second_that_was_looked_at_most(gallery, material):
    page = gallery()
    _, examples = material
    for k in (0, 3):
        card = page.locator(".card").nth(k)
        one = examples[k].attention[0]
        t = one.visual_weights.argmax()
        values = (np.array(card.locator(".heat").evaluate(PIXELS, [4, 4]))[3::4] / 255) ** 2
        assert abs(values - true_scale(one.cell_weights)[t].ravel()).max() < 0.01
        picture = card.locator(".picture")
        until(page, lambda picture=picture: picture.evaluate("image => image.complete && image.naturalWidth > 0"))
        assert abs(picture.evaluate(PIXELS, [9, 9])[160] - (40 + k)) < 4
        spread_line = f"second 2: entropy {peak(one).entropy:.2f}, {peak(one).peak_over_uniform:.1f} x flat"
        assert card.locator(".spread").inner_text() == spread_line
    card = page.locator(".card").first.inner_text()
    assert "Audio, Counting" in card
    assert "How many violins sound" in card
    assert "two" in card
    assert "\u2713 right" in card
    assert page.locator(".card").nth(1).locator(".result").inner_text().endswith("right answer: two")


def test_heat_can_be_stretched(gallery):
    page = gallery()
    heat = page.locator(".card .heat").first
    before = heat.evaluate(PIXELS, [4, 4])
    page.get_by_label("Heat").select_option("stretched")
    assert page.locator(".card .heat").first.evaluate(PIXELS, [4, 4]) != before
    page.locator(".card").first.click()
    assert page.locator("dialog input[value=stretched]").is_checked()


def test_only_what_is_near_the_window_exists(show):
    page = show(gallery_page(*split(1000, videos=10)))
    assert 4 < page.locator(".card").count() < 40
    page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    until(page, lambda: 1000 in addresses(page))
    assert page.locator(".card").count() < 40
    page.evaluate("scrollTo(0, document.documentElement.scrollHeight / 2)")
    until(page, lambda: any(490 < number < 510 for number in addresses(page)))
    shown = addresses(page)
    assert shown == sorted(shown)
    assert page.locator("li").first.get_attribute("aria-setsize") == "1000"
    assert page.locator("li").first.get_attribute("aria-posinset") == str(shown[0])


def test_tab_walks_through_cards_that_did_not_exist_yet(gallery):
    page = gallery(height=500)
    page.locator(".card").first.focus()
    for _ in range(30):
        page.keyboard.press("Tab")
        page.wait_for_timeout(30)  # A frame, in which rows are made.
    assert page.evaluate("document.activeElement.getAttribute('href')") == "#open=31"
    assert page.locator(".card:focus").is_visible()


def test_the_card_with_the_focus_stays_when_others_go(gallery):
    page = gallery(height=500)
    page.locator(".card").nth(1).focus()
    page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    until(page, lambda: addresses(page)[-1] == COUNT)
    assert addresses(page)[0] == 2
    assert page.evaluate("document.activeElement.getAttribute('href')") == "#open=2"


def test_columns_follow_the_width(gallery):
    page = gallery(width=1280)
    places = "cards => new Set(cards.map(card => card.getBoundingClientRect().left)).size"
    assert page.locator(".card").evaluate_all(places) == 4
    page.set_viewport_size({"width": 390, "height": 800})
    until(page, lambda: page.locator(".card").evaluate_all(places) == 1)


def test_a_card_opens_and_closes_again(gallery):
    page = gallery()
    page.locator(".card").nth(2).focus()
    page.keyboard.press("Enter")
    page.locator("dialog[open] .panel").wait_for()
    assert page.url.endswith("#open=3")
    assert texts(page, "#place") == ["3 of 60"]
    assert texts(page, "dialog .facts span") == ["Audio-Visual, Counting", "video v2", "right answer: two"]
    page.keyboard.press("Escape")
    closed(page)
    assert page.url.endswith("#")
    assert page.evaluate("document.activeElement.getAttribute('href')") == "#open=3"
    page.locator(".card").nth(1).click()
    page.keyboard.press("n")
    page.keyboard.press("n")
    page.get_by_role("button", name="Close").click()
    closed(page)
    assert page.evaluate("document.activeElement.getAttribute('href')") == "#open=4"


def test_next_and_previous_are_those_of_the_chosen(gallery):
    page = gallery(address="#result=unknown&sort=sure")
    chosen = addresses(page)
    assert len(chosen) == 6
    page.locator(".card").first.click()
    for number, press in ((0, "n"), (1, "n"), (2, "p"), (1, None)):
        until(page, lambda number=number: page.url.endswith(f"open={chosen[number]}"))
        assert texts(page, "#place") == [f"{number + 1} of 6"]
        if press:
            page.keyboard.press(press)
    assert page.locator("dialog .view").count() == 1
    page.get_by_role("button", name="Previous question").click()
    assert page.get_by_role("button", name="Previous question").is_disabled()
    page.go_back()
    closed(page)
    assert addresses(page) == chosen


def test_the_address_brings_back_what_was_chosen_and_open(gallery):
    page = gallery(height=4000)
    page.get_by_label("Modality").select_option("Visual")
    page.get_by_label("Answered").select_option("wrong")
    page.get_by_label("Order").select_option("surest answer first")
    page.get_by_label("Search").fill("how v1")
    until(page, lambda: "q=how" in page.url)
    wanted = addresses(page)
    assert len(wanted) > 1
    page.locator(".card").nth(1).click()
    page.locator("dialog[open]").wait_for()
    again = gallery(address=f"#{page.url.split('#')[1]}", height=4000)
    again.locator("dialog[open] .panel").wait_for()
    assert texts(again, "#place") == [f"2 of {len(wanted)}"]
    again.keyboard.press("Escape")
    closed(again)
    assert addresses(again) == wanted
    values = [again.get_by_label(name).input_value() for name in ("Search", "Modality", "Kind", "Answered", "Order")]
    assert values == ["how v1", "Visual", "", "wrong", "sure"]


def test_an_address_that_asks_for_what_there_is_not_shows_all(gallery):
    page = gallery(address="#modality=Smell&sort=up&scale=loud&result=maybe&open=999&q=")
    assert page.locator("dialog[open]").count() == 0
    assert texts(page, "#count")[0].startswith("60 of 60")
    assert page.get_by_label("Heat").input_value() == ""


def test_an_open_example_may_be_filtered_out(gallery):
    page = gallery(address="#result=unknown&open=1")
    assert texts(page, "#place") == ["filtered out"]
    page.keyboard.press("n")
    page.keyboard.press("Escape")
    closed(page)
    assert len(addresses(page)) == 6


def test_without_pictures_or_types_cards_are_grids(show):
    odd = example(attention(HOSTILE, HOSTILE, words=None), type=None, answer=HOSTILE, video=HOSTILE)
    plain = Footage(6.0)
    page = show(gallery_page({HOSTILE: features_only(), "v": plain}, [odd, example(answer=None)], title=HOSTILE))
    assert page.locator(".card img").count() == 0
    card = page.locator(".card").first
    assert "no type" in card.inner_text()
    assert HOSTILE.split(" ")[0] in card.locator(".result").inner_text()
    assert card.locator(".word").count() == 0
    page.get_by_label("Search").fill("<script>alert")
    until(page, lambda: addresses(page) == [1])
    page.locator(".card").first.click()
    assert HOSTILE.split(" ")[0] in page.locator("dialog h3").inner_text()
    assert page.get_by_label("Modality").locator("option").count() == 2


def test_many_views_in_a_row_leave_no_players_behind(show, tmp_path):
    from .material import video

    film = Footage(6.0, video(tmp_path, seconds=1, size=32))
    page = show(gallery_page({"v": film}, [example() for _ in range(100)]), address="#open=1")
    for number in range(2, 101):
        page.keyboard.press("n")
        until(page, lambda number=number: texts(page, "#place") == [f"{number} of 100"])
    page.locator("video").wait_for(state="attached")
    until(page, lambda: page.locator("video").evaluate("video => video.readyState") >= 2)
