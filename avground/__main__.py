"""``python -m avground COMMAND ...``."""

import sys

from avground.cli import main

if __name__ == "__main__":
    sys.exit(main())
