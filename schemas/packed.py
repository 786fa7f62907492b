"""A numpy array as a message's field."""

from typing import Annotated, Literal

from pydantic import Base64Bytes, Field

from schemas.fields import Message


class PackedArray(Message):
    """A numpy array: zlib-compressed little-endian C-order bytes, in base64."""

    dtype: Literal["u1", "i2", "i4", "i8", "f4", "f8"]
    shape: Annotated[list[Annotated[int, Field(ge=0, le=1_000_000)]], Field(max_length=3)]
    data: Base64Bytes
