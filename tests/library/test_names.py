"""Names: one form for what looks the same, nothing that cannot be seen, and a name for any file."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genlock.model import InputRole
from genlock.names import MAX_NAME, check_name, name_from, normalise_name
from genlock.sdk.references import parse_asset, parse_segment
from genlock.takes.claim import ClaimInput

INVISIBLE = "\u00ad\u034f\u115f\u180e\u200b\u200e\u200f\u2060\u2064\u206a\u2800\u3164\ufe0f\ufeff\uffa0\U000e0041"
BLANKS = " \u00a0\u2003\u3000"
ORDINARY = [
    "été",
    "夜の屋上",
    "مشهد ليلي",
    "می\u200cخواهم",
    "क्\u200dष",
    "❤\ufe0f\u200d🔥",
    "a b",
    "O’Neil (2)",
    ".hidden",
]


@pytest.mark.parametrize("character", INVISIBLE, ids=lambda character: f"U+{ord(character):04X}")
@pytest.mark.parametrize("pattern", ["{}", "rain{}", "{}rain", "ra{}in"])
def test_what_cannot_be_seen_is_refused(character: str, pattern: str) -> None:
    with pytest.raises(ValueError, match=r"invisible character U\+|cannot be blank"):
        check_name(pattern.format(character))


@pytest.mark.parametrize("joiner", ["\u200c", "\u200d"])
@pytest.mark.parametrize("pattern", ["{}", "rain{}", "{}می", "ra{}in", "می{}", "می{0}{0}خواهم"])
def test_joiners_are_refused_where_they_join_nothing(joiner: str, pattern: str) -> None:
    with pytest.raises(ValueError, match=r"invisible character U\+200"):
        check_name(pattern.format(joiner))


@pytest.mark.parametrize("blank", BLANKS, ids=lambda blank: f"U+{ord(blank):04X}")
@pytest.mark.parametrize("pattern", ["{}rain", "rain{}", "{}"])
def test_blanks_at_the_ends_are_refused(blank: str, pattern: str) -> None:
    with pytest.raises(ValueError, match="blank"):
        check_name(pattern.format(blank))


@pytest.mark.parametrize("name", ORDINARY)
def test_ordinary_names_of_any_script_are_unchanged(name: str) -> None:
    assert check_name(name) == name


def test_two_spellings_of_a_name_are_one_name() -> None:
    decomposed = unicodedata.normalize("NFD", "été")
    assert decomposed != "été"
    assert check_name(decomposed) == "été"
    assert parse_asset(f"lora:{decomposed}@2").name == "été"
    assert parse_segment(f"film/{decomposed}/{decomposed}").segment == "été"
    assert ClaimInput(role=InputRole.LORA, asset=f"lora:{decomposed}").asset == "lora:été"


@given(st.text())
def test_a_valid_name_is_normalised_and_stays_valid(text: str) -> None:
    try:
        name = check_name(text)
    except ValueError:
        return
    assert name == normalise_name(text) == check_name(name)


ANY_TEXT = st.text(st.sampled_from(f"{INVISIBLE}{BLANKS}\u200c\u200de\u0301.a/:م")) | st.text(max_size=2 * MAX_NAME)


@given(ANY_TEXT, st.sampled_from(["", " (wan)", " (wan) 2"]))
def test_a_name_made_from_any_text_is_valid(text: str, suffix: str) -> None:
    name = name_from(text, suffix)
    assert name == "" or check_name(name) == name
    assert name.endswith(suffix.strip())


def test_a_name_made_from_a_valid_name_is_that_name() -> None:
    for name in (*ORDINARY, "x" * MAX_NAME):
        assert name_from(name) == name
