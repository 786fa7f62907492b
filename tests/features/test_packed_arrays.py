"""Arrays survive the way through a topic, and a topic's lies about them are refused."""

import zlib
from base64 import b64encode
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from features.packed_arrays import pack, unpack
from schemas.packed import PackedArray

arrays = st.sampled_from(["<u1", "<i2", "<i4", "<f4", "<f8", ">i4", ">f8"]).flatmap(
    lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0))
)


@settings(deadline=None)
@given(arrays)
def test_an_array_comes_back_as_it_was(array: NDArray[Any]) -> None:
    back = unpack(PackedArray.model_validate_json(pack(array).model_dump_json()))
    assert back.shape == array.shape
    assert back.dtype == array.dtype.newbyteorder("=")
    np.testing.assert_array_equal(back, array)
    back.fill(0)


def message(dtype: str, shape: list[int], data: bytes) -> PackedArray:
    return PackedArray.model_validate({"dtype": dtype, "shape": shape, "data": b64encode(data)})


@pytest.mark.parametrize(
    ("packed", "complaint"),
    [
        (message("i4", [3], zlib.compress(bytes(11))), "holds 11 bytes, the shape needs exactly 12"),
        (message("i4", [3], zlib.compress(bytes(13))), "holds more than 12"),
        (message("u1", [10], zlib.compress(bytes(50_000_000))), "holds more than 10"),
        (message("u1", [4], zlib.compress(bytes(4)) + b"x"), "exactly 4"),
        (message("u1", [4], zlib.compress(bytes(4))[:-2]), "exactly 4"),
        (message("u1", [4], b"abcd"), "not a zlib stream"),
        (message("f8", [1_000_000, 1_000_000, 1_000_000], zlib.compress(b"")), "are allowed"),
    ],
)
def test_bytes_that_are_not_the_declared_array_are_refused(packed: PackedArray, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        unpack(packed)


def test_a_type_that_messages_do_not_carry_is_refused() -> None:
    with pytest.raises(ValueError, match="type complex128 is not one of"):
        pack(np.zeros(2, np.complex128))
