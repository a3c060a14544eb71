"""Making good files bad: by bytes whatever they mean, and by what JSON, pickles and the formats of arrays mean."""

import io
import json
import pickletools
import zipfile
from collections.abc import Callable
from itertools import pairwise
from random import Random
from typing import Any

Mutation = Callable[[bytes, Random], bytes]

_NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 1, 2**60, 2**63 - 1, 2**63, 2**64 - 1)
_VALUES = (
    "null", "true", "false", "0", "-1", "1", "1.5", "-0.0", "1e308", "1e999", "-1e999", "NaN", "Infinity", "[]",
    "{}", '""', '" "',
    "9" * 30, "9" * 4000, "9" * 5000, "1e-400", '"../../x"', '"/etc/passwd"', '"a\\\\b"', '"\\u0000"', '".."', '"."',
    '"\\ud800"',
    '"\\u001b[2J"', '"\\n"', '"x" ', "[" * 15 + "]" * 15, "[" * 30 + "]" * 30, "[" * 900 + "]" * 900,
    '{"a":' * 400 + "1" + "}" * 400,
    '{"a": 1, "a": 2}', '"' + "a" * 5000 + '"', '"' + "<Object>" * 40 + '"', "[" + "0," * 5000 + "0]", "[[], {}]",
    '[null, "a"]', "#",
)  # fmt: skip
"""Texts of values that do not belong where they are put; the last is no JSON."""

_HOLE = "a hole to put something into"


def flip(content: bytes, random: Random) -> bytes:
    """Some bits are others."""
    changed = bytearray(content)
    for _ in range(random.choice((1, 1, 2, 8, 64)) if changed else 0):
        changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
    return bytes(changed)


def cut(content: bytes, random: Random) -> bytes:
    """The end is missing."""
    return content[: random.randrange(len(content) + 1)]


def insert(content: bytes, random: Random) -> bytes:
    """Something is in between that does not belong there."""
    at = random.randrange(len(content) + 1)
    return content[:at] + random.randbytes(random.choice((1, 2, 8, 100, 5000))) + content[at:]


def remove(content: bytes, random: Random) -> bytes:
    """A part is missing."""
    first, last = _part(content, random)
    return content[:first] + content[last:]


def repeat(content: bytes, random: Random) -> bytes:
    """A part is there twice."""
    first, last = _part(content, random)
    return content[:last] + content[first:]


def move(content: bytes, random: Random) -> bytes:
    """A part is where another was."""
    first, last = _part(content, random)
    at = random.randrange(len(content) + 1)
    return content[:at] + content[first:last] + content[at + last - first :]


def number(content: bytes, random: Random) -> bytes:
    """A number that is an extreme of some type is written somewhere."""
    size = random.choice((1, 2, 4, 8))
    at = random.randrange(len(content) + 1)
    value = random.choice(_NUMBERS) & (2 ** (8 * size) - 1)
    return content[:at] + value.to_bytes(size, random.choice(("little", "big"))) + content[at + size :]


BYTES: tuple[Mutation, ...] = (flip, cut, insert, remove, repeat, move, number)
"""What can be done to any file."""


def anyhow(content: bytes, random: Random) -> bytes:
    """One or more of :data:`BYTES`."""
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        content = random.choice(BYTES)(content, random)
    return content


def within_json(content: bytes, random: Random) -> bytes:
    """A value somewhere in JSON is another, or missing, or there twice, or under another key."""
    value = json.loads(content)
    for _ in range(random.choice((1, 1, 1, 3))):
        value = _change(value, random)
    text = json.dumps(value)
    while f'"{_HOLE}"' in text:
        text = text.replace(f'"{_HOLE}"', random.choice(_VALUES), 1)
    return text.encode()


def _change(value: Any, random: Random) -> Any:
    """One change at a random depth."""
    entries: list[Any] = (
        list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []
    )
    if not entries or random.random() < 0.1:
        return _HOLE
    key = random.choice(entries)
    if isinstance(value[key], dict | list) and random.random() < 0.75:
        value[key] = _change(value[key], random)
    elif isinstance(value[key], str) and value[key][:1] in ("[", "{") and random.random() < 0.5:
        value[key] = within_json(value[key].encode(), random).decode()  # MUSIC-AVQA's files hold JSON in strings.
    elif random.random() < 0.6:
        value[key] = _HOLE
    elif isinstance(value, dict):
        taken = value.pop(key)
        if random.random() < 0.5:
            value[random.choice(("", "x", "../x", key + "x", random.choice(entries)))] = taken
    elif random.random() < 0.5:
        value.append(value[key])
    else:
        del value[key]
    return value


def within_zip(content: bytes, random: Random) -> bytes:
    """Records of a zip file are changed, exchanged, missing, there twice, compressed, or of another size than said."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        records = [(info.filename, archive.read(info)) for info in archive.infolist()]
    place = random.randrange(len(records))
    name, record = records[place]
    method = zipfile.ZIP_STORED
    what = random.randrange(7)
    if what == 0:
        other = random.randrange(len(records))
        records[place], records[other] = (name, records[other][1]), (records[other][0], record)
    elif what == 1:
        del records[place]
    elif what == 2:
        records[place] = (random.choice(("x", "x/data.pkl", "../x", name + "x", "")), record)
    elif what == 3:
        method = zipfile.ZIP_DEFLATED
    elif what == 4:
        records.append((name + random.choice(("", "/", "x")), record))
    else:
        pickles = [number for number, (name, _) in enumerate(records) if name.endswith("data.pkl")]
        place = random.choice(pickles or [place])
        name, record = records[place]
        change = within_pickle if pickles and what == 5 else anyhow
        records[place] = (name, change(record, random))
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", method) as archive:
        for name, record in dict(records).items() if what != 4 else records:
            if name not in archive.namelist():
                archive.writestr(name, record)
    return written.getvalue()


def within_pickle(content: bytes, random: Random) -> bytes:
    """A step of a pickle is another, missing, there twice, or has another argument."""
    try:
        steps = [(step.name, argument, position) for step, argument, position in pickletools.genops(content)]
    except ValueError:
        return anyhow(content, random)
    starts = [position or 0 for *_, position in steps] + [len(content)]
    pieces = [content[first:last] for first, last in pairwise(starts)]
    for _ in range(random.choice((1, 1, 2, 4))):
        place, other = random.randrange(len(pieces)), random.randrange(len(pieces))
        pieces[place] = random.choice((
            b"", pieces[place] * 2, pieces[other], b"K\x07", b"M\xff\xff", b"J\xff\xff\xff\x7f",
            b"\x8a\x08" + b"\xff" * 7 + b"\x7f",
            b"\x8b\x00\x04\x00\x00" + b"\x7f" * 1024, b"cposix\nsystem\n", b"R", b"b", b"Q", b"\x81", b"N", b"\x88",
            b"(", b"t", b"]", b"}",
            b"X\x01\x00\x00\x00a", b"G\x7f\xf8" + bytes(6), b"0", b"2", b"h\x01", b"h\x04", b"q\x01",
            b"r\xff\xff\xff\x7f", b"u", b"e", b".",
            b"ctorch._utils\n_rebuild_sparse_tensor\n", b"ctorch\nComplexFloatStorage\n", b"ctorch\nByteStorage\n",
            b"\x85", b"\x86", b"I9\n",
        ))  # fmt: skip
    return b"".join(pieces)


def within_array(content: bytes, random: Random) -> bytes:
    """The header of a ``.npy`` file says something else, or its values are others."""
    length = int.from_bytes(content[8:10], "little")
    header, values = content[10 : 10 + length].decode("latin-1"), content[10 + length :]
    what = random.randrange(4)
    if what == 0:
        shape = random.choice((
            "()", "(60,)", "(0, 4)", "(60, 0)", "(-60, 4)", f"({2**60}, 4)", f"({2**60}, 0)", f"({2**62}, {2**62})",
            "(60, 4, 1)", "(30, 8)",
            "(True, 4)", "(6.0, 4)", "('60', 4)", f"(0x{'f' * 4000}, 1)", f"(0, 0x{'f' * 4000})",
            "(" + "1," * 100 + ")", "(" * 150, "[60, 4]",
            "None", "(" + "-" * 3000 + "60, 4)", f"({'9' * 5000}, 1)",
        ))  # fmt: skip
        header = header.replace(header[header.index("(") : header.index(")") + 1], shape)
    elif what == 1:
        kind = random.choice((
            "'|O'", "'<i4'", "'<f2'", "'>f8'", "'<f16'", "'<c8'", "'|V0'", "'<U4'", "'f4,f4'", "[('x', '<f4')]",
            "'|S0'", "None", "''", "'(3,)f4'",
            "'<M8[ns]'", "('<f4', {})", "'x'", "'f'", "'a' * 9", "'" + "f4," * 1000 + "'",
        ))  # fmt: skip
        header = header.replace("'<f4'", kind)
    elif what == 2:
        header = header.replace("False", random.choice(("True", "1", "None", "[]", "x", "False, 'more': 1")))
    else:
        place = random.randrange(len(values) // 4) * 4
        number = random.choice((b"\0\0\xc0\x7f", b"\0\0\x80\x7f", b"\0\0\x80\xff", b"\xff\xff\x7f\x7f"))
        values = values[:place] + number + values[place + 4 :]
    encoded = header.encode("latin-1")
    size, version = (2, b"\x01\x00") if len(encoded) < 2**16 else (4, b"\x02\x00")
    length = random.choice((len(encoded), len(encoded), len(encoded), 2**16 - 1, 0))
    return b"\x93NUMPY" + version + length.to_bytes(size, "little") + encoded + values


def _part(content: bytes, random: Random) -> tuple[int, int]:
    """Where a part begins and ends."""
    first = random.randrange(len(content) + 1)
    return first, min(len(content), first + random.choice((1, 4, 16, 100, 1000)))
