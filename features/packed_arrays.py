"""Serialises numpy arrays to messages, and deserialises untrusted ones."""

import zlib
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from schemas.packed import PackedArray

DType = Literal["u1", "i2", "i4", "i8", "f4", "f8"]

LIMIT = 64 * 2**20
"""Most bytes of an unpacked array; a cohort's histogram has 13 thousand."""

FAST = 3
"""zlib's level. On a cohort's histogram level 6 takes six times as long, for 6 % of the bytes."""


def pack(array: NDArray[Any]) -> PackedArray:
    """An array of at most three dimensions as a message.

    Raises:
        ValueError: the array's type is not one that messages carry.
    """
    dtype = _dtype(array.dtype)
    plain = np.ascontiguousarray(array, dtype="<" + dtype)
    return PackedArray.model_construct(
        dtype=dtype, shape=list(array.shape), data=zlib.compress(plain.tobytes(), FAST)
    )


def unpack(packed: PackedArray) -> NDArray[Any]:
    """The array of a message, writable and in this machine's byte order.

    Raises:
        ValueError: the bytes do not match the declared type and shape.
    """
    needed = int(np.prod(packed.shape, dtype=object)) * np.dtype(packed.dtype).itemsize
    if needed > LIMIT:
        raise ValueError(
            f"packed array: shape {packed.shape} needs {needed} bytes, at most {LIMIT} are allowed"
        )
    plain = _inflate(packed.data, needed)
    array = np.frombuffer(plain, "<" + packed.dtype).reshape(packed.shape)
    return array.astype(packed.dtype)


def _dtype(dtype: np.dtype[Any]) -> DType:
    for supported in get_args(DType):
        if dtype.newbyteorder("=") == np.dtype(supported):
            name: DType = supported
            return name
    raise ValueError(f"packed array: type {dtype} is not one of {', '.join(get_args(DType))}")


def _inflate(data: bytes, needed: int) -> bytes:
    """Decompress exactly ``needed`` bytes; stops one byte later, as a guard against zip bombs."""
    inflater = zlib.decompressobj()
    try:
        plain = inflater.decompress(data, needed + 1)
    except zlib.error as error:
        raise ValueError(f"packed array: data is not a zlib stream ({error})") from error
    if len(plain) != needed or not inflater.eof or inflater.unused_data:
        size = f"more than {needed}" if len(plain) > needed else str(len(plain))
        raise ValueError(f"packed array: data holds {size} bytes, the shape needs exactly {needed}, no more")
    return plain
