"""The benchmark of bad files counts what it should, and tells an error that is none of the documented ones."""

from .scripts import load

fuzzing = load("fuzzing")["fuzzing"]


def test_a_few_files_of_one_kind():
    found = fuzzing.run(mutations=20, seed=3, targets=["vocabulary"])
    entry = found["targets"]["vocabulary"]
    assert entry["tried"] == 20
    assert entry["accepted"] + sum(entry["refused"].values()) == 20
    assert found["undocumented"] == 0
    assert entry["undocumented"] == []
    assert {"slowest_ms", "memory_mb", "longest_message"} <= entry.keys()


def test_what_must_not_be_is_noted():
    """In a process of its own, as what is forbidden there stays so."""
    lines = {
        "raise KeyError('oh')": "KeyError",
        "[][0]": "IndexError",
        "import os; os.system('true')": "something was called: os.system",
        "import time; time.sleep(9)": "Hang",
        "bytearray(2**40)": "MemoryError",
    }
    code = (
        "import fuzzing, dataclasses, json; import tests.fuzz.targets as targets\n"
        "fuzzing.SECONDS_EACH = 0.5\n"
        "target = targets.TARGETS['vocabulary']\n"
        "tally = fuzzing.Tally('vocabulary')\n"
        f"for line in {list(lines)}:\n"
        "    tally.target = dataclasses.replace(target, read=lambda *_: exec(line))\n"
        "    tally.read(b'bad')\n"
        "print(json.dumps(tally.entry()))"
    )
    entry = fuzzing._child([fuzzing.sys.executable, "-c", code], 200)
    assert entry["tried"] == len(lines)
    assert len(entry["undocumented"]) == len(lines), entry
    for found, named in zip(entry["undocumented"], lines.values(), strict=True):
        assert named in found
