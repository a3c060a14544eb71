import pytest

from tests.docs.blocks import PageError, all_blocks, matches, tutorial_blocks


@pytest.fixture
def page(tmp_path):
    """Write a page."""

    def write(text):
        (tmp_path / "page.md").write_text(text, encoding="utf-8")
        return tmp_path / "page.md"

    return write


def blocks_of(path):
    return tutorial_blocks(path, path.parent)


def test_blocks_come_in_order_with_their_lines_and_what_they_print(page):
    first, second, third = blocks_of(
        page(
            "# Page\n\n```bash\necho 1\n```\n\nsays\n\n```text\n1\n```\n\n```python\n# a.py\nx = 1\n```\n\n"
            "<!-- exit status 3 -->\n```bash\nexit 3\n```\n\n```diff\n-a\n```\n\n```\na/\n```\n"
        )
    )
    assert (first.where, first.language, first.text) == ("page.md:4", "bash", "echo 1\n")
    assert (first.shown, first.shown_line, first.status) == ("1\n", 10, 0)
    assert (second.file, second.shown) == ("a.py", None)
    assert (third.line, third.status, third.text) == (20, 3, "exit 3\n")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("```bash\necho\n", "page.md:2: a block without an end"),
        ("```sh\necho\n```\n", "page.md:2: .* got '```sh'"),
        ("- a list\n\n  ```bash\n  echo\n  ```\n", "page.md:4: .* at the margin"),
        ("````bash\necho\n````\n", "page.md:2: .* got '````bash'"),
        ("~~~bash\necho\n~~~\n", "page.md:2: .* got '~~~bash'"),
        ("```{code-block} bash\necho\n```\n", "page.md:2: .* got '```{code-block} bash'"),
        ("```text\n1\n```\n", "page.md:2: expected a block before it that prints this"),
        ("```bash\na\n```\n```text\n1\n```\n```text\n2\n```\n", "page.md:8: expected a block before it"),
        ("```python\n# a.py\n```\n```text\n1\n```\n", "page.md:5: expected a block before it"),
        ("On a cluster:\n\n```console\nsrun x\n```\n", "page.md:4: expected 'not run' in the line above"),
    ],
)
def test_a_page_that_breaks_the_rules_is_told_with_its_line(page, text, problem):
    with pytest.raises(PageError, match=problem):
        blocks_of(page(text))


def test_what_is_not_run_must_be_said_to_be(page):
    assert blocks_of(page("Not run here:\n\n```console\nsrun x\n```\n")) == []


def test_blocks_in_lists_and_directives_are_found(page):
    path = page(
        "1. so\n\n   ````python\n   x = 1\n   ```\n   if x:\n       y = 2\n   ````\n\n:::{tip}\n```bash\na\n```\n:::\n"
    )
    python, bash = all_blocks(path, path.parent)
    assert (python.language, python.text) == ("python", "x = 1\n```\nif x:\n    y = 2\n")
    assert (bash.language, bash.text, bash.line) == ("bash", "a\n", 12)


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("a\n", "a\n"),
        ("a\n", "\na  \n\n"),
        ("a ... c\n", "a b b c\n"),
        ("loss ...\n...\nend\n", "loss 1\nend\n"),
        ("loss ...\n...\nend\n", "loss 1\nx\ny\nend\n"),
        ("...\nend\n", "x\nend\n"),
        ("(1.5)...\n", "(1.5)\n"),
    ],
)
def test_what_is_printed_is_what_is_shown(shown, printed):
    assert matches(shown, printed)


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("a\n", "a\nb\n"),
        ("a\nb\n", "a\n"),
        ("a ... c\n", "a\nc\n"),
        ("1.5\n", "105\n"),
        ("a\n...\n", "b\na\n"),
    ],
)
def test_what_is_printed_is_not_what_is_shown(shown, printed):
    assert not matches(shown, printed)
