"""Answers, recomputed from truth.json by other means than the rules that made them."""

import json
from collections import Counter, defaultdict
from collections.abc import Callable

import pytest

from avground.data import pocket
from avground.data.pocket import Seen, Truth
from avground.data.pocket.choose import Chooser
from avground.data.pocket.questions import RULES, all_questions
from avground.data.pocket.scene import make_scene
from avground.data.pocket.streams import Stream
from avground.data.pocket.templates import NUMBERS, ORDINALS
from avground.data.pocket.world import PRESETS

ORDER = {"left": 0, "middle": 1, "right": 2}
Instruments = tuple[Seen, ...]


def stage(ones: Instruments) -> list[Seen]:
    return [one for one in ones if one.on_stage]


def heard(ones: Instruments) -> list[Seen]:
    return [one for one in ones if sum(one.sounding)]


def both(ones: list[Seen]) -> list[Seen]:
    return [one for one in ones if one.on_stage and sum(one.sounding)]


def said(number: int) -> str:
    return NUMBERS[number]


def onsets(ones: Instruments) -> list[tuple[int, str, str | None]]:
    """Segment, type and place of each instrument's first sound, in order of time."""
    return sorted((list(one.sounding).index(True), one.type, one.place) for one in heard(ones))


def side(ones: Instruments, which: str, type_: str) -> str:
    row = [one for one in sorted(stage(ones), key=lambda one: ORDER[str(one.place)])]
    here = [one.type for one in row].index(type_)
    return row[here + (1 if which == "right" else -1)].type


def same_time(ones: Instruments, type_: str) -> str:
    mine = next(one for one in heard(ones) if one.type == type_)
    others = [
        one.type
        for one in heard(ones)
        if one is not mine and any(a + b == 2 for a, b in zip(mine.sounding, one.sounding, strict=True))
    ]
    (other,) = others
    return other


def before_after(ones: Instruments, word: str, type_: str) -> str:
    types = [type_ for _, type_, _ in onsets(ones)]
    return types[types.index(type_) + {"before": -1, "after": 1}[word]]


def one_of_two(ones: Instruments, type_: str, which: str) -> str:
    (t0, _, first), (t1, _, second) = [onset for onset in onsets(ones) if onset[1] == type_]
    return "simultaneously" if t0 == t1 else str(first if which == "first" else second)


def outermost(ones: Instruments, word: str) -> str:
    row = sorted(stage(ones), key=lambda one: ORDER[str(one.place)])
    return (row[0] if word == "leftest" else row[-1]).type


def where(ones: Instruments, which: str) -> str:
    return str(onsets(ones)[0 if which == "first" else -1][2])


def length(ones: Instruments, type_: str) -> int:
    return sum(next(one for one in ones if one.type == type_).sounding)


def yes(truth: object) -> str:
    return "yes" if truth else "no"


CHECKS: dict[str, Callable[..., str]] = {
    "longer": lambda ones, a, b: yes(length(ones, a) > length(ones, b)),
    "both_sound": lambda ones, a, b: yes({a, b} <= {one.type for one in heard(ones)}),
    "heard": lambda ones: said(len(heard(ones))),
    "is_heard": lambda ones, a: yes(a in [one.type for one in heard(ones)]),
    "sounding": lambda ones: said(len(both(list(ones)))),
    "never_sounding": lambda ones: said(len(stage(ones)) - len(both(list(ones)))),
    "sounding_of_type": lambda ones, a: said([one.type for one in both(list(ones))].count(a)),
    "types_sounding": lambda ones: said(len({one.type for one in both(list(ones))})),
    "always": lambda ones, a: yes(all(next(one for one in ones if one.type == a and one.on_stage).sounding)),
    "sound_from_stage": lambda ones: yes(both(list(ones))),
    "sound_from": lambda ones, which, place: yes(where(ones, which) == place),
    "same_time": same_time,
    "comes_in": lambda ones, which: onsets(ones)[ORDINALS.index(which)][1],
    "where_sounding": where,
    "which_one_sounds": one_of_two,
    "before_after": before_after,
    "both_seen": lambda ones, a, b: yes({a, b} <= {one.type for one in stage(ones)}),
    "seen_of_type": lambda ones, a: said([one.type for one in stage(ones)].count(a)),
    "types_seen": lambda ones: said(len({one.type for one in stage(ones)})),
    "is_seen": lambda ones, a: yes(a in {one.type for one in stage(ones)}),
    "side_of": side,
    "outermost": outermost,
    "only_one": lambda ones: stage(ones)[0].type,
}


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[dict[str, object]], Truth]:
    """Many questions, with as little else as can be."""
    world = PRESETS["core"].replace(train=700, val=1, test=1, channels=8, audio_channels=8, rows=6, columns=6)
    folder = pocket.generate(tmp_path_factory.mktemp("pocket") / "many", world, progress=False)
    rows: list[dict[str, object]] = json.loads((folder / "json" / "avqa-train.json").read_text(encoding="utf-8"))
    return rows, pocket.read_truth(folder)


def _named(row: dict[str, object]) -> tuple[str, list[str]]:
    name = next(name for name, of in pocket.TEMPLATES.items() if of.text == row["question_content"])
    return name, json.loads(str(row["templ_values"]))


@pytest.mark.parametrize("template", CHECKS)
def test_answers_follow_from_the_truth(template: str, asked: tuple[list[dict[str, object]], Truth]) -> None:
    rows, truth = asked
    checked = 0
    for row in rows:
        name, values = _named(row)
        if name == template:
            assert CHECKS[name](truth.videos[str(row["video_id"])], *values) == row["anser"], row
            checked += 1
    assert checked >= 10


def test_loudness_rhythm_voice_and_surroundings() -> None:
    """What truth.json does not tell, from the scenes."""
    world = PRESETS["core"]
    checked: Counter[str] = Counter()
    for index in range(200):
        scene = make_scene(world, 0, "train", index)
        for question in all_questions(scene, world):
            at = {one.place: one for one in scene.stage}
            match question.template.split("_named")[0].split("_at")[0], question.values:
                case ("louder" | "more_rhythmic") as what, values:
                    if "at" not in question.template.split("_"):
                        mine, other = (next(one for one in scene.heard if one.type == value) for value in values)
                    else:
                        mine, other = (at[value] for value in values if value in ORDER)
                    measure = "loudness" if what == "louder" else "rhythm"
                    expected = yes(getattr(mine, measure) > getattr(other, measure))
                case "where_loudest", (which,):
                    loudness = sorted((one.loudness, str(one.place)) for one in scene.heard)
                    expected = loudness[-1 if which == "loudest" else 0][1]
                case "voiceover", _:
                    expected = yes(any(scene.voice) and not scene.singer)
                case "performance", _:
                    expected = "outdoor" if scene.outdoor else "indoor"
                case _:
                    continue
            assert question.answer == expected, question
            checked[question.template] += 1
    assert len(checked) == 9
    assert set(checked) | set(CHECKS) | {"side_of_sounding"} == set(pocket.TEMPLATES)


def test_a_question_has_one_answer() -> None:
    for name in ("core", "full"):
        for index in range(60):
            questions = all_questions(make_scene(PRESETS[name], 0, "train", index), PRESETS[name])
            assert len({(question.template, question.values) for question in questions}) == len(questions)


def test_rules_are_those_of_the_templates() -> None:
    assert list(RULES) == list(pocket.TEMPLATES)


def test_answers_are_balanced(asked: tuple[list[dict[str, object]], Truth]) -> None:
    rows, _ = asked
    answers: defaultdict[str, Counter[object]] = defaultdict(Counter)
    for row in rows:
        answers[_named(row)[0]][row["anser"]] += 1
    assert set(answers) == set(pocket.TEMPLATES)
    prior = sum(max(of.values()) for of in answers.values()) / len(rows)
    assert prior < 0.45
    for name, of in answers.items():
        assert max(of.values()) <= 0.67 * sum(of.values()), name


def test_what_a_question_is_about(asked: tuple[list[dict[str, object]], Truth]) -> None:
    rows, truth = asked
    for row in rows:
        name, values = _named(row)
        about = truth.questions[int(str(row["question_id"]))]
        ones = truth.videos[about.video_id]
        types = {ones[target].type for target in about.targets}
        assert about.video_id == row["video_id"]
        assert len(about.seconds) == 10
        assert any(about.seconds)
        if name in ("side_of", "same_time", "before_after"):
            assert types == {values[-1]}
            assert about.found is not None
            assert ones[about.found].type == row["anser"]
        elif name in ("outermost", "only_one"):
            assert types == {row["anser"]}
        elif name in ("seen_of_type", "is_seen", "always", "sounding_of_type"):
            assert types <= {values[0]}
        elif "<Object>" not in str(row["question_content"]) and "instrument on" not in str(row["question_content"]):
            assert about.targets == tuple(i for i, one in enumerate(ones) if one.on_stage and any(one.sounding))
        cells = truth.target_cells(int(str(row["question_id"])))
        assert bool(cells) == any(ones[target].on_stage for target in about.targets)


def test_chooser_keeps_to_known_words_and_answers() -> None:
    world = PRESETS["core"]
    scene = make_scene(world, 0, "train", 0)
    questions = all_questions(scene, world)
    chosen = Chooser(known_words=None, known_answers={"yes"}).choose(questions, 99, Stream("test"))
    assert {question.answer for question in chosen} == {"yes"}
    assert Chooser(known_words={"Where", "is", "the", "performance"}).choose(questions, 99, Stream("test")) == [
        question for question in questions if question.template == "performance"
    ]
