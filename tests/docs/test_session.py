"""A page that does not do what it says fails, at its line."""

import pytest

from tests.docs import session as module
from tests.docs.blocks import PageError, tutorial_blocks
from tests.docs.session import Session


@pytest.fixture
def run(tmp_path):
    """Run the blocks of a page; returns the folder that they ran in."""

    def execute(text):
        (tmp_path / "page.md").write_text(text, encoding="utf-8")
        with Session(tmp_path / "session") as session:
            for block in tutorial_blocks(tmp_path / "page.md", tmp_path):
                session.run(block)
        return session.folder

    return execute


def test_blocks_share_a_folder_an_environment_and_a_session(run):
    folder = run(
        "```bash\nmkdir made && cd made && export WORD='a b'\n```\n```bash\necho $WORD > file\n```\n"
        "```python\n# mine.py\nx = 5\n```\n```python\nfrom mine import x\nfrom pathlib import Path\n```\n"
        "```python\nPath('py').write_text(str(x))\nprint('done')\n```\n```text\ndone\n```\n"
        "```python\n>>> x + 1\n6\n\n```\n"
    )
    assert (folder / "made" / "file").read_text() == "a b\n"
    assert (folder / "made" / "py").read_text() == "5"


def test_a_session_finds_this_environment_and_no_cache(run):
    run("```bash\navground --help\ntest ! -e $AVGROUND_CACHE\npython -W ignore -c 'import avground'\n```\n")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("```bash\ntrue\nfalse\ntrue\n```\n", r"page.md:3: expected exit status 0, got 1"),
        ("```bash\nfalse | true\n```\n", r"page.md:2: expected exit status 0, got 1"),
        ("```bash\necho $unset\n```\n", r"page.md:2: expected exit status 0, got 1.*unset: unbound"),
        ("```bash\necho said; ls nowhere\n```\n", r"page.md:2: .*said\n.*nowhere"),
        ("<!-- exit status 1 -->\n```bash\ntrue\n```\n", r"page.md:3: expected exit status 1, got 0"),
        (
            "```bash\necho a\n```\nsays\n```text\nb\n```\n",
            r"page.md:6: not what the block of line 2 prints:.*-b\n\+a",
        ),
        ("```python\nprint(1)\n```\n```text\n2\n```\n", r"page.md:5: not what the block of line 2 prints"),
        ("```python\nx = 1\nx / 0\n```\n", r'page.md:2: .*"page.md", line 3, .*ZeroDivisionError'),
        ("```python\nimport warnings\nwarnings.warn('x')\n```\n", r"page.md:2: .*UserWarning: x"),
        ("```python\nprint('said')\nraise SystemExit(0)\n```\n", r"page.md:2: .*SystemExit.*said"),
        ("```python\nimport os\nos._exit(0)\n```\n", r"page.md:2: Python ended"),
        ("text\n\n```python\n>>> 1 + 1\n3\n\n```\n", r'page.md:4: .*"page.md", line 4.*Got:\n +2'),
    ],
)
def test_what_does_not_do_as_it_says_fails_at_its_line(run, text, problem):
    with pytest.raises(PageError, match=f"(?s){problem}"):
        run(text)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("```bash\necho said\nsleep 60\n```\n", r"page.md:2: still runs after 1 s.*said"),
        ("```bash\nsleep 60 &\n```\n", r"page.md:2: still runs"),
        ("```python\nimport time\ntime.sleep(60)\n```\n", r"page.md:2: Python still runs after 1 s"),
    ],
)
def test_what_hangs_or_leaves_something_running_is_ended(run, monkeypatch, text, problem):
    monkeypatch.setattr(module, "SECONDS", 1)
    with pytest.raises(PageError, match=f"(?s){problem}"):
        run(text)
