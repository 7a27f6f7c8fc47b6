"""Identification of images, prompts, other files, and files that change while they are read."""

import io
import os
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from tests.library.identity.files import identified, picture, safetensors, tensor

from genlock.digest import digest_of
from genlock.errors import Conflict, Invalid, NotFound
from genlock.kinds import RULES, SAFE_MEDIA_TYPES, safe_media_type
from genlock.library import identify
from genlock.library.identify import Identifier, identify_file, identify_stamped
from genlock.library.pictures import MAX_PICTURE_BYTES
from genlock.library.readers import MAX_TEXT_BYTES
from genlock.library.stamps import SETTLED_NS, stamp_of
from genlock.model import Kind

PICTURES = [Kind.SOURCE_IMAGE, Kind.VARIANT]


@pytest.mark.parametrize("kind", PICTURES)
@pytest.mark.parametrize(
    ("format", "mode", "media_type"),
    [
        ("PNG", "RGB", "image/png"),
        ("PNG", "RGBA", "image/png"),
        ("PNG", "I;16", "image/png"),
        ("PNG", "1", "image/png"),
        ("JPEG", "RGB", "image/jpeg"),
        ("JPEG", "L", "image/jpeg"),
        ("JPEG", "CMYK", "image/jpeg"),
        ("WEBP", "RGB", "image/webp"),
    ],
)
def test_pictures_are_described_and_equal_by_their_bytes(kind: Kind, format: str, mode: str, media_type: str) -> None:
    content = picture(format, (48, 32), mode)
    identity = identified(content, kind, "clothed_v1.bin")
    assert identity.digest == identity.effective_digest == digest_of(content)
    assert identity.media_type == media_type
    assert identity.size_bytes == len(content)
    assert identity.details == {"width": 48, "height": 32, "format": format, "mode": mode, "frames": 1}


def test_a_picture_of_a_phone_is_a_jpeg() -> None:
    frames = [Image.new("RGB", (64, 48)), Image.new("RGB", (64, 48), "red")]
    out = io.BytesIO()
    frames[0].save(out, "MPO", save_all=True, append_images=frames[1:])
    identity = identified(out.getvalue(), Kind.SOURCE_IMAGE, "IMG_0001.JPG")
    assert (identity.media_type, identity.details["format"], identity.details["frames"]) == ("image/jpeg", "JPEG", 1)


def test_an_animated_picture_has_a_number_of_frames() -> None:
    out = io.BytesIO()
    frames = [Image.new("RGB", (8, 8), color) for color in ("red", "green", "blue")]
    frames[0].save(out, "WEBP", save_all=True, append_images=frames[1:])
    assert identified(out.getvalue(), Kind.VARIANT, "x.webp").details["frames"] == 3


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("length", [0.02, 0.3, 0.7, 0.99, -4, -1])
def test_a_truncated_picture_is_refused(format: str, length: float) -> None:
    content = picture(format, (300, 200))
    cut = content[: int(length) if length < 0 else int(len(content) * length)]
    with pytest.raises(Invalid, match=r"'clothed_v1\.png' is not a whole picture") as caught:
        identified(cut, Kind.VARIANT, "clothed_v1.png")
    assert caught.value.hint


@pytest.mark.parametrize(
    "content",
    [
        b"not a picture at all",
        picture("GIF"),
        picture("BMP"),
        b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        b"\x89PNG\r\n\x1a\n",
        safetensors({"a": tensor(0, 1)}, b"x"),
    ],
    ids=["text", "gif", "bmp", "svg", "signature", "weights"],
)
@pytest.mark.parametrize("kind", PICTURES)
def test_a_file_that_is_not_a_picture_is_refused(kind: Kind, content: bytes) -> None:
    with pytest.raises(Invalid, match=r"^'.+' is not a whole picture: (?!.*BytesIO)"):
        identified(content, kind, "clothed.png")


def png_of(width: int, height: int) -> bytes:
    """Return a PNG that announces a size and contains no pixels: the header of a decompression bomb."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return len(content).to_bytes(4, "big") + name + content + zlib.crc32(name + content).to_bytes(4, "big")

    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\x08\x02\0\0\0"
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(9))) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("width", "height"), [(8193, 8192), (10_000, 10_000), (20_000, 20_000), (2**31 - 1, 2**31 - 1)]
)
def test_a_decompression_bomb_is_refused_before_it_is_decompressed(width: int, height: int) -> None:
    with pytest.raises(Invalid) as caught:
        identified(png_of(width, height), Kind.VARIANT, "bomb.png")
    assert caught.value.code == "picture_too_large"
    assert caught.value.http_status == 413


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(["PNG", "JPEG", "WEBP"]), st.data())
def test_a_damaged_picture_has_another_digest_or_is_refused(format: str, data: st.DataObject) -> None:
    content = bytearray(picture(format))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        identity = identified(bytes(content), Kind.VARIANT, "clothed.png")
    except Invalid as error:
        assert error.hint
    else:
        assert identity.digest == digest_of(bytes(content))


def test_a_picture_over_the_limit_is_refused_while_it_is_read() -> None:
    identifier = Identifier(Kind.VARIANT, "huge.png")
    chunk = bytes(2**20)
    with pytest.raises(Invalid) as caught:
        for _ in range(MAX_PICTURE_BYTES // len(chunk) + 1):
            identifier.update(chunk)
    assert caught.value.http_status == 413


@pytest.mark.parametrize("kind", list(Kind))
def test_a_file_of_zero_bytes_is_refused_for_every_kind(kind: Kind) -> None:
    with pytest.raises(Invalid, match=r"'x\.dat' is empty") as caught:
        identified(b"", kind, "x.dat")
    assert caught.value.code == "empty_file"


@pytest.mark.parametrize("chunk_bytes", [1, 2, 3, 1000])
def test_a_prompt_is_text(chunk_bytes: int) -> None:
    text = "雨の中を歩く 🌧, cinematic\n"
    identity = identified(text.encode(), Kind.PROMPT, "walk.txt", chunk_bytes)
    assert identity.media_type == "text/plain; charset=utf-8"
    assert identity.details == {"characters": len(text)}
    assert identity.effective_digest == identity.digest


@pytest.mark.parametrize("content", [b"\xff\xfe", "é".encode()[:1], b"a\0b", "é".encode("latin-1") + b"t"])
def test_a_prompt_that_is_not_text_is_refused(content: bytes) -> None:
    with pytest.raises(Invalid, match=r"'walk\.txt'"):
        identified(content, Kind.PROMPT, "walk.txt")


def test_a_prompt_has_a_limit() -> None:
    with pytest.raises(Invalid) as caught:
        identified(b"a" * (MAX_TEXT_BYTES + 1), Kind.PROMPT, "walk.txt")
    assert caught.value.http_status == 413


@pytest.mark.parametrize(
    ("kind", "filename", "media_type"),
    [
        (Kind.AUDIO, "rain.WAV", "audio/wav"),
        (Kind.VIDEO, "walk.mp4", "video/mp4"),
        (Kind.VIDEO, "walk.html", "application/octet-stream"),
        (Kind.AUDIO, "rain", "application/octet-stream"),
        (Kind.OTHER, "walk.mp4", "application/octet-stream"),
        (Kind.OTHER, "page.html", "application/octet-stream"),
    ],
)
def test_other_files_are_bytes(kind: Kind, filename: str, media_type: str) -> None:
    identity = identified(b"anything", kind, filename)
    assert (identity.digest, identity.effective_digest) == (digest_of(b"anything"),) * 2
    assert (identity.media_type, identity.details) == (media_type, {})


def test_no_media_type_can_run_a_script() -> None:
    assert safe_media_type("image/png") == "image/png"
    for unsafe in ("text/html", "image/svg+xml", "application/xhtml+xml", "text/javascript", "application/pdf", ""):
        assert safe_media_type(unsafe) == "application/octet-stream"
    assert not any(word in media_type for media_type in SAFE_MEDIA_TYPES for word in ("html", "svg", "xml", "script"))


def test_sentences_contain_the_extension_of_pictures_videos_and_sounds() -> None:
    shown = {kind for kind in Kind if RULES[kind].in_sentences}
    assert shown == {Kind.SOURCE_IMAGE, Kind.VARIANT, Kind.AUDIO, Kind.VIDEO}
    assert set(RULES) == set(Kind)
    assert {kind for kind in Kind if not RULES[kind].has_own_equality} == {
        Kind.SOURCE_IMAGE, Kind.VARIANT, Kind.PROMPT, Kind.AUDIO, Kind.VIDEO,
    }  # fmt: skip


def test_control_characters_in_a_name_are_not_in_the_error() -> None:
    with pytest.raises(Invalid) as caught:
        identified(b"", Kind.LORA, "\x1b[2Jrain\n.safetensors")
    assert caught.value.message.startswith("'\ufffd[2Jrain\ufffd.safetensors'")


def test_a_file_is_identified_with_its_stamp(tmp_path: Path) -> None:
    path = tmp_path / "rain.safetensors"
    path.write_bytes(safetensors({"a": tensor(0, 3)}, b"abc"))
    stamp, identity = identify_stamped(path, Kind.LORA)
    assert stamp == stamp_of(path)
    assert identity == identify_file(path, Kind.LORA) == identified(path.read_bytes(), Kind.LORA, path.name)


def test_stamps_differ_between_files(tmp_path: Path) -> None:
    path = tmp_path / "rain.safetensors"
    path.write_bytes(b"one")
    first = stamp_of(path)
    assert stamp_of(path) == first
    (tmp_path / "beside").write_bytes(b"two")
    os.utime(tmp_path / "beside", ns=(first.mtime_ns, first.mtime_ns))
    (tmp_path / "beside").replace(path)
    assert stamp_of(path) != first, "a file of the same size and time was renamed over it"


def test_a_stamp_settles() -> None:
    stamp = stamp_of(Path(__file__))
    last = max(stamp.mtime_ns, stamp.ctime_ns)
    assert not stamp.is_settled(last + SETTLED_NS)
    assert stamp.is_settled(last + SETTLED_NS + 1)


class Meddling(Identifier):
    """An identifier that changes the file while it reads it."""

    meddle: list[bytes]
    path: Path

    def update(self, chunk: bytes | bytearray | memoryview) -> None:
        super().update(chunk)
        if self.meddle:
            self.path.write_bytes(self.meddle.pop())


@pytest.fixture
def meddling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> type[Meddling]:
    path = tmp_path / "rain.txt"
    path.write_bytes(b"first")
    monkeypatch.setattr(Meddling, "path", path, raising=False)
    monkeypatch.setattr(Meddling, "meddle", [], raising=False)
    monkeypatch.setattr(identify, "Identifier", Meddling)
    return Meddling


def test_a_file_that_changes_while_it_is_read_is_read_again(meddling: type[Meddling]) -> None:
    meddling.meddle = [b"and a third", b"a second"]
    stamp, identity = identify_stamped(meddling.path, Kind.PROMPT)
    assert identity.digest == digest_of(b"and a third")
    assert stamp == stamp_of(meddling.path)


def test_a_file_that_keeps_changing_is_refused(meddling: type[Meddling]) -> None:
    meddling.meddle = [bytes(97 + number for _ in range(number + 1)) for number in range(20)]
    with pytest.raises(Conflict, match="changed each of the") as caught:
        identify_file(meddling.path, Kind.PROMPT)
    assert caught.value.code == "file_keeps_changing"


def test_a_refusal_requires_that_the_file_did_not_change(meddling: type[Meddling]) -> None:
    meddling.path.write_bytes(b"half a character: \xc3")
    meddling.meddle = [b"now whole: \xc3\xa9"]
    assert identify_file(meddling.path, Kind.PROMPT).details == {"characters": 12}


def test_a_path_that_is_not_a_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(Invalid, match="not a regular file"):
            identify_file(path, Kind.OTHER)
    for path in (tmp_path / "missing", tmp_path / "pipe" / "below"):
        with pytest.raises(NotFound, match="no file"):
            identify_file(path, Kind.OTHER)
