"""MUSIC-AVQA's 33 question templates, each under a short name of ours, and the words they are filled with."""

import json
from dataclasses import dataclass

# Families alternate, so that a world of few types still holds strings, winds, keys and drums.
INSTRUMENTS = (
    "violin",
    "piano",
    "flute",
    "acoustic_guitar",
    "drum",
    "trumpet",
    "cello",
    "accordion",
    "saxophone",
    "erhu",
    "xylophone",
    "pipa",
    "clarinet",
    "ukulele",
    "tuba",
    "guzheng",
    "congas",
    "bassoon",
    "banjo",
    "suona",
    "electric_bass",
    "bagpipe",
)
NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
ORDINALS = ("first", "second", "third", "fourth", "fifth")


@dataclass(frozen=True, slots=True)
class Template:
    """One question template: its type (modality and kind) and its text with placeholders, exactly as published."""

    modality: str
    kind: str
    text: str

    @property
    def type_string(self) -> str:
        """The type as the annotation files hold it: a string of JSON."""
        return json.dumps([self.modality, self.kind])

    def words(self, values: tuple[str, ...]) -> list[str]:
        """The words of the question with its placeholders filled from left to right, without the closing mark."""
        left = list(values)
        return [left.pop(0) if word.startswith("<") else word for word in self.text.rstrip()[:-1].split(" ")]


_A, _V, _AV = "Audio", "Visual", "Audio-Visual"

TEMPLATES: dict[str, Template] = {
    "louder": Template(_A, "Comparative", "Is the <Object> louder than the <Object>?"),
    "more_rhythmic": Template(_A, "Comparative", "Is the <Object> more rhythmic than the <Object>?"),
    "longer": Template(_A, "Comparative", "Is the <Object> playing longer than the <Object>?"),
    "both_sound": Template(_A, "Counting", "Are there <Object> and <Object> sound? "),
    "heard": Template(_A, "Counting", "How many musical instruments were heard throughout the video?"),
    "is_heard": Template(_A, "Counting", "Is there a <Object> sound?"),
    "louder_named_at": Template(
        _AV, "Comparative", "Is the <Object> on the <LR> louder than the <Object> on the <LR>?"
    ),
    "more_rhythmic_named_at": Template(
        _AV, "Comparative", "Is the <Object> on the <LR> more rhythmic than the <Object> on the <LR>?"
    ),
    "louder_at": Template(_AV, "Comparative", "Is the instrument on the <LR> louder than the instrument on the <LR>?"),
    "more_rhythmic_at": Template(
        _AV, "Comparative", "Is the instrument on the <LR> more rhythmic than the instrument on the <LR>?"
    ),
    "sounding": Template(_AV, "Counting", "How many instruments are sounding in the video?"),
    "never_sounding": Template(
        _AV, "Counting", "How many instruments in the video did not sound from beginning to end?"
    ),
    "sounding_of_type": Template(_AV, "Counting", "How many sounding <Object> in the video？"),  # noqa: RUF001
    "types_sounding": Template(_AV, "Counting", "How many types of musical instruments sound in the video?"),
    "always": Template(_AV, "Existential", "Is the <Object> in the video always playing?"),
    "voiceover": Template(_AV, "Existential", "Is there a voiceover?"),
    "sound_from_stage": Template(_AV, "Existential", "Is this sound from the instrument in the video?"),
    "sound_from": Template(_AV, "Location", "Is the <FL> sound coming from the <LR> instrument?"),
    "side_of_sounding": Template(_AV, "Location", "What is the <LR> instrument of the <FL> sounding instrument?"),
    "where_loudest": Template(_AV, "Location", "Where is the <LL> instrument?"),
    "same_time": Template(
        _AV, "Location", "Which is the musical instrument that sounds at the same time as the <Object>?"
    ),
    "comes_in": Template(_AV, "Temporal", "What is the <TH> instrument that comes in?"),
    "where_sounding": Template(_AV, "Temporal", "Where is the <FL> sounding instrument?"),
    "which_one_sounds": Template(_AV, "Temporal", "Which <Object> makes the sound <FL>?"),
    "before_after": Template(_AV, "Temporal", "Which instrument makes sounds <BA> the <Object>?"),
    "both_seen": Template(_V, "Counting", "Are there <Object> and <Object> instruments in the video?"),
    "seen_of_type": Template(_V, "Counting", "How many <Object> are in the entire video?"),
    "types_seen": Template(_V, "Counting", "How many types of musical instruments appeared in the entire video?"),
    "is_seen": Template(_V, "Counting", "Is there a <Object> in the entire video?"),
    "side_of": Template(_V, "Location", "What is the instrument on the <LR> of <Object>?"),
    "outermost": Template(_V, "Location", "What kind of instrument is the <LRer> instrument? "),
    "only_one": Template(_V, "Location", "What kind of musical instrument is it?"),
    "performance": Template(_V, "Location", "Where is the performance?"),
}
