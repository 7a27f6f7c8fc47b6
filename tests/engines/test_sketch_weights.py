"""Weights: files that are not sketch models or LoRAs are refused, with the tensor."""

import json
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from safetensors.numpy import save
from tests.engines.studio import SketchStudio

from genlock.engines.sketch.engine import MAX_INPUT_BYTES
from genlock.engines.sketch.weights import SHAPES, read_lora, read_model
from genlock.errors import GenlockError, Invalid

Tensors = dict[str, NDArray[Any]]


def model(**changes: NDArray[Any] | None) -> bytes:
    tensors: Tensors = {name: np.full(shape, 0.5, dtype=np.float32) for name, shape in SHAPES.items()}
    for name, tensor in changes.items():
        if tensor is None:
            del tensors[name]
        else:
            tensors[name] = tensor
    return save(tensors)


def lora(**changes: NDArray[Any] | None) -> bytes:
    tensors: Tensors = {
        "mid.lora_A.weight": np.ones((4, 144), dtype=np.float32),
        "mid.lora_B.weight": np.ones((16, 4), dtype=np.float32),
    }
    for name, tensor in changes.items():
        if tensor is None:
            del tensors[name]
        else:
            tensors[name] = tensor
    return save(tensors)


def holding(value: float, *shape: int) -> NDArray[np.float32]:
    tensor = np.zeros(shape, dtype=np.float32)
    tensor.flat[-1] = value
    return tensor


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mid.weight": None}, "'mid.weight' is missing"),
        ({"mid.weight": np.zeros((16, 16, 3), dtype=np.float32)}, r"'mid.weight' of tiny has the shape \[16, 16, 3\]"),
        ({"mid.weight": np.zeros((16, 16, 5, 5), dtype=np.float32)}, "'mid.weight'"),
        ({"mid.bias": np.zeros((0,), dtype=np.float32)}, "'mid.bias'"),
        ({"mid.bias": np.zeros((16,), dtype=np.float64)}, "'mid.bias' of tiny holds float64"),
        ({"mid.bias": np.zeros((16,), dtype=np.int32)}, "'mid.bias' of tiny holds int32"),
        ({"out.weight": holding(float("nan"), 8, 16, 3, 3)}, "'out.weight' of tiny holds NaN"),
        ({"out.weight": holding(float("-inf"), 8, 16, 3, 3)}, "'out.weight' of tiny holds NaN or infinity"),
        ({"out.weight": holding(8.5, 8, 16, 3, 3)}, "'out.weight' of tiny holds values beyond"),
        ({"extra.weight": np.zeros((1,), dtype=np.float32)}, "'extra.weight'"),
    ],
)
def test_a_file_that_is_not_a_model_is_refused_with_the_tensor(changes: Tensors, message: str) -> None:
    assert read_model(model(), "tiny").tensors["mid.bias"].tolist() == [0.5] * 16
    with pytest.raises(Invalid, match=message) as refused:
        read_model(model(**changes), "tiny")
    assert refused.value.hint


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mid.lora_A.weight": None}, "'mid.lora_A.weight' of rain is missing"),
        ({"mid.lora_B.weight": None}, "'mid.lora_B.weight' of rain is missing"),
        ({"mid.lora_A.weight": np.zeros((4, 143), dtype=np.float32)}, "'mid.lora_A.weight'"),
        ({"mid.lora_A.weight": np.zeros((144,), dtype=np.float32)}, "'mid.lora_A.weight'"),
        ({"mid.lora_A.weight": np.zeros((65, 144), dtype=np.float32)}, "rank|'mid.lora_A.weight'"),
        ({"mid.lora_A.weight": np.zeros((0, 144), dtype=np.float32)}, "'mid.lora_A.weight'"),
        ({"mid.lora_B.weight": np.zeros((16, 3), dtype=np.float32)}, "'mid.lora_B.weight'"),
        ({"mid.lora_B.weight": holding(float("nan"), 16, 4)}, "'mid.lora_B.weight' of rain holds NaN"),
        ({"mid.lora_B.weight": holding(1e30, 16, 4)}, "'mid.lora_B.weight' of rain multiply"),
        ({"mid.alpha": np.zeros((2,), dtype=np.float32)}, "'mid.alpha'"),
        ({"mid.alpha": np.full((), np.inf, dtype=np.float32)}, "'mid.alpha' of rain holds NaN or infinity"),
        ({"mid.lora_C.weight": np.zeros((1,), dtype=np.float32)}, "'mid.lora_C.weight' belongs to no layer"),
        ({"lora_unet_down.weight": np.zeros((1,), dtype=np.float32)}, "'lora_unet_down.weight' belongs to no layer"),
        ({"mid.lora_A.weight": None, "mid.lora_B.weight": None}, "no tensor"),
    ],
)
def test_a_file_that_is_not_a_lora_is_refused_with_the_tensor(changes: Tensors, message: str) -> None:
    with pytest.raises(Invalid, match=message) as refused:
        read_lora(lora(**changes), "rain")
    assert refused.value.hint


def test_alpha_scales_a_lora() -> None:
    full, half = read_lora(lora(), "rain"), read_lora(lora(**{"mid.alpha": np.full((), 2, dtype=np.float32)}), "rain")
    assert full[0].change.shape == SHAPES["mid.weight"]
    assert np.array_equal(full[0].change, 2 * half[0].change)


def with_header(header: Any, body: bytes = b"") -> bytes:
    written = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(written)) + written + body


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"1234567",
        struct.pack("<Q", 2**63),
        struct.pack("<Q", 2**63) + b"{}",
        struct.pack("<Q", 100) + b"{}",
        with_header(b"not json"),
        with_header([]),
        with_header({"a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 8]}}, bytes(8)),
        with_header({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}, bytes(4)),
        with_header({"a": {"dtype": "F32", "shape": [2**40, 2**40], "data_offsets": [0, 8]}}, bytes(8)),
        with_header({"a": {"dtype": "BF16", "shape": [4], "data_offsets": [0, 8]}}, bytes(8)),
        with_header({"a": {"dtype": "F99", "shape": [2], "data_offsets": [0, 8]}}, bytes(8)),
        with_header(
            {
                "a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]},
                "b": {"dtype": "F32", "shape": [2], "data_offsets": [4, 12]},
            },
            bytes(12),
        ),
        b"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00\x8c\x02os\x8c\x06system\x93.",
    ],
)
def test_a_hostile_file_is_refused(content: bytes) -> None:
    with pytest.raises(Invalid, match="odd file"):
        read_model(content, "odd file")
    with pytest.raises(Invalid, match="odd file"):
        read_lora(content, "odd file")


@settings(max_examples=100, deadline=None)
@given(changes=st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), min_size=1, max_size=8))
def test_a_damaged_file_is_read_or_refused_without_other_errors(changes: list[tuple[int, int]]) -> None:
    content = bytearray(model())
    for place, value in changes:
        content[place] = value
    try:
        assert np.isfinite(read_model(bytes(content), "damaged").tensors["mid.weight"]).all()
    except GenlockError as refused:
        assert refused.hint


async def test_a_file_for_a_large_engine_is_refused_before_it_is_read(sketch: SketchStudio) -> None:
    large = sketch.outputs.parent / "large.safetensors"
    with large.open("wb") as file:
        file.truncate(MAX_INPUT_BYTES + 1)
    with pytest.raises(Invalid, match="more than") as refused:
        await sketch.render(model=large)
    assert refused.value.http_status == 413
