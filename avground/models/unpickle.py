"""A reader of pickles that cannot call anything: it knows the steps that build plain values and tensors only."""

import math
import pickletools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from avground.errors import brief

Storage = Callable[[str, int, int], Tensor]
"""The bytes of a tensor's numbers, by their name, how many numbers there are, and the bytes of each."""

_MOST_STEPS = 2_000_000
_MOST_DIMENSIONS = 16
_MOST_LENGTH = 2**48
_DTYPES: Mapping[str, torch.dtype] = {
    "BFloat16Storage": torch.bfloat16,
    "BoolStorage": torch.bool,
    "ByteStorage": torch.uint8,
    "CharStorage": torch.int8,
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "IntStorage": torch.int32,
    "LongStorage": torch.int64,
    "ShortStorage": torch.int16,
}
_TENSORS = ("torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor")
_ARRAYS = ("numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct")
_KNOWN = frozenset((
    *(f"torch.{name}" for name in _DTYPES), *_TENSORS, *_ARRAYS, "numpy.ndarray", "numpy.dtype", "_codecs.encode",
    "torch._utils._rebuild_parameter", "torch.Size", "collections.OrderedDict",
))  # fmt: skip
"""Names that a file may hold; none is ever looked up."""

_CODES = ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1")
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_NEW: Mapping[str, Callable[[], Any]] = {"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_VALUES = frozenset((
    "BININT", "BININT1", "BININT2", "LONG1", "LONG4", "BINFLOAT", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8",
    "BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES",
))  # fmt: skip
_STEPS = frozenset((
    "MARK", "TUPLE", "APPEND", "APPENDS", "SETITEM", "SETITEMS", "GLOBAL", "STACK_GLOBAL", "BINPERSID", "REDUCE",
    "BUILD",
))  # fmt: skip
"""Those that have a method of their own."""


class Refused(ValueError):
    """A pickle that holds more than tensors and plain values: names what."""


@dataclass(frozen=True)
class _Name:
    """The name of something that a pickle would call."""

    text: str


@dataclass
class _Array:
    """A NumPy array to be: its numbers come later."""

    value: Tensor | None = None


@dataclass(frozen=True)
class _Number:
    """A type of NumPy's."""

    code: str


def load(content: bytes, storage: Storage) -> tuple[Any, int]:
    """Build what a pickle says.

    Args:
        content: The pickle, and anything after it.
        storage: Gives the numbers of tensors.

    Returns:
        The value, and the number of bytes that the pickle has.

    Raises:
        Refused: if it holds more than tensors and plain values.
        Exception: any, if it is damaged.
    """
    machine = _Machine(storage, len(content))
    for steps, (step, argument, position) in enumerate(pickletools.genops(content)):
        if step.name == "STOP":
            (value,) = machine.stack
            return _finished(value), (position or 0) + 1
        if steps > _MOST_STEPS:
            raise Refused(f"a pickle of more than {_MOST_STEPS:,} steps")
        machine.take(step.name, argument)
    raise ValueError("a pickle without an end")


class _Machine:
    """Carries out the steps of a pickle."""

    def __init__(self, storage: Storage, size: int) -> None:
        self.stack: list[Any] = []
        self._storage = storage
        self._left_to_copy = 8 * size
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}

    def take(self, name: str, argument: Any) -> None:
        """Take one step."""
        stack = self.stack
        if name in _VALUES:
            stack.append(argument)
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name in _NEW:
            stack.append(_NEW[name]())
        elif name in _TUPLES:
            stack.append(tuple(self._pop(_TUPLES[name])))
        elif name in ("BINPUT", "LONG_BINPUT", "MEMOIZE"):
            self._memo[len(self._memo) if argument is None else argument] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            stack.append(self._memo[argument])
        elif name not in ("PROTO", "FRAME"):
            if name not in _STEPS:
                raise Refused(f"the step {name} of pickle")
            getattr(self, f"_{name.lower()}")(argument)

    def _pop(self, count: int) -> list[Any]:
        if count > len(self.stack):
            raise ValueError("a pickle that takes what is not there")
        taken = self.stack[len(self.stack) - count :]
        del self.stack[len(self.stack) - count :]
        return taken

    def _since_mark(self) -> list[Any]:
        return self._pop(len(self.stack) - self._marks.pop())

    def _mark(self, _: Any) -> None:
        self._marks.append(len(self.stack))

    def _tuple(self, _: Any) -> None:
        self.stack.append(tuple(self._since_mark()))

    def _append(self, _: Any) -> None:
        self._extend(self._pop(1))

    def _appends(self, _: Any) -> None:
        self._extend(self._since_mark())

    def _extend(self, values: list[Any]) -> None:
        _of_type(self.stack[-1], list).extend(map(_finished, values))

    def _setitem(self, _: Any) -> None:
        self._set(self._pop(2))

    def _setitems(self, _: Any) -> None:
        self._set(self._since_mark())

    def _set(self, pairs: list[Any]) -> None:
        target = _of_type(self.stack[-1], dict)
        for key, value in zip(pairs[::2], pairs[1::2], strict=True):
            target[_key(key)] = _finished(value)

    def _global(self, argument: str) -> None:
        # Module and name are divided by a blank, and neither has one.
        self._name(argument.replace(" ", ".", 1))

    def _stack_global(self, _: Any) -> None:
        self._name(".".join(_of_type(part, str) for part in self._pop(2)))

    def _name(self, name: str) -> None:
        if name not in _KNOWN:
            raise Refused(brief(name))
        self.stack.append(_Name(name))

    def _binpersid(self, _: Any) -> None:
        (identity,) = self._pop(1)
        kind, name, key, _, count, *view = identity
        dtype = _DTYPES[_of_type(name, _Name).text.removeprefix("torch.")]
        if kind != "storage" or view not in ([], [None]):
            raise ValueError("a tensor of an unknown kind")
        found = self._storage(_of_type(key, str), _length(count), dtype.itemsize)
        self.stack.append(torch.frombuffer(found.numpy(), dtype=dtype) if count else torch.empty(0, dtype=dtype))

    def _reduce(self, _: Any) -> None:
        name, arguments = self._pop(2)
        name, arguments = _of_type(name, _Name).text, _of_type(arguments, tuple)
        if name in _TENSORS:
            value: Any = _tensor(*arguments)
        elif name in _ARRAYS:
            value = _Array()
        elif name == "torch._utils._rebuild_parameter":
            value = _of_type(arguments[0], Tensor)
        elif name == "torch.Size":
            value = _shape(arguments[0])
        elif name == "_codecs.encode":
            value = self._copied(_of_type(arguments[0], str)).encode("latin-1")
        elif name == "numpy.dtype":
            value = _Number(_of_type(arguments[0], str))
        elif name == "collections.OrderedDict":
            value = {_key(key): _finished(item) for key, item in self._copied(arguments[0] if arguments else ())}
        else:
            raise Refused(f"a call of {name}")
        self.stack.append(value)

    def _copied(self, value: Any) -> Any:
        """A value of which a copy is made; all copies together must not be many times what the file has."""
        self._left_to_copy -= len(value) if isinstance(value, str | bytes | list | tuple | dict) else 0
        if self._left_to_copy < 0:
            raise Refused("copies of copies")
        return value

    def _build(self, _: Any) -> None:
        """Attributes of what was built: an array's numbers count, and those of a dictionary are left out."""
        (state,) = self._pop(1)
        target = self.stack[-1]
        if isinstance(target, _Array):
            target.value = _array(*map(self._copied, state))
        elif isinstance(target, _Number):
            if state[1] not in ("<", "|") or any(state[2:5]):
                raise Refused("numbers that are not plain and little-endian")
        elif not isinstance(target, dict):
            raise Refused(f"a state of {type(target).__name__}")


def _tensor(storage: Any, start: Any, shape: Any, strides: Any, *rest: Any) -> Tensor:
    """A tensor, if the storage has all of its elements."""
    flat: Tensor = _of_type(storage, Tensor)
    if any(rest[2:]):  # After whether it has a gradient, and hooks.
        raise Refused("a tensor with more than numbers")
    shape, strides = _shape(shape), _shape(strides)
    if len(shape) != len(strides):
        raise ValueError(f"a tensor of {len(shape)} and {len(strides)} dimensions")
    count = math.prod(shape)
    last = _length(start) + sum((length - 1) * stride for length, stride in zip(shape, strides, strict=True))
    if count and (count > len(flat) or last >= len(flat)):
        raise ValueError(f"a tensor of {brief(count)} elements, of which {len(flat)} are there")
    if not count:
        return flat.new_empty(shape)
    return flat.as_strided(shape, strides, start)


def _array(_: Any, shape: Any, dtype: Any, fortran: Any, content: Any) -> Tensor:
    """A NumPy array as a tensor."""
    code = _of_type(dtype, _Number).code
    if code not in _CODES:
        raise Refused(f"an array of {brief(code)}")
    numbers = np.frombuffer(_of_type(content, bytes), f"<{code}")
    return torch.from_numpy(numbers.reshape(_shape(shape), order="F" if fortran else "C").copy())


def _finished(value: Any) -> Any:
    """What a value is outside of a pickle."""
    if isinstance(value, _Array) and value.value is not None:
        return value.value
    if isinstance(value, _Name | _Array | _Number | bytes):
        raise Refused(brief(value.text) if isinstance(value, _Name) else f"a value of type {type(value).__name__}")
    return value


def _shape(value: Any) -> tuple[int, ...]:
    if len(_of_type(value, tuple)) > _MOST_DIMENSIONS:
        raise ValueError(f"{len(value)} dimensions")
    return tuple(map(_length, value))


def _key(value: Any) -> str | int:
    if not isinstance(value, str | int):  # Python would go down into tuples within tuples until it crashes.
        raise Refused(f"a key of type {type(value).__name__}")
    return value


def _length(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < _MOST_LENGTH:
        raise ValueError(f"expected a length, got {brief(value)}")
    return value


def _of_type(value: Any, kind: type) -> Any:
    if not isinstance(value, kind):
        raise ValueError(f"a {type(value).__name__} where a {kind.__name__} should be")
    return value
