"""Metadata embedded in files: every encoding is read, and hostile files are refused by name."""

import json
import struct
import time
import zlib
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from tests.capture.corpus.cases import image_to_video
from tests.capture.files import apng, comfyui_tags, frames, png, save, video

from genlock.capture.metadata.embedded import Embedded, read_embedded
from genlock.capture.metadata.tags import MAX_TEXT_BYTES, tags_of
from genlock.capture.metadata.webui_text import read_webui_text
from genlock.errors import Invalid

GRAPH = image_to_video()
TEXT = (
    "she walks <lora:rain:0.8>, film grain\nNegative prompt: blurry, low quality\n"
    "Steps: 20, Sampler: Euler a, Schedule type: Karras, CFG scale: 7.5, Seed: 42, Size: 512x768, "
    "Model hash: 31E35C80FC, Model: sd_xl_base_1.0, Denoising strength: 0.4, Version: v1.10.1"
)


def _read(path: Path) -> Embedded:
    return read_embedded(tags_of(path, path.name), path.name)


@pytest.mark.parametrize("extension", ["png", "apng", "webp", "mp4", "mov", "webm", "mkv"])
def test_the_graph_is_found_in_every_container(tmp_path: Path, extension: str) -> None:
    """As ComfyUI writes it: text chunks, EXIF with a prefix, tags, tags in upper case."""
    assert _read(save(tmp_path / f"walk.{extension}", GRAPH)).graph == GRAPH


@pytest.mark.parametrize("before", [False, True])
def test_the_graph_is_found_in_an_animated_png(tmp_path: Path, before: bool) -> None:
    assert _read(apng(tmp_path / "walk.png", comfyui_tags(GRAPH), before=before)).graph == GRAPH


@pytest.mark.parametrize(("packed", "international"), [(True, False), (False, True), (True, True)])
def test_every_kind_of_text_chunk_is_read(tmp_path: Path, packed: bool, international: bool) -> None:
    """Other programs compress their texts, or write them as UTF-8."""
    graph = image_to_video(n5={"class_type": "CLIPTextEncode", "inputs": {"clip": ["4", 0], "text": "雨の中"}})
    path = png(tmp_path / "a.png", comfyui_tags(graph), packed=packed, international=international)
    assert _read(path).graph == graph


@pytest.mark.parametrize("extension", ["mp4", "mov", "webm", "mkv"])
@pytest.mark.parametrize("as_text", [True, False])
def test_the_graph_in_the_comment_of_another_saver_is_read(tmp_path: Path, extension: str, as_text: bool) -> None:
    """One tag holds everything; the graph in it is either encoded as text again, or not."""
    inner: Any = json.dumps(GRAPH) if as_text else GRAPH
    tags = {"comment": json.dumps({"prompt": inner, "workflow": {"nodes": []}, "CreationTime": "2025-01-01"})}
    assert _read(video(tmp_path / f"walk.{extension}", tags)).graph == GRAPH


def test_fingerprints_are_removed_from_the_graph_and_those_of_files_returned() -> None:
    """LoadImage's is the SHA-256 of the image; a video loader's looks like one but hashes a name and a time."""
    graph = image_to_video(n14={"class_type": "VHS_LoadVideo", "inputs": {"video": "walk.mp4"}})
    marked = {key: dict(node) for key, node in graph.items()}
    marked["8"]["is_changed"] = ["ab" * 32]
    marked["14"]["is_changed"] = ["cd" * 32]
    marked["10"]["is_changed"] = [float("nan")]
    embedded = read_embedded({"prompt": json.dumps(marked)}, "walk.png")
    assert embedded.graph == graph, "what was submitted"
    assert [(file.node, file.input, file.name, file.digest) for file in embedded.files] == [
        ("8", "image", "start.png", "sha256:" + "ab" * 32)
    ]


def test_a_prompt_in_words_is_not_a_graph() -> None:
    """Some programs store the words of the prompt under that name."""
    assert read_embedded({"prompt": "she walks"}, "a.png") == Embedded()


def test_an_editors_workflow_is_not_a_graph_and_the_reason_names_it() -> None:
    """It leaves out what the server ran, so it proves nothing."""
    embedded = read_embedded({"workflow": json.dumps({"nodes": []})}, "a.png")
    assert embedded.graph is None and embedded.without_graph and "editor" in embedded.without_graph


# web interfaces ----------------------------------------------------------------------------------


def test_the_text_of_a_web_interface_is_read(tmp_path: Path) -> None:
    """Parameters in a receipt's terms, the model with the digits of its hash, LoRAs from the prompt."""
    embedded = _read(png(tmp_path / "a.png", {"parameters": TEXT}))
    assert embedded.graph is None and embedded.text == TEXT
    parsed = read_webui_text(embedded.text)
    assert parsed is not None
    assert parsed.parameters == {
        "prompt": "she walks <lora:rain:0.8>, film grain",
        "negative_prompt": "blurry, low quality",
        "sampler": "Euler a",
        "scheduler": "Karras",
        "seed": "42",
        "steps": 20,
        "cfg": 7.5,
        "denoise": 0.4,
        "width": 512,
        "height": 768,
    }
    assert [(file.role, file.name, file.digest_prefix, file.strength_model) for file in parsed.used] == [
        ("model", "sd_xl_base_1.0", "31e35c80fc", None),
        ("lora", "rain", None, 0.8),
    ]
    assert parsed.version == "v1.10.1"


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_the_text_of_images_without_chunks_is_read_from_exif(tmp_path: Path, encoding: str) -> None:
    """A WEBP has it as the user's comment, in UTF-16 of either byte order."""
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9286] = b"UNICODE\0" + TEXT.encode(encoding)
    path = tmp_path / "a.webp"
    Image.fromarray(frames(1, 1)[0]).save(path, "WEBP", exif=exif)
    assert _read(path).text == TEXT


@pytest.mark.parametrize("text", ["", "she walks", "Steps: 20, Sampler: x", "Steps: 1, " * 1000])
def test_other_texts_are_not_read_as_parameters(text: str) -> None:
    """No parameters are better than wrong ones."""
    assert read_webui_text(text) is None


# hostile ------------------------------------------------------------------------------------------


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _hostile_png(path: Path, *chunks: bytes) -> Path:
    plain = png(path, {}).read_bytes()
    path.write_bytes(plain[:33] + b"".join(chunks) + plain[33:])  # after the header
    return path


def test_a_text_that_decompresses_to_gigabytes_is_refused(tmp_path: Path) -> None:
    """Decompression stops at the limit."""
    bomb = zlib.compress(b"0" * (MAX_TEXT_BYTES + 1), 9)
    path = _hostile_png(tmp_path / "bomb.png", _chunk(b"zTXt", b"prompt\0\0" + bomb))
    with pytest.raises(Invalid, match=r"'bomb\.png' contains more than 16 MiB"):
        _read(path)


def test_texts_that_are_too_large_together_are_refused(tmp_path: Path) -> None:
    """Each is within the limit, but their sum is not."""
    text = b"0" * (MAX_TEXT_BYTES // 2)
    path = _hostile_png(tmp_path / "many.png", *(_chunk(b"tEXt", b"a%d\0" % n + text) for n in range(3)))
    with pytest.raises(Invalid, match="contains more than 16 MiB"):
        _read(path)


def test_a_chunk_with_a_false_length_is_ignored(tmp_path: Path) -> None:
    """Nothing is read past the end of a file."""
    path = png(tmp_path / "a.png", {})
    path.write_bytes(path.read_bytes()[:33] + struct.pack(">I", 2**31 - 1) + b"IDAT" + b"short")
    assert tags_of(path, "a.png") == {}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{" + '"a":{' * 100_000, "nested too deeply|brackets"),
        ('{"1": {"class_type": "A", "class_type": "B", "inputs": {}}}', "twice"),
        ('{"1": {"class_type": "A", "inputs": {"x": 1e999}}}', "too large"),
        ('{"1": {"class_type": "A", "inputs": {"x": NaN}}}', "NaN"),
        ('{"1": {"class_type": "A", "inputs": {"x": "\\ud800"}}}', "half a character"),
        ('{"1": {"class_type": "A", "inputs": {"\\udfff": 1}}}', "half a character"),
        ("{not json}", "not valid JSON"),
        ('{"1": ' + "[" * 700_000, "brackets"),
        (json.dumps({str(n): {"class_type": "A" * 2000, "inputs": {}} for n in range(5000)}), "larger than 8 MiB"),
    ],
    ids=["deep", "twice", "infinite", "nan", "half", "half a key", "broken", "wide", "huge"],
)
def test_a_hostile_graph_is_refused_by_name(text: str, why: str) -> None:
    """The message names the file and what is wrong with it."""
    with pytest.raises(Invalid, match=why) as refused:
        read_embedded({"prompt": text}, "walk.png")
    assert "walk.png" in refused.value.message and refused.value.hint


def test_bytes_that_are_not_utf8_do_no_harm(tmp_path: Path) -> None:
    """They are read as Latin-1, and then are not a graph."""
    path = _hostile_png(tmp_path / "a.png", _chunk(b"tEXt", b"prompt\0" + bytes(range(256))))
    assert _read(path) == Embedded()


def _webp_with_exif(path: Path, exif: bytes) -> Path:
    Image.fromarray(frames(1, 1)[0]).save(path, "WEBP")
    body = path.read_bytes()[12:] + b"EXIF" + struct.pack("<I", len(exif)) + exif
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body)
    return path


@pytest.mark.parametrize("exif", [b"II*\0" + b"\xff" * 40, b"MM\0*\0\0\0\x08\xff\xff" + b"\0" * 30, b"II*\0", b"junk"])
def test_exif_with_offsets_outside_of_its_block_is_ignored(tmp_path: Path, exif: bytes) -> None:
    """Offsets outside of the block are not followed."""
    assert tags_of(_webp_with_exif(tmp_path / "a.webp", exif), "a.webp") == {}


@pytest.mark.parametrize("is_nested", [False, True], ids=["first directory", "second directory"])
def test_many_exif_entries_over_the_same_bytes_are_read_quickly(tmp_path: Path, is_nested: bool) -> None:
    """65,535 entries that share one slice of 8 MiB would be 512 GiB of text."""
    size, count = 8 * 2**20, 65_535
    directory_at = 8 + (18 if is_nested else 0)
    slice_at = directory_at + 2 + 12 * count + 4
    entries = b"".join(struct.pack("<HHII", 0x9286 if n % 2 else n, 2, size, slice_at) for n in range(count))
    first = struct.pack("<HHHIII", 1, 0x8769, 4, 1, directory_at, 0) if is_nested else b""
    directory = struct.pack("<H", count) + entries + bytes(4)
    path = _webp_with_exif(tmp_path / "a.webp", b"II*\0\x08\0\0\0" + first + directory + b"x" * size)
    started_s = time.process_time()
    tags_of(path, "a.webp")
    assert time.process_time() - started_s < 20  # of CPU; text of that length would take minutes
