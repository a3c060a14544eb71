"""The Python session of a page: code in, one line of JSON each; what it printed out, another such line."""

import contextlib
import doctest
import io
import json
import os
import sys
import traceback

# Whatever writes to the standard output past sys.stdout must not get between the replies.
REPLIES = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
sys.path[0] = ""  # As in an interactive session: the folder at hand, not that of this file.


def run(page: str, line: int, text: str, names: dict[str, object]) -> str:
    """Run code as if it were at that line of the page; returns what went wrong, if anything did."""
    try:
        if ">>>" in text:
            session = doctest.DocTestParser().get_doctest(text, {}, page, page, line - 1)
            session.globs = names
            said = io.StringIO()
            failed = doctest.DocTestRunner(verbose=False).run(session, out=said.write, clear_globs=False).failed
            return said.getvalue() if failed else ""
        exec(compile("\n" * (line - 1) + text, page, "exec"), names)
    except BaseException:
        return traceback.format_exc()
    return ""


def main() -> None:
    """Answer until there is no more."""
    names: dict[str, object] = {"__name__": "__main__"}
    for request in sys.stdin:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            error = run(**json.loads(request), names=names)
        print(json.dumps({"printed": printed.getvalue(), "error": error}), file=REPLIES, flush=True)


if __name__ == "__main__":
    with REPLIES:
        main()
