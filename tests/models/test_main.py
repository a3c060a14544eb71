from avground.models import MODELS
from avground.models.__main__ import RULE, counts, main


def test_every_parameter_is_counted_in_one_part():
    found = counts()
    for name, builder in MODELS.items():
        assert found[name]["all"] == sum(parameter.numel() for parameter in builder().parameters())
    for parts in found.values():
        *of_parts, everything = parts.values()
        assert sum(of_parts) == everything
    assert found["tjstg (dual stream)"]["temporal"] != found["tjstg"]["temporal"]


def test_the_table_shows_the_counts_the_rule_and_the_paper(capsys):
    main()
    lines = capsys.readouterr().out.splitlines()
    assert RULE in lines[0]
    found = counts()
    assert len(lines) == 3 + len(found)
    for line, (name, parts) in zip(lines[3:], found.items(), strict=True):
        assert line.startswith(f"{name} ")
        assert f" {parts.pop('all'):,} " in line
        assert line.endswith("  " + ", ".join(f"{part} {number:,}" for part, number in parts.items()))
    assert sum(" 11.1 M " in line or " 14.6 M " in line for line in lines) == 2
