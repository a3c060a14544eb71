"""The rows of the published tables: the nine kinds of question, the modalities and all."""

from collections.abc import Sequence

from avground.data.annotations import QUESTION_TYPES

ALL = "All"


def rows_of(types: Sequence[tuple[str, str]]) -> dict[str, list[int]]:
    """The places of the questions that each row of the table counts, in the table's order.

    The rows are ``"Audio/Counting"`` and the other kinds that the questions hold, each modality under ``"Audio"``,
    ``"Visual"`` and ``"Audio-Visual"``, and ``"All"``: averages over them are over questions, not over kinds. Rows
    without a question are left out.

    Args:
        types: Modality and kind of each question.
    """
    members: dict[tuple[str, str], list[int]] = {kind: [] for kind in QUESTION_TYPES}
    for place, kind in enumerate(types):
        members.setdefault(kind, []).append(place)
    others = sorted(kind for kind in members if kind not in QUESTION_TYPES)
    kinds = [*QUESTION_TYPES, *others]
    places: dict[str, list[int]] = {}
    for modality in dict.fromkeys(kind[0] for kind in kinds):
        for kind in (kind for kind in kinds if kind[0] == modality):
            places["/".join(kind)] = members[kind]
        places[modality] = sorted(place for kind in kinds if kind[0] == modality for place in members[kind])
    places[ALL] = list(range(len(types)))
    return {row: found for row, found in places.items() if found}


def row_name(row: str) -> str:
    """A row's name as the tables print it, in columns: ``Audio         Counting``, ``Audio         average``."""
    modality, _, kind = row.partition("/")
    return f"{modality:<13} {kind}" if kind else row if row == ALL else f"{modality:<13} average"
