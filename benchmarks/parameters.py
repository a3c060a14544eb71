"""Count the parameters of the models at the published sizes: writes benchmarks/results/parameters.json."""

from common import environment, write_result

from avground.models.__main__ import PAPER, RULE, counts


def main() -> None:
    result = {**environment(), "rule": RULE, "millions_in_the_paper": PAPER, "parameters": counts()}
    write_result("parameters", result)


if __name__ == "__main__":
    main()
