"""Count the parameters of the models at the published sizes: writes benchmarks/results/parameters.json."""

import json

from tracks import RESULTS, environment

from avground.models.__main__ import PAPER, RULE, counts


def main() -> None:
    result = {**environment(), "rule": RULE, "millions_in_the_paper": PAPER, "parameters": counts()}
    (RESULTS / "parameters.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
