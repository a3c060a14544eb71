"""The code blocks of a page, and what is to be done with each.

A tutorial is plain Markdown. What a block's language says:

- ``python`` is run, all blocks of a page in one session; one with ``>>>`` is checked as a doctest, and one whose first
  line is a comment that names a file, ``# mine.py``, is saved under that name instead.
- ``bash`` is run, and must end well.
- ``text`` is what the block before it prints: all of it. A line ``...`` stands for any lines, ``...`` within a line for
  any part of that line.
- ``console`` is not run, and the line above the block must say so: "not run".
- ``diff``, and no language, is no code: a difference, a tree of files.

A comment above a block, which readers do not see, says what else is so: ``<!-- exit status 1 -->``.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

RUN = ("python", "bash")
_SHOWN = ("text", "console", "diff", "")
_FENCE = re.compile(r"^( *)(`{3,}|~{3,}|:{3,})(.*)$")
_STATUS = re.compile(r"<!-- exit status (\d+) -->")
_FILE = re.compile(r"# ([\w./-]+\.py)")


class PageError(AssertionError):
    """A page that does not keep to the rules, or does not do what it says; names file and line."""


@dataclass
class Block:
    """Some code of a page.

    Attributes:
        page: The file, as errors name it.
        line: Number of the first line of code, from 1.
        language: See above.
        text: The code.
        above: The last line above the block that is not empty.
        fence: What the block begins with, before its language.
        status: The exit status it must end with.
        shown: What it prints, as the page shows it; None if the page does not.
        shown_line: Where the page does.
    """

    page: str
    line: int
    language: str
    text: str
    above: str
    fence: str
    status: int = 0
    shown: str | None = None
    shown_line: int = 0

    @property
    def where(self) -> str:
        """The block, in errors."""
        return f"{self.page}:{self.line}"

    @property
    def file(self) -> str | None:
        """The file that its code is for, if not to be run."""
        found = _FILE.fullmatch(self.text.partition("\n")[0]) if self.language == "python" else None
        return found and found[1]


def tutorial_blocks(path: Path, root: Path) -> list[Block]:
    """The blocks of a tutorial that are run, in order, each with what it prints.

    Raises:
        PageError: for a block that breaks the rules.
    """
    blocks = list[Block]()
    for block in all_blocks(path, root):
        if block.fence != "```" or block.language not in (*RUN, *_SHOWN):
            raise PageError(
                f"{block.where}: expected a block fenced by ``` at the margin, its language one of "
                f"{', '.join(RUN + _SHOWN[:-1])} or none, got {block.fence + block.language!r}"
            )
        if block.language == "console" and "not run" not in block.above.lower():
            raise PageError(f"{block.where}: expected 'not run' in the line above the block, got {block.above!r}")
        if block.language == "text":
            if not blocks or blocks[-1].shown is not None or blocks[-1].file:
                raise PageError(f"{block.where}: expected a block before it that prints this, and only this")
            blocks[-1].shown, blocks[-1].shown_line = block.text, block.line
        if block.language in RUN:
            stated = _STATUS.fullmatch(block.above)
            block.status = int(stated[1]) if stated else 0
            blocks.append(block)
    return blocks


def all_blocks(path: Path, root: Path) -> Iterator[Block]:
    """All fenced blocks of a page of any kind; of a directive that holds others, these.

    Raises:
        PageError: for a block without an end.
    """
    page, block, above = path.relative_to(root).as_posix(), None, ""
    code = list[str]()
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        fence = _FENCE.match(line)
        if block is not None:
            if line.strip().startswith(block.fence.strip()) and not line.strip(" `~"):
                block.text = "".join(f"{text[len(block.fence) - len(block.fence.strip()) :]}\n" for text in code)
                yield block
                block = None
            code.append(line)
        elif fence and fence[2][0] != ":":
            block, code = Block(page, number + 1, fence[3].strip(), "", above, fence[1] + fence[2]), []
        elif line.strip():
            above = line.strip()
    if block is not None:
        raise PageError(f"{block.where}: a block without an end")


def matches(shown: str, printed: str) -> bool:
    """Whether what was printed is what a page shows, with ``...`` for what varies."""
    lines = "".join(f"{line.rstrip()}\n" for line in printed.strip().splitlines())
    return re.fullmatch("".join(map(_pattern, shown.strip().splitlines())), lines) is not None


def _pattern(line: str) -> str:
    if line.strip() == "...":
        return r"(?:[^\n]*\n)*?"
    return r"[^\n]*?".join(map(re.escape, line.rstrip().split("..."))) + r"\n"
