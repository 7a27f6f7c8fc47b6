"""References: every valid name can be written and read back, and an invalid one is refused with the reason."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genlock.errors import GenlockError, Invalid
from genlock.model import Kind
from genlock.names import check_name
from genlock.sdk.references import (
    BAD_REFERENCE,
    AssetReference,
    Place,
    did_you_mean,
    parse_asset,
    parse_place,
    parse_scene,
    parse_segment,
)


def _is_name(text: str) -> bool:
    try:
        check_name(text)
    except ValueError:
        return False
    return True


slugs = st.from_regex(r"[a-z0-9](?:[a-z0-9._-]{0,98}[a-z0-9])?", fullmatch=True)
names = (
    st.text(st.characters(exclude_characters="/\\@:", exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1)
    .filter(_is_name)
    .map(check_name)
)
numbers = st.integers(1, 2**31 - 1)


@given(slugs, names, numbers)
def test_every_place_can_be_written_and_read_back(project: str, scene: str, number: int) -> None:
    whole = Place(project=project, scene=scene, segment=number)
    for place in (Place(project=project), Place(project=project, scene=scene), whole):
        assert parse_place(str(place)) == place
    assert parse_segment(str(whole)) == whole
    called = f"{project}/{scene}/walk {number}"
    assert parse_segment(called).segment == f"walk {number}"
    assert str(parse_segment(called)) == called
    assert parse_scene(f"{project}/{scene}").scene == scene


@given(st.sampled_from(Kind), names, st.none() | numbers)
def test_every_asset_can_be_written_and_read_back(kind: Kind, name: str, version: int | None) -> None:
    reference = AssetReference(kind=kind, name=name, version=version)
    assert parse_asset(str(reference)) == reference


@given(st.text(max_size=40))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    for parse in (parse_place, parse_scene, parse_segment, parse_asset):
        try:
            parsed = parse(text)
        except GenlockError as error:
            assert isinstance(error, Invalid)
            assert error.code == BAD_REFERENCE
            assert error.hint
        else:
            assert str(parsed) == text


@pytest.mark.parametrize(
    "text",
    [
        *("", "/", "Rooftop", "rooftop/", "rooftop//3", "rooftop/night/0", "rooftop/night/-1", "rooftop/night/3/4"),
        *(
            "rooftop/night/1e3",
            "rooftop/night/٣",
            "rooftop/night/03",
            "rooftop/ni@ght/3",
            f"rooftop/night/{2**31}",
            "r/n/",
        ),
    ],
)
def test_an_invalid_place_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        parse_place(text)


@pytest.mark.parametrize(
    "text",
    ["rain", "lora:", "lora:rain@", "lora:rain@0", "lora:rain@x", "lora:a/b", "lora:a@1@2", ":rain", "lora:rain@1 "],
)
def test_an_invalid_asset_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        parse_asset(text)


def test_a_mistyped_kind_is_suggested() -> None:
    with pytest.raises(Invalid) as refused:
        parse_asset("loras:rain")
    assert refused.value.hint == "Did you mean lora?"


def test_similar_names_are_suggested() -> None:
    assert did_you_mean("Roftop", ["rooftop", "cellar"]) == "Did you mean rooftop?"
    assert did_you_mean("rain", ["rain2", "rain1", "snow"]) in {
        "Did you mean rain2 or rain1?",
        "Did you mean rain1 or rain2?",
    }
    assert did_you_mean("zzz", ["rooftop"]) is None
    assert did_you_mean("x", []) is None
