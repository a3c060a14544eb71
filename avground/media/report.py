"""What became of each video."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

FILE = "extraction.json"
FORMAT = "avground extraction 1"
_SHOWN = 10


@dataclass(frozen=True, kw_only=True)
class ExtractionReport:
    """What became of each video, by its id.

    Attributes:
        path: The file that holds this report.
        done: Videos whose features were written.
        already_there: Videos whose features were there, whole.
        failed: Videos that could not be used, and why.
        failed_before: Videos that earlier runs could not use, and this one was not asked for, and why.
        notes: What is worth knowing of those that were done, such as that only the first minute was used; of those that
            earlier runs did, too.
        ignored: What lies in the folders and is no video by its name, and why it is none.
        features: The folder of each kind of feature, and the manifest of what is in it.
        device: What computed the features.
        processes: How many processes shared the work.
        versions: Of the packages that features depend on.
        seconds: How long it took, after everything was loaded.
    """

    path: Path
    done: tuple[str, ...]
    already_there: tuple[str, ...]
    failed: dict[str, str]
    failed_before: dict[str, str]
    notes: dict[str, tuple[str, ...]]
    ignored: dict[str, str]
    features: dict[str, dict[str, Any]]
    device: str
    processes: int
    versions: dict[str, str]
    seconds: float

    @property
    def videos_per_second(self) -> float:
        """Videos worked on a second, those that failed too."""
        return (len(self.done) + len(self.failed)) / max(self.seconds, 1e-9)

    @property
    def exit_status(self) -> int:
        """0 if the features of all videos that were asked for are there, 1 if not."""
        return 1 if self.failed else 0

    def dump(self) -> str:
        """The text of ``extraction.json``."""
        values = asdict(self)
        del values["path"]
        speed = round(self.videos_per_second, 3)
        return json.dumps({"format": FORMAT, **values, "videos_per_second": speed}, indent=1) + "\n"

    def summary(self) -> str:
        """A few lines for people."""
        total = len(self.done) + len(self.already_there) + len(self.failed)
        lines = [
            f"videos  {total:,}: {len(self.done):,} extracted, {len(self.already_there):,} there already, "
            f"{len(self.failed):,} failed; {self.seconds:.1f} s, {self.videos_per_second:.2f} a second"
        ]
        for word, reasons in (("failed", self.failed), ("ignored", self.ignored)):
            shown = list(reasons.items())[:_SHOWN]
            lines += [f"{word:<8}{_printable(name)}: {_printable(reason)}" for name, reason in shown]
            if len(reasons) > _SHOWN:
                lines.append(f"        and {len(reasons) - _SHOWN:,} more")
        if self.failed_before:
            lines.append(f"        {len(self.failed_before):,} more failed in earlier runs")
        if self.notes:
            lines.append(f"notes   on {len(self.notes):,} videos")
        return "\n".join([*lines, f"report  {_printable(str(self.path))}"])


def _printable(text: str) -> str:
    """The text, with an escape for whatever could not be shown or would move the cursor."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)
