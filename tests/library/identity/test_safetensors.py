"""safetensors: a digest of the bytes, an effective digest of header and data, and a clear refusal of invalid files."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save
from tests.library.identity.files import identified, safetensors, tensor

from genlock.blobs.disk import DiskStore
from genlock.digest import canonical, digest_of
from genlock.errors import Invalid
from genlock.library.identify import Identifier, identify_file
from genlock.library.safetensors_header import BITS, MAX_HEADER_BYTES, read_header
from genlock.model import Kind

DATA = bytes(range(12))
HEADER = {"b": tensor(0, 4, "F32", [1]), "a": tensor(4, 12, "F16", [2, 2])}


def test_the_effective_digest_is_of_the_canonical_header_and_the_data() -> None:
    identity = identified(
        safetensors({"__metadata__": {"title": "rain"}, **HEADER}, DATA), Kind.LORA, "rain.safetensors"
    )
    assert identity.digest == digest_of(safetensors({"__metadata__": {"title": "rain"}, **HEADER}, DATA))
    assert identity.effective_digest == digest_of(canonical(HEADER) + DATA)
    assert identity.details == {
        "format": "safetensors",
        "tensors": 2,
        "parameters": 5,
        "dtypes": {"F16": 1, "F32": 1},
        "metadata": {"title": "rain"},
    }


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), unique=True, max_size=8))
def test_the_canonical_header_is_rfc_8785(names: list[str]) -> None:
    header = {key: tensor(place, place + 1) for place, key in enumerate(names) if key != "__metadata__"}
    content = json.dumps({key: tensor(place, place + 1) for place, key in enumerate(header)}).encode()
    assert read_header(content, "x").canonical == canonical(json.loads(content))


def test_keys_are_in_the_order_of_their_utf_16() -> None:
    """As in RFC 8785, 3.2.3: U+1F600 comes before U+FB33, though its code point is larger."""
    content = json.dumps({"\ufb33": tensor(0, 1), "\U0001f600": tensor(1, 2)}).encode()
    assert read_header(content, "x").canonical == canonical(json.loads(content))
    assert read_header(content, "x").canonical.startswith('{"\U0001f600"'.encode())


def test_metadata_order_and_padding_change_only_the_digest() -> None:
    forms = [
        safetensors(HEADER, DATA),
        safetensors({**HEADER, "__metadata__": {}}, DATA),
        safetensors({**HEADER, "__metadata__": {"ss_tag_frequency": '{"rain": 3}'}}, DATA),
        safetensors(dict(reversed(HEADER.items())), DATA),
        safetensors(json.dumps(HEADER).encode() + b"    ", DATA),
        safetensors(json.dumps(HEADER, indent=2).encode(), DATA),
    ]
    identities = [identified(form, Kind.LORA, "rain.safetensors") for form in forms]
    assert len({identity.digest for identity in identities}) == len(forms)
    assert len({identity.effective_digest for identity in identities}) == 1


@pytest.mark.parametrize(
    ("header", "data"),
    [
        (HEADER, bytes(12)),
        ({"b": tensor(0, 4, "F32", [1]), "A": tensor(4, 12, "F16", [2, 2])}, DATA),
        ({"b": tensor(0, 4, "I32", [1]), "a": tensor(4, 12, "F16", [2, 2])}, DATA),
        ({"b": tensor(0, 4, "F32", [1]), "a": tensor(4, 12, "F16", [4])}, DATA),
        ({"a": tensor(0, 8, "F16", [2, 2]), "b": tensor(8, 12, "F32", [1])}, DATA),
    ],
    ids=["data", "name", "dtype", "shape", "places"],
)
def test_any_other_change_changes_both_digests(header: Any, data: bytes) -> None:
    original = identified(safetensors(HEADER, DATA), Kind.LORA, "rain.safetensors")
    changed = identified(safetensors(header, data), Kind.LORA, "rain.safetensors")
    assert original.digest != changed.digest
    assert original.effective_digest != changed.effective_digest


def test_files_of_the_reference_library_are_read(tmp_path: Path) -> None:
    path = tmp_path / "tiny.safetensors"
    tensors = {
        "half": np.zeros((3, 5), np.float16),
        "scalar": np.ones((), np.float64),
        "nothing": np.zeros((0, 7), np.float32),
        "flags": np.ones(9, np.bool_),
    }
    path.write_bytes(save(tensors, metadata={"format": "np"}))
    identity = identify_file(path, Kind.MODEL)
    assert identity.details["tensors"] == 4
    assert identity.details["parameters"] == 15 + 1 + 0 + 9
    path.write_bytes(save(tensors, metadata={"format": "np", "title": "other"}))
    again = identify_file(path, Kind.MODEL)
    assert again.digest != identity.digest
    assert again.effective_digest == identity.effective_digest


@pytest.mark.parametrize("names", ["lora_down.weight lora_up.weight", "lora_A.weight lora_B.weight"])
def test_the_ranks_of_a_lora_are_shown(names: str) -> None:
    down, up = names.split()
    header = {f"x.{down}": tensor(0, 8, shape=[4, 2]), f"x.{up}": tensor(8, 12, shape=[1, 4])}
    assert identified(safetensors(header, DATA), Kind.LORA, "x.safetensors").details["lora_ranks"] == [4]


def test_long_metadata_is_truncated_and_marked() -> None:
    metadata = {f"key {number:03}": "x" * 2000 for number in range(100)}
    details = identified(safetensors({"__metadata__": metadata, **HEADER}, DATA), Kind.LORA, "r.safetensors").details
    assert len(json.dumps(details)) < 40_000
    assert details["metadata_is_cut"] is True
    assert details["metadata"]["key 000"] == "x" * 399 + "…"


def test_metadata_that_no_database_stores_is_escaped() -> None:
    header = b'{"__metadata__": {"a\\u0000": "\\ud800\\u001b[31m"}}'
    details = identified(safetensors(header), Kind.LORA, "r.safetensors").details
    assert details["metadata"] == {"a\ufffd": "\ufffd\ufffd[31m"}


@pytest.mark.parametrize("chunk_bytes", [1, 7, 8, 9, 100, 131072, 2**20])
def test_the_size_of_the_chunks_does_not_matter(chunk_bytes: int) -> None:
    size = 500 if chunk_bytes < 100 else 600_000
    data = os.urandom(size)
    content = safetensors({"w": tensor(0, size)}, data)
    identity = identified(content, Kind.MODEL, "w.safetensors", chunk_bytes)
    assert identity.digest == digest_of(content)
    assert identity.effective_digest == digest_of(canonical({"w": tensor(0, size)}) + data)


def test_a_chunk_buffer_can_be_reused_at_once() -> None:
    size = 4 * 2**20
    data = os.urandom(size)
    head = safetensors({"w": tensor(0, size)})
    identifier = Identifier(Kind.MODEL, "w.safetensors")
    identifier.update(head)
    buffer = bytearray(2**20)
    for start in range(0, size, len(buffer)):
        buffer[:] = data[start : start + len(buffer)]
        identifier.update(memoryview(buffer))
        buffer[:] = bytes(len(buffer))
    assert identifier.finish().effective_digest == digest_of(canonical({"w": tensor(0, size)}) + data)


def deep(depth: int) -> bytes:
    return b'{"a":' + b"[" * depth + b"]" * depth + b"}"


HOSTILE: dict[str, tuple[bytes, str]] = {
    "header of 2^63 bytes": (safetensors(HEADER, DATA, length=2**63), "announces a header of 9,223,372,036,854"),
    "header of 2^64-1 bytes": (safetensors(HEADER, DATA, length=2**64 - 1), "announces a header"),
    "header over the limit": (safetensors(HEADER, DATA, length=MAX_HEADER_BYTES + 1), "announces a header"),
    "header of no bytes": (safetensors(HEADER, DATA, length=0), "does not begin with a header"),
    "header longer than the file": (safetensors(HEADER, b"", length=10_000), "ends before its header"),
    "seven bytes": (b"\x10\0\0\0\0\0\0", "ends before its header"),
    "overlapping offsets": (safetensors({"a": tensor(0, 8), "b": tensor(4, 12)}, DATA), "overlap"),
    "the same bytes twice": (safetensors({"a": tensor(0, 12), "b": tensor(0, 12)}, DATA), "overlap"),
    "a hole": (safetensors({"a": tensor(0, 4), "b": tensor(8, 12)}, DATA), "belong to no tensor"),
    "a hole at the start": (safetensors({"a": tensor(4, 12)}, DATA), "begins with 4 bytes"),
    "out of bounds": (safetensors({"a": tensor(0, 13)}, DATA), "1 bytes are missing"),
    "far out of bounds": (safetensors({"a": tensor(0, 2**50)}, DATA), "missing: it was cut off"),
    "cut off": (safetensors(HEADER, DATA[:-1]), "cut off"),
    "bytes behind": (safetensors(HEADER, DATA + b"x"), "bytes follow after the last tensor"),
    "shape too large": (safetensors({"a": tensor(0, 12, shape=[13])}, DATA), "does not fit"),
    "shape times dtype": (safetensors({"a": tensor(0, 12, "F32", [4])}, DATA), "does not fit"),
    "shape that overflows": (safetensors({"a": tensor(0, 0, shape=[2**52] * 32)}), "does not fit"),
    "endless shape": (safetensors({"a": tensor(0, 12, shape=[1] * 33)}, DATA), "the shape of"),
    "negative shape": (safetensors({"a": tensor(0, 12, shape=[-12])}, DATA), "the shape of"),
    "negative offset": (safetensors({"a": tensor(-1, 11, shape=[12])}, DATA), "data_offsets"),
    "backwards": (safetensors({"a": tensor(12, 0, shape=[12])}, DATA), "data_offsets"),
    "offset of a fraction": (safetensors({"a": tensor(0, 12) | {"data_offsets": [0.0, 12]}}, DATA), "data_offsets"),
    "offset of true": (safetensors({"a": tensor(0, 12) | {"data_offsets": [False, 12]}}, DATA), "data_offsets"),
    "three offsets": (safetensors({"a": tensor(0, 12) | {"data_offsets": [0, 6, 12]}}, DATA), "data_offsets"),
    "huge integer": (safetensors({"a": tensor(0, 12, shape=[10**400])}, DATA), "the shape of"),
    "integer of 5000 digits": (
        safetensors(b'{"a":{"dtype":"U8","shape":[%s],"data_offsets":[0,12]}}' % (b"9" * 5000), DATA),
        "not valid JSON",
    ),
    "unknown dtype": (safetensors({"a": tensor(0, 12, "Q4_K")}, DATA), "Q4_K"),
    "dtype of a list": (safetensors({"a": tensor(0, 12) | {"dtype": ["U8"]}}, DATA), "dtype"),
    "one field more": (safetensors({"a": tensor(0, 12) | {"x": 1}}, DATA), "exactly"),
    "one field less": (safetensors({"a": {"dtype": "U8", "shape": [12]}}, DATA), "exactly"),
    "tensor of a number": (safetensors({"a": 1}, DATA), "exactly"),
    "duplicate tensor": (
        safetensors(b'{"a":%s,"a":%s}' % ((json.dumps(tensor(0, 12)).encode(),) * 2), DATA),
        "'a' occurs twice",
    ),
    "duplicate field": (
        safetensors(b'{"a":{"dtype":"U8","dtype":"I8","shape":[12],"data_offsets":[0,12]}}', DATA),
        "'dtype' occurs twice",
    ),
    "duplicate metadata": (safetensors(b'{"__metadata__":{"a":"1","a":"2"}}'), "'a' occurs twice"),
    "metadata twice": (safetensors(b'{"__metadata__":{},"__metadata__":{}}'), "'__metadata__' occurs twice"),
    "metadata of numbers": (safetensors({"__metadata__": {"a": 1}}), "something other than text"),
    "metadata of a list": (safetensors({"__metadata__": []}), "__metadata__ is not an object"),
    "not UTF-8": (safetensors(b'{"\xff\xfe":1}'), "not UTF-8"),
    "half a surrogate": (
        safetensors(b'{"\\ud800":{"dtype":"U8","shape":[12],"data_offsets":[0,12]}}', DATA),
        "half a character",
    ),
    "NaN": (safetensors(b'{"a":{"dtype":"U8","shape":[NaN],"data_offsets":[0,12]}}', DATA), "NaN"),
    "infinity": (safetensors(b'{"a":{"dtype":"U8","shape":[1e999],"data_offsets":[0,12]}}', DATA), "too large"),
    "nested deeply": (safetensors(deep(100_000)), "nested too deeply"),
    "nested in width": (safetensors(b'{"a":[' + b"[]," * 700_000 + b"[]]}"), "brackets and commas"),
    "not JSON": (safetensors(b"{no json}"), "not valid JSON"),
    "two values": (safetensors(b"{}{}"), "not valid JSON"),
    "a list": (safetensors(b"[]"), "does not begin with a header"),
    "space before": (safetensors(b" {}"), "does not begin with a header"),
    "a pickle": (b"\x80\x02}q\x00." + bytes(100), "pickle"),
    "a checkpoint": (b"PK\x03\x04" + bytes(100), "PyTorch checkpoint"),
    "a web page": (b"<!DOCTYPE html><title>Sign in</title>", "web page"),
    "a pointer": (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"),
    "nothing": (b"", "empty"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_an_invalid_file_is_refused_and_not_stored(tmp_path: Path, case: str) -> None:
    content, reason = HOSTILE[case]
    store = DiskStore(tmp_path)
    identifier = Identifier(Kind.LORA, "rain.safetensors")
    with pytest.raises(Invalid) as caught, store.begin(identifier) as draft:
        for start in range(0, len(content), 65536):
            draft.write(content[start : start + 65536])
        identifier.finish()
        draft.commit()
    assert reason in caught.value.message
    assert "'rain.safetensors'" in caught.value.message
    assert caught.value.hint
    assert list(store.digests()) == []
    assert list((tmp_path / "incoming").iterdir()) == []


def test_too_many_bytes_are_refused_before_all_are_read() -> None:
    identifier = Identifier(Kind.LORA, "rain.safetensors")
    identifier.update(safetensors(HEADER, DATA))
    with pytest.raises(Invalid, match="bytes follow"):
        identifier.update(b"x")


@pytest.mark.parametrize("filename", ["rain", "rain.bin", "RAIN.SafeTensors", "rain.sft"])
@pytest.mark.parametrize("kind", [Kind.MODEL, Kind.LORA, Kind.VAE, Kind.TEXT_ENCODER, Kind.CONTROLNET, Kind.OTHER])
def test_the_content_decides_the_format_and_not_the_name(kind: Kind, filename: str) -> None:
    identity = identified(safetensors(HEADER, DATA), kind, filename)
    assert identity.effective_digest == digest_of(canonical(HEADER) + DATA)


@pytest.mark.parametrize(
    "content",
    [
        b"\x80\x02}q\x00.",
        b"PK\x03\x04" + bytes(100),
        b"GGUF" + bytes(100),
        b"x",
        safetensors(HEADER, DATA[:-1]),
        safetensors(HEADER, DATA + b"x"),
        safetensors(b"{no json}"),
        safetensors(HEADER, b"", length=10_000),
    ],
)
def test_other_formats_of_weights_are_bytes(content: bytes) -> None:
    identity = identified(content, Kind.MODEL, "model.ckpt")
    assert identity.effective_digest == identity.digest == digest_of(content)
    assert identity.details == {}


def test_a_pickle_is_never_loaded(tmp_path: Path) -> None:
    trap = tmp_path / "sprung"
    bomb = b"cposix\nsystem\n(S'touch " + str(trap).encode() + b"'\ntR."
    for filename in ("model.ckpt", "model.pt", "model.pth", "model.bin"):
        assert identified(bomb, Kind.MODEL, filename).digest == digest_of(bomb)
    assert not trap.exists()


def test_every_dtype_has_its_size() -> None:
    for dtype, bits in BITS.items():
        header = {"a": tensor(0, bits, dtype, [8])}
        assert identified(safetensors(header, bytes(bits)), Kind.MODEL, "a.safetensors").details["parameters"] == 8
        with pytest.raises(Invalid, match="does not fit"):
            identified(safetensors({"a": tensor(0, bits, dtype, [9])}, bytes(bits)), Kind.MODEL, "a.safetensors")


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_damaged_byte_is_refused_or_changes_the_digest(data: st.DataObject) -> None:
    """One changed byte anywhere: refused with a reason, or another digest; never another kind of error."""
    whole = safetensors({"__metadata__": {"a": "b"}, **HEADER}, DATA)
    place = data.draw(st.integers(0, len(whole) - 1))
    damaged = bytearray(whole)
    damaged[place] ^= data.draw(st.integers(1, 255))
    original = identified(whole, Kind.LORA, "rain.safetensors")
    try:
        identity = identified(bytes(damaged), Kind.LORA, "rain.safetensors")
    except Invalid as error:
        assert error.hint
        return
    assert identity.digest != original.digest
    assert identity.digest == "sha256:" + hashlib.sha256(damaged).hexdigest()
