"""The report's sentence, word for word."""

import pytest

from genlock.staleness.sentence import extension, sentence


def test_sentences_count_segments_and_scenes() -> None:
    assert (
        sentence(segments=12, scenes=3, kind="variant", name="clothed", filename="clothed_v1.png", used=1, expected=2)
        == "12 segments across 3 scenes used clothed_v1.png — you are on v2"
    )
    assert (
        sentence(segments=1, scenes=1, kind="lora", name="rain", filename="rain.safetensors", used=1, expected=3)
        == "1 segment in 1 scene used rain_v1 — you are on v3"
    )
    assert (
        sentence(
            segments=4, scenes=1, kind="variant", name="clothed", filename="x.jpeg", used=2, expected=1, pinned=True
        )
        == "4 segments in 1 scene used clothed_v2.jpeg — pinned to v1"
    )


def test_sentences_of_unmatched_files_and_chains() -> None:
    assert (
        sentence(segments=2, scenes=2, kind="lora", name="rain")
        == "2 segments across 2 scenes used rain in a form no version has"
    )
    assert sentence(segments=3, scenes=1) == "3 segments in 1 scene continue a take that was replaced"
    assert sentence(segments=1, scenes=1) == "1 segment in 1 scene continues a take that was replaced"


@pytest.mark.parametrize(
    ("kind", "filename", "shown"),
    [
        ("source_image", "portrait.png", ".png"),
        ("variant", "a.b.webp", ".webp"),
        ("audio", "wind.wav", ".wav"),
        ("video", "night.mov", ".mov"),
        ("lora", "rain.safetensors", ""),
        ("workflow", "walk.json", ""),
        ("variant", "no extension", ""),
        ("variant", ".png", ""),
        ("variant", "two\nlines.png\n", ""),
        ("variant", None, ""),
    ],
)
def test_only_kinds_known_by_their_files_show_an_extension(kind: str, filename: str | None, shown: str) -> None:
    assert extension(kind, filename) == shown
