"""Commands for files, tokens, the timeline and receipts."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.cli.conftest import Run, in_process, render

from genlock.cli.formatting import many, seconds_word, size_word
from genlock.cli.inputs import parse_input, parse_setting
from genlock.cli.library import asset_name
from genlock.errors import Invalid


def test_the_timeline_is_edited(genlock: Run, slug: str) -> None:
    assert genlock("project", "add", slug).out == f"Project {slug} is created.\n"
    assert genlock("project", "add", slug).code == 1
    assert genlock("scene", "add", slug, "night").out == f"Scene {slug}/night is created.\n"
    assert genlock("scene", "add", f"{slug}/day").out == f"Scene {slug}/day is created.\n"
    assert genlock("scene", "add", slug).code == 1
    assert genlock("segment", "add", f"{slug}/night", "-n", "3").out == f"3 segments created in {slug}/night: 1 to 3.\n"
    assert genlock("segment", "add", f"{slug}/night", "--position", "2", "--no-chained").out.endswith(": 2.\n")
    changed = genlock("segment", "change", f"{slug}/night/2", "--to", "1", "--name", "opening", "--chained")
    assert changed.out == "opening: position 1, continues the previous segment.\n"
    listed = genlock("segment", "list", slug, "--name", "open")
    assert listed.out.count("○ empty") == 1
    archived = genlock("segment", "archive", f"{slug}/night/1", "--json").document
    assert genlock("segment", "restore", str(archived["id"])).out == "opening is restored at position 1.\n"
    assert genlock("scene", "rename", f"{slug}/night", "dusk").code == 0
    assert genlock("scene", "archive", f"{slug}/dusk").code == 0
    assert "dusk" in genlock("scene", "list", slug, "--archived").out
    assert genlock("scene", "restore", f"{slug}/dusk").code == 0
    assert genlock("project", "rename", slug, "Above").code == 0
    assert "Above" in genlock("project", "show", slug).out
    assert genlock("project", "archive", slug).code == 0
    assert slug in genlock("project", "list", "--archived").out
    assert slug not in genlock("project", "list").out
    assert genlock("project", "restore", slug).code == 0


def test_assets_are_added_and_shown(genlock: Run, film: str, samples: Path, tmp_path: Path) -> None:
    mine = ("--project", film)
    assert "lora:rain" in genlock("asset", "list", "--kind", "lora", *mine).out
    assert "lora:rain" not in genlock("asset", "list", "walk", *mine).out
    several = [str(samples / name) for name in ("glow_v1.safetensors", "glow_v2.safetensors", "grain_v1.safetensors")]
    added = genlock("asset", "add", *several, "--kind", "lora", *mine)
    assert [line.split()[0] for line in added.out.splitlines()] == ["lora:glow@1", "lora:glow@2", "lora:grain@1"]
    shown = genlock("asset", "show", "lora:glow", *mine)
    assert "glow_v2.safetensors" in shown.out
    written = genlock("asset", "download", "lora:glow@1", str(tmp_path), *mine)
    assert written.code == 0
    assert (tmp_path / "glow_v1.safetensors").read_bytes() == (samples / "glow_v1.safetensors").read_bytes()
    assert genlock("asset", "rename", "lora:glow", "shine", *mine).code == 0
    assert genlock("asset", "archive", "lora:shine", *mine).code == 0
    assert "lora:shine" in genlock("asset", "list", "--archived", *mine).out
    assert genlock("asset", "restore", "lora:shine", *mine).code == 0
    (tmp_path / "cut.safetensors").write_bytes(b"\x00" * 9)
    for path in (tmp_path / "cut.safetensors", tmp_path / "missing.safetensors", tmp_path):
        refused = genlock("asset", "add", str(path), "--kind", "lora", "--name", "cut", *mine)
        assert (refused.code, refused.out, "Hint:" in refused.err) == (1, "", True)
    assert genlock("asset", "list", "cut", *mine).out.strip() == "None."
    for name in ("../up", "a\nb", "x" * 201, "a:b"):
        refused = genlock("asset", "add", several[0], "--kind", "lora", "--name", name, *mine)
        assert (refused.code, "name" in refused.err) == (1, True), refused.err


@pytest.mark.parametrize(
    ("file", "name"),
    [
        *(("rain_v2.safetensors", "rain"), ("rain.safetensors", "rain"), ("_v2.png", "_v2")),
        *(("a_v1_v2.png", "a_v1"), ("a_vx.png", "a_vx"), ("夜_v10.png", "夜")),
    ],
)
def test_an_asset_name_comes_from_its_file(file: str, name: str) -> None:
    assert asset_name(Path("folder") / file) == name


def test_tokens_are_created_and_revoked(genlock: Run) -> None:
    created = genlock("token", "add", "ana", "--role", "viewer", "--json").document
    shown = genlock("token", "list").out
    assert "ana" in shown
    assert created["secret"] not in shown
    assert genlock("project", "list", "--token", created["secret"]).code == 0
    refused = genlock("project", "add", "nope", "--token", created["secret"])
    assert (refused.code, "role" in refused.err) == (1, True)
    assert genlock("token", "revoke", str(created["id"])).out == "The token of ana is revoked.\n"
    assert genlock("project", "list", "--token", created["secret"]).code == 1
    assert "not shown again" in genlock("token", "add", "ben").out


def test_receipts_are_verified_without_a_server(genlock: Run, film: str, samples: Path, tmp_path: Path) -> None:
    assert render(genlock, f"{film}/night").code == 0
    take = genlock("provenance", f"{film}/night/1", "--json").document["take"]
    saved = tmp_path / "receipt.json"
    saved_receipt = genlock("receipt", str(take["receipt_id"]), "--save", str(saved), "--json").document
    files = [str(samples / name) for name in ("clothed_v1.png", "tiny_v1.safetensors", "walk_v1.json")]
    checked = in_process({}, ("verify", str(saved), *files, "--digest", saved_receipt["receipt_digest"], "--json"))
    assert checked.code == 0, checked.out
    receipt = genlock("receipt", str(take["receipt_id"]), "--json").document
    assert checked.document["inputs_digest"] == receipt["inputs_digest"]
    assert checked.document["receipt_digest"] == receipt["receipt_digest"] == saved_receipt["receipt_digest"]
    assert [finding["detail"] for finding in checked.document["findings"][3:]] == [
        "input variant clothed",
        "input model tiny",
        "input workflow walk",
    ]
    mismatch = in_process({}, ("verify", str(saved), str(samples / "clothed_v2.png")))
    assert (mismatch.code, "does not name these bytes" in mismatch.out) == (1, True)
    document = json.loads(saved.read_bytes())
    document["parameters"]["seed"] = "1"
    saved.write_text(json.dumps(document))
    changed = in_process({}, ("verify", str(saved), "--digest", saved_receipt["receipt_digest"]))
    assert (changed.code, changed.out.count("✗")) == (1, 2)
    saved.write_text("[]")
    for path in (saved, tmp_path / "missing.json", samples / "clothed_v1.png"):
        refused = in_process({}, ("verify", str(path)))
        assert (refused.code, refused.out, "Hint:" in refused.err) == (1, "", True), refused.err


def test_samples_are_written(tmp_path: Path) -> None:
    ran = in_process({}, ("sketch", "samples", str(tmp_path / "some"), "--json"))
    assert {Path(path).name for path in ran.document["files"]} == {path.name for path in (tmp_path / "some").iterdir()}
    (tmp_path / "file").touch()
    refused = in_process({}, ("sketch", "samples", str(tmp_path / "file")))
    assert (refused.code, "Error: The samples could not be written" in refused.err) == (1, True)


def test_inputs_of_a_render_are_parsed() -> None:
    assert parse_input("lora:rain").model_dump() == {
        "reference": "lora:rain",
        "strength_model": None,
        "strength_clip": None,
    }
    both = parse_input("lora:rain@2=0.8,-0.5")
    assert (both.reference, both.strength_model, both.strength_clip) == ("lora:rain@2", 0.8, -0.5)
    assert parse_input("lora:a=b=0").reference == "lora:a=b"


@given(st.text(max_size=30))
def test_any_input_is_parsed_or_refused(text: str) -> None:
    for parse in (parse_input, parse_setting):
        try:
            parse(text)
        except Invalid as refused:
            assert refused.hint


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("seed=18446744073709551615", "18446744073709551615"),
        ("seed=1e3", "1e3"),
        ("prompt=42", "42"),
        ("prompt=a=b", "a=b"),
        ("negative_prompt=", ""),
        ("cfg=4", 4),
        ("cfg=4.5", 4.5),
        ("tiled=true", True),
        ("mood=blue", "blue"),
        ("mood=null", "null"),
        ("mood=[1]", "[1]"),
        ("mood=NaN", "NaN"),
        ("sampler=1", "1"),
    ],
)
def test_settings_of_a_render_are_parsed(text: str, value: object) -> None:
    name, parsed = parse_setting(text)
    assert (name, parsed, type(parsed)) == (text.partition("=")[0], value, type(value))


def test_amounts_are_shown_as_text() -> None:
    assert (many(1, "take"), many(1200, "take")) == ("1 take", "1,200 takes")
    assert (size_word(0), size_word(1536), size_word(3 * 2**50)) == ("0 B", "1.5 KiB", "3072.0 TiB")
    assert (seconds_word(None), seconds_word(14), seconds_word(150)) == ("", "14.0 s", "2.5 min")
