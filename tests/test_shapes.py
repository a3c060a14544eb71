import pytest
import torch

from avground.errors import ShapeError
from avground.shapes import check_shapes


def check(**arguments):
    return check_shapes(**{name: (torch.zeros(shape), expected) for name, (shape, expected) in arguments.items()})


def test_returns_the_size_of_every_letter():
    assert check(audio=((2, 3, 4), "b t c"), visual=((2, 3, 7, 5, 6), "b t vc h w")) == {
        "b": 2,
        "t": 3,
        "c": 4,
        "vc": 7,
        "h": 5,
        "w": 6,
    }


@pytest.mark.parametrize("leading", [(), (2,), (2, 3), (0,)])
def test_a_star_takes_any_number_of_dimensions(leading):
    assert check(p=((*leading, 4), "*b t"), q=((*leading, 4), "*b t")) == {"t": 4}
    assert check(logits=((2, *leading, 3), "2 *b c")) == {"c": 3}
    assert check(rows=((5, *leading), "t *b")) == {"t": 5}


def test_numbers_must_match():
    assert check(audio=((2, 128), "*b 128")) == {}
    with pytest.raises(ShapeError):
        check(audio=((2, 127), "*b 128"))


def test_one_letter_twice_in_a_shape_is_one_size():
    assert check(square=((3, 3), "n n")) == {"n": 3}
    with pytest.raises(ShapeError):
        check(square=((3, 4), "n n"))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"p": ((64, 10), "*b t"), "q": ((64, 9), "*b t")}, "q: expected (*b=(64,), t=10), got (64, 9)"),
        ({"p": ((64, 10), "*b t"), "q": ((10,), "*b t")}, "q: expected (*b=(64,), t=10), got (10,)"),
        ({"p": ((64, 10), "*b t"), "q": ((), "*b t")}, "q: expected (*b=(64,), t=10), got ()"),
        ({"p": ((10,), "*b t"), "q": ((1, 10), "*b t")}, "q: expected (*b=(), t=10), got (1, 10)"),
        ({"audio": ((2, 3), "b t c")}, "audio: expected (b, t, c), got (2, 3)"),
        ({"audio": ((2, 3, 4, 5), "b t c")}, "audio: expected (b, t, c), got (2, 3, 4, 5)"),
        ({"audio": ((), "*b c")}, "audio: expected (*b, c), got ()"),
        ({"audio": ((2,), "b"), "visual": ((3, 4), "b 5")}, "visual: expected (b=2, 5), got (3, 4)"),
        (
            {"audio": ((2, 10, 128), "b t 128"), "visual": ((2, 9, 512, 7, 7), "b t 512 h w")},
            "visual: expected (b=2, t=10, 512, h, w), got (2, 9, 512, 7, 7)",
        ),
        ({"logits": ((3, 4, 2), "2 *b 2")}, "logits: expected (2, *b, 2), got (3, 4, 2)"),
        ({"logits": ((2,), "2 *b 2")}, "logits: expected (2, *b, 2), got (2,)"),
        ({"first": ((0, 3), "b t"), "second": ((1, 3), "b t")}, "second: expected (b=0, t=3), got (1, 3)"),
    ],
)
def test_the_message_names_argument_expected_and_got(arguments, expected):
    with pytest.raises(ShapeError) as caught:
        check(**arguments)
    assert str(caught.value) == expected


def test_the_first_argument_that_does_not_fit_is_named():
    with pytest.raises(ShapeError, match=r"^second: "):
        check(first=((2,), "b"), second=((3,), "b"), third=((4,), "b"))


def test_two_stars_of_two_names_are_two_things():
    assert check(words=((2, 3, 5), "*b c"), mask=((7, 5), "*d c")) == {"c": 5}
