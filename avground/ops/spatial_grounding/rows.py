"""Maps that are named by their rows in a larger tensor, so that a batch of them need not be copied together."""

from typing import NamedTuple, TypeAlias

import torch
from jaxtyping import Float, Int
from torch import Tensor

from avground.errors import ShapeError
from avground.shapes import check_shapes


class MapRows(NamedTuple):
    r"""Rows of a bank of maps: what ``values[rows]`` holds, without making it.

    It stands where a tensor of maps (\*b, c, h, w) does; each map is read where it lies. With a bank on the device a
    training step moves nothing but row numbers, and several questions about one video share its maps.

    Attributes:
        values: The bank, (r, c, h, w).
        rows: Row of each map, int64, (\*b); each from 0 to r - 1. On a GPU that is not checked: it would have to wait.
        lengths: Length of every cell of the bank, see :func:`cell_lengths`: computed once where the maps do not change.
            None computes those of the rows asked for.

    Example:
        >>> import torch
        >>> from avground.ops import MapRows
        >>> bank = torch.rand(100, 512, 7, 7)
        >>> MapRows(bank, torch.tensor([[3, 4, 5], [3, 4, 5]])).shape  # two questions about the same three segments
        torch.Size([2, 3, 512, 7, 7])
    """

    values: Float[Tensor, "r c h w"]
    rows: Int[Tensor, "*b"]
    lengths: Float[Tensor, "r h w"] | None = None

    @property
    def shape(self) -> torch.Size:
        r"""Shape of the maps named, (\*b, c, h, w)."""
        return torch.Size((*self.rows.shape, *self.values.shape[1:]))

    @property
    def dtype(self) -> torch.dtype:
        """Type of the bank."""
        return self.values.dtype

    @property
    def device(self) -> torch.device:
        """Device of the bank."""
        return self.values.device

    def check(self) -> None:
        """Check types and, where it costs nothing, that there are such rows.

        Raises:
            ShapeError: if rows are not int64, parts lie on different devices, or ``lengths`` does not fit ``values``;
                on the CPU also for a row that the bank does not have.
        """
        check_shapes(values=(self.values, "r c h w"))
        if self.rows.dtype != torch.int64:
            raise ShapeError(f"rows: expected int64, got {self.rows.dtype}")
        devices = [str(part.device) for part in self if part is not None]
        if len(set(devices)) > 1:
            raise ShapeError(f"rows: expected values, rows and lengths on one device, got {', '.join(devices)}")
        if self.lengths is not None:
            r, _, h, w = self.values.shape
            check_shapes(lengths=(self.lengths, f"{r} {h} {w}"))
        if self.rows.device.type == "cpu" and not torch.compiler.is_compiling() and self.rows.numel():
            least, most = (int(row) for row in self.rows.aminmax())
            if least < 0 or most >= len(self.values):
                raise ShapeError(f"rows: expected 0 to {len(self.values) - 1}, got {least} to {most}")

    def gather(self) -> Float[Tensor, "*b c h w"]:
        """The maps named, copied together."""
        return self.values[self.rows]


Maps: TypeAlias = Tensor | MapRows
"""Maps as a tensor, or as rows of a bank."""

_SHORTEST = 1e-12


def shortest(dtype: torch.dtype) -> float:
    """The least length of a vector of this type that has a direction."""
    return max(_SHORTEST, torch.finfo(dtype).tiny)


def each_of(visual: Maps | tuple[Maps, ...]) -> tuple[Maps, ...]:
    """One or several maps of a segment as several: rows of a bank are a tuple to Python, and one of maps here."""
    return (visual,) if isinstance(visual, (MapRows, Tensor)) else tuple(visual)


def as_tensor(maps: Maps, like: Tensor) -> Float[Tensor, "*b c h w"]:
    """Maps as a tensor of their own, at least as precise as ``like``: for what reads no rows of a bank."""
    gathered = maps.gather() if isinstance(maps, MapRows) else maps
    return gathered.to(torch.promote_types(gathered.dtype, like.dtype))
