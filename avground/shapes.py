"""Shape checks whose messages name the argument, the expected shape and the shape received.

Dimension letters, everywhere in avground: ``b`` clip, ``t`` segment, ``s`` spatial cell (h times w), ``h`` and ``w``
rows and columns of cells, ``c`` channel, ``n`` word. A starred letter, as in ``*b t c``, stands for any number of
dimensions.
"""

from typing import Protocol

from avground.errors import ShapeError


class HasShape(Protocol):
    """A tensor, or what stands for one."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Its sizes."""


def check_shapes(**arguments: tuple[HasShape, str]) -> dict[str, int]:
    """Check tensors against shapes written in dimension letters, and return the sizes of the letters.

    A letter must have one size wherever it appears; a number must match exactly; one word such as ``*b`` takes
    any number of dimensions, none included, which must be the same wherever it appears.

    Args:
        **arguments: For each argument name, the tensor and its expected shape, such as ``(audio, "*b t c")``.

    Returns:
        The size of each letter; starred letters are left out.

    Raises:
        ShapeError: for example ``q: expected (*b=(64,), t=10), got (64, 9)``.
    """
    sizes: dict[str, int] = {}
    leading: dict[str, tuple[int, ...]] = {}
    for name, (tensor, expected) in arguments.items():
        known = {
            **sizes,
            **leading,
        }  # before this argument; written out only in an error: compilers fix what is printed
        letters = expected.split()
        shape = tuple(tensor.shape)
        stars = [i for i, letter in enumerate(letters) if letter.startswith("*")]
        extra = len(shape) - len(letters)
        if not stars:
            fits, many = extra == 0, shape
        else:
            star = stars[0]
            fits, stop = extra >= -1, star + extra + 1
            fits = fits and leading.setdefault(letters[star], shape[star:stop]) == shape[star:stop]
            many = shape[:star] + shape[stop:]
        for letter, size in zip([x for x in letters if not x.startswith("*")], many, strict=False):
            wanted = int(letter) if letter.isdigit() else sizes.setdefault(letter, size)
            fits = fits and wanted == size
        if not fits:
            described = ", ".join(f"{x}={known[x]}" if x in known else x for x in letters)
            raise ShapeError(f"{name}: expected ({described}), got {shape}")
    return sizes
