"""What the 22 instruments sound like."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timbre:
    """The sound of one type.

    Args:
        lowest: The lowest note of its melodies, as a MIDI number; they reach an octave higher.
        partials: Amplitudes of the partials, from the first.
        attack: Seconds until a note is at its loudest.
        decay: Seconds in which a note falls to a third; 0 for one that is held.
        ratios: Frequencies of the partials as multiples of the first; empty for whole multiples.
        vibrato: How far the pitch swings, in semitones.
        tremolo: How far the loudness swings, as a share.
        breath: Noise beside the partials, as a share of their loudness.
        strokes: Strokes a second within a note; 0 for one only.
        drone: Whether the note an octave and a fifth below the lowest sounds all the time.
    """

    lowest: int
    partials: tuple[float, ...]
    attack: float = 0.03
    decay: float = 0.0
    ratios: tuple[float, ...] = ()
    vibrato: float = 0.0
    tremolo: float = 0.0
    breath: float = 0.0
    strokes: float = 0.0
    drone: bool = False


TIMBRES = {
    "violin": Timbre(67, (1, 0.8, 0.6, 0.7, 0.4, 0.35, 0.3, 0.2, 0.15), attack=0.07, vibrato=0.35),
    "piano": Timbre(60, (1, 0.5, 0.35, 0.2, 0.12, 0.06), attack=0.004, decay=0.5),
    "flute": Timbre(76, (1, 0.2, 0.08, 0.02), attack=0.05, vibrato=0.1, breath=0.12),
    "acoustic_guitar": Timbre(52, (1, 0.8, 0.55, 0.35, 0.3, 0.2, 0.12, 0.08), attack=0.003, decay=0.35),
    "drum": Timbre(38, (1, 0.5, 0.3, 0.2), attack=0.001, decay=0.07, ratios=(1, 1.59, 2.3, 3.6), breath=1.2),
    "trumpet": Timbre(67, (0.6, 0.8, 1, 0.9, 0.7, 0.5, 0.4, 0.3, 0.2), attack=0.025),
    "cello": Timbre(40, (1, 0.9, 0.6, 0.55, 0.4, 0.3, 0.25, 0.2, 0.12, 0.1), attack=0.09, vibrato=0.25),
    "accordion": Timbre(60, (1, 0.7, 0.9, 0.5, 0.6, 0.4, 0.4, 0.25), attack=0.04, tremolo=0.5),
    "saxophone": Timbre(56, (0.8, 1, 0.6, 0.8, 0.35, 0.4, 0.2, 0.15), attack=0.03, vibrato=0.15, breath=0.15),
    "erhu": Timbre(69, (0.4, 1, 0.5, 0.8, 0.2, 0.4, 0.1), attack=0.08, vibrato=0.8),
    "xylophone": Timbre(77, (1, 0.5, 0.25), attack=0.001, decay=0.1, ratios=(1, 3.0, 5.1)),
    "pipa": Timbre(64, (0.8, 1, 0.9, 0.7, 0.7, 0.5, 0.5, 0.4, 0.3), attack=0.002, decay=0.08, strokes=12.0),
    "clarinet": Timbre(58, (1, 0.03, 0.75, 0.04, 0.45, 0.05, 0.25, 0.05, 0.12), attack=0.04),
    "ukulele": Timbre(69, (1, 0.35, 0.12, 0.05), attack=0.003, decay=0.16),
    "tuba": Timbre(34, (1, 0.8, 0.45, 0.25, 0.12, 0.05), attack=0.06),
    "guzheng": Timbre(57, (0.7, 1, 0.3, 0.6, 0.15, 0.4, 0.1, 0.25), attack=0.002, decay=0.7, vibrato=0.5),
    "congas": Timbre(48, (1, 0.6, 0.35), attack=0.001, decay=0.1, ratios=(1, 1.5, 1.98), breath=0.25),
    "bassoon": Timbre(44, (0.4, 0.7, 1, 0.9, 0.35, 0.2, 0.12, 0.1), attack=0.035),
    "banjo": Timbre(62, (1, 0.9, 1, 0.8, 0.8, 0.6, 0.6, 0.4, 0.4), attack=0.001, decay=0.1, breath=0.05),
    "suona": Timbre(74, (0.3, 0.6, 0.9, 1, 1, 0.8, 0.7), attack=0.02, vibrato=0.5, breath=0.08),
    "electric_bass": Timbre(29, (1, 0.7, 0.35, 0.12, 0.05), attack=0.004, decay=0.6),
    "bagpipe": Timbre(65, (0.6, 0.9, 1, 1, 0.8, 0.7, 0.6, 0.5, 0.4), attack=0.01, drone=True),
}

# Frequencies in Hz at which a voice is strongest, for a few vowels: a, e, i, o.
VOWELS = ((730.0, 1090.0, 2440.0), (530.0, 1840.0, 2480.0), (270.0, 2290.0, 3010.0), (490.0, 910.0, 2450.0))
