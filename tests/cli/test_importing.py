"""``genlock import``: existing work of a user, the report about it, and that importing twice adds nothing."""

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from tests.capture.corpus.cases import Graph, image_to_video, ksampler, node
from tests.capture.files import frames, png, save, video
from tests.capture.test_embedded import TEXT
from tests.cli.conftest import CommandResult, Run
from tests.library.identity.files import safetensors, tensor

from genlock.digest import digest_of

PATTERN = "{project}/{scene}/{segment}"
FILES = (("text_encoder", "umt5"), ("vae", "wan_vae"), ("model", "wan"), ("lora", "rain"))

WHY_NOT_READ = "only mp4, mov, webm, mkv, webp, gif, apng, png are read"


def _picture(path: Path, shade: int) -> Path:
    Image.fromarray(frames(shade, 1)[0]).save(path, "PNG")
    return path


def _shade(slug: str) -> int:
    """Return a shade that only this project uses, so that no image of another test is recognised."""
    return int(slug.removeprefix("film"))


def _graph(slug: str, start: Path | None = None) -> Graph:
    """Return the plain graph with one LoRA and files of this project; ``start`` is embedded with its digest."""
    graph = image_to_video(
        n1=node("UNETLoader", unet_name=f"{slug}_wan.safetensors"),
        n2=node("LoraLoaderModelOnly", model=["1", 0], lora_name=f"{slug}_rain.safetensors", strength_model=0.8),
        n4=node("CLIPLoader", clip_name=f"{slug}_umt5.safetensors", type="wan"),
        n7=node("VAELoader", vae_name=f"{slug}_wan_vae.safetensors"),
        n8=node("LoadImage", image=f"{slug}_start.png"),
        n10=ksampler(model=("2", 0)),
    )
    if start is not None:
        graph["8"]["is_changed"] = [digest_of(start.read_bytes()).removeprefix("sha256:")]
    return graph


def _register(genlock: Run, folder: Path, slug: str, *names: str) -> None:
    for number, (kind, name) in enumerate(FILES):
        if name in names:
            path = folder / f"{slug}_{name}.safetensors"
            path.write_bytes(safetensors({"w": tensor(0, 4)}, bytes([number, *slug.encode()[-3:]])))
            assert genlock("asset", "add", str(path), "--kind", kind).code == 0
    if "start" in names:
        ran = genlock(
            "asset", "add", str(_picture(folder / f"{slug}_start.png", _shade(slug))), "--kind", "source_image"
        )
        assert ran.code == 0, ran.err


@pytest.fixture
def output(tmp_path: Path, slug: str) -> Path:
    """Write 2 takes of walk in several containers, a webm, an image of a web interface, and a file without metadata."""
    folder = tmp_path / "output"
    scene = folder / slug.upper() / "night"
    scene.mkdir(parents=True)
    graph = _graph(slug, _picture(tmp_path / "start.png", _shade(slug)))
    save(scene / "walk_00001_.mp4", graph, shade=1)
    save(scene / "walk_00001_.png", graph, shade=1)
    save(scene / "walk_00002_.webp", graph, shade=2)
    save(scene / "turn_00001_.webm", graph, shade=3)
    png(scene / "still.png", {"parameters": TEXT}, shade=4)
    video(scene / "unknown_00001_.mp4", {}, shade=5)
    (scene / "notes.txt").write_text("not a take")
    return folder


def _import(genlock: Run, folder: Path, *more: str) -> Any:
    ran = genlock("import", str(folder), "--pattern", PATTERN, *more, "--json")
    assert ran.code == 0, ran.err
    return ran.document


def test_a_dry_run_an_import_and_a_second_import_give_the_same_report(
    genlock: Run, slug: str, output: Path, tmp_path: Path
) -> None:
    _register(genlock, tmp_path, slug, "umt5", "wan_vae", "wan", "rain", "start")
    dry = _import(genlock, output, "--dry-run")
    assert genlock("project", "show", slug).code == 1, "nothing was written"
    assert {take["outcome"] for take in dry["items"]} == {"would_record"}

    wet = _import(genlock, output)
    assert [(take["segment"], take["take"], take["source"], take["explained"]) for take in wet["items"]] == [
        ("still", 1, "webui", False),
        ("turn", 1, "graph", True),
        ("unknown", 1, "nothing", False),
        ("walk", 1, "graph", True),
        ("walk", 2, "graph", True),
    ]
    assert (wet["sentence"], wet["explained"], wet["total"]) == ("60 % of 5 takes can be explained", 3, 5)
    assert wet["skipped"] == [{"name": f"{slug.upper()}/night/notes.txt", "why": WHY_NOT_READ}]
    same = ("inputs", "missing", "evidence", "explained", "source", "notes", "name")
    assert [[take[key] for key in same] for take in dry["items"]] == [
        [take[key] for key in same] for take in wet["items"]
    ]
    for key in ("sentence", "reasons", "refused", "skipped"):
        assert dry[key] == wet[key], f"a dry run says the same of {key}"

    again = _import(genlock, output)
    assert {take["outcome"] for take in again["items"]} == {"exists"}
    assert [take["receipt_id"] for take in again["items"]] == [take["receipt_id"] for take in wet["items"]]
    assert (again["sentence"], again["reasons"]) == (wet["sentence"], wet["reasons"])
    shown = genlock("project", "show", slug, "--json").document
    assert (shown["counts"]["segments"], shown["counts"]["unknown"]) == (4, 4)
    status = genlock("status", slug)
    assert (status.code, status.out.splitlines()) == (
        0,
        [
            f"· {slug}: nothing is known to be out of date.",
            f"  Unknown for 4 segments: genlock segment list {slug} --state unknown",
        ],
    )
    assert genlock("segment", "list", slug, "--state", "unknown", "--json").document["total"] == 4


def test_the_report_lists_what_is_explained_and_what_is_missing(
    genlock: Run, slug: str, output: Path, tmp_path: Path
) -> None:
    """The most frequent reason comes first, so that the file most worth finding is at the top."""
    _register(genlock, tmp_path, slug, "umt5", "wan_vae", "wan", "start")
    ran = genlock("import", str(output), "--pattern", PATTERN)
    assert ran.code == 0, ran.err
    lines = ran.out.splitlines()
    assert lines[0] == "0 % of 5 takes can be explained"
    assert lines[1] == "5 takes were recorded, 0 already recorded."
    counted = [line.split(maxsplit=1) for line in lines if line.strip()[:1].isdigit()][2:]
    assert counted[0] == ["3", f"lora {slug}_rain.safetensors: no asset has this name"]
    assert ["1", "model sd_xl_base_1.0: no asset has this name"] in [[count, why.rstrip()] for count, why in counted]
    assert ["2", "workflow is unknown"] in [[count, why.rstrip()] for count, why in counted]
    assert lines[-1] == f"1 file left out, such as {slug.upper()}/night/notes.txt: {WHY_NOT_READ}."
    assert "register what is missing" in genlock("import", str(output), "--dry-run").out, "before it is too late"


def test_an_input_that_is_registered_later_is_known_by_its_digest(genlock: Run, slug: str, tmp_path: Path) -> None:
    """When the bytes are registered, an input with their digest is recognised; an input with only a name is not."""
    picture = _picture(tmp_path / "start.png", _shade(slug))
    folder = tmp_path / "output"
    folder.mkdir()
    save(folder / "walk.png", _graph(slug, picture))
    words = (str(folder), "--pattern", "{segment}", "--project", slug, "--scene", "night", "--json")
    _register(genlock, tmp_path, slug, "umt5", "wan_vae", "wan", "rain")
    first = genlock("import", *words).document
    assert first["sentence"] == "0 % of 1 take can be explained"
    assert first["reasons"] == [{"reason": f"source_image {slug}_start.png: no version has these bytes", "takes": 1}]
    _register(genlock, tmp_path, slug, "start")
    again = genlock("import", *words).document
    assert (again["sentence"], again["reasons"]) == ("100 % of 1 take can be explained", [])


def test_counters_can_be_segments(genlock: Run, slug: str, tmp_path: Path) -> None:
    """With {counter} in the pattern each number is a separate segment."""
    for number in (1, 2, 10):
        save(tmp_path / f"night_{number:05}_.png", _graph(slug), shade=number)
    ran = genlock("import", str(tmp_path), "--pattern", "{scene}_{counter}", "--project", slug, "--json")
    assert ran.code == 0, ran.err
    assert [(take["segment"], take["take"]) for take in ran.document["items"]] == [
        ("00001", 1),
        ("00002", 1),
        ("00010", 1),
    ]
    listed = genlock("segment", "list", f"{slug}/night", "--json").document["items"]
    assert [(segment["position"], segment["name"]) for segment in listed] == [(1, "00001"), (2, "00002"), (3, "00010")]


def test_the_engines_version_can_be_declared(genlock: Run, slug: str, tmp_path: Path) -> None:
    """For a whole folder, by a user who knows what ran there."""
    save(tmp_path / "walk.png", _graph(slug))
    words = ("--pattern", "{segment}", "--project", slug, "--scene", "night")
    ran = genlock("import", str(tmp_path), *words, "--engine-version", "0.3.75", "--json")
    (take,) = ran.document["items"]
    assert "engine.version" not in take["missing"]
    receipt = genlock("provenance", f"{slug}/night/1", "--json").document["receipt"]
    assert receipt["document"]["engine"] == {"name": "comfyui", "version": "0.3.75"}


# refusals -----------------------------------------------------------------------------------------


def _hostile(folder: Path) -> dict[str, str]:
    """Write hostile files and return the expected message of each."""
    video(folder / "deep.mp4", {"prompt": '{"a":' * 100_000})
    png(folder / "huge.png", {"prompt": json.dumps({"1": {"class_type": "A" * 9_000_000, "inputs": {}}})}, packed=True)
    png(folder / "nan.png", {"prompt": '{"1": {"class_type": "A", "inputs": {"x": NaN}}}'})
    (folder / "cut.mp4").write_bytes(video(folder.parent / "whole.mp4", {}).read_bytes()[:900])
    (folder / "renamed.mp4").write_bytes(png(folder.parent / "a.png", {}).read_bytes())
    (folder / "noise.webm").write_bytes(bytes(range(256)) * 64)
    (folder / "empty.png").write_bytes(b"")
    (folder / "unreadable.webp").symlink_to("/proc/self/mem")
    return {
        "deep.mp4": "nested too deeply",
        "huge.png": "larger than 8 MiB",
        "nan.png": "NaN",
        "cut.mp4": "cut.mp4",
        "renamed.mp4": "is not MP4: it is image/png",
        "noise.webm": "is not WEBM",
        "empty.png": "is empty",
        "unreadable.webp": "cannot be read",
    }


def test_a_refused_file_does_not_stop_the_others(genlock: Run, slug: str, tmp_path: Path) -> None:
    """Each is named with the reason; the others are recorded; the exit code shows that some were refused."""
    scene = tmp_path / slug / "night"
    scene.mkdir(parents=True)
    save(scene / "a_walk.mp4", _graph(slug))
    wrong = _hostile(scene)
    save(scene / "z_walk.webm", _graph(slug), shade=2)
    ran = genlock("import", str(tmp_path), "--json")
    assert ran.code == 1
    assert [take["segment"] for take in ran.document["items"]] == ["a_walk", "z_walk"]
    refused = {refusal["name"].rpartition("/")[2]: refusal for refusal in ran.document["refused"]}
    assert refused.keys() == wrong.keys()
    for name, why in wrong.items():
        assert why in refused[name]["message"] and refused[name]["hint"] and refused[name]["code"], refused[name]
    assert ran.document["sentence"] == "0 % of 10 takes can be explained"

    dry = genlock("import", str(tmp_path), "--dry-run")
    assert dry.code == 1
    assert dry.out.count("Refused: ") == len(wrong) and "2 already recorded" in dry.out


@pytest.mark.parametrize("name", ["a\x1b[31mred.png", "line\nbreak.png"], ids=["escape", "line"])
def test_control_characters_in_a_name_are_not_sent_to_the_terminal(
    genlock: Run, slug: str, tmp_path: Path, name: str
) -> None:
    png(tmp_path / name, {})
    ran = genlock("import", str(tmp_path), "--pattern", "{segment}", "--project", slug, "--scene", "night")
    assert "\x1b" not in ran.out + ran.err


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        (("--pattern", "{scene}/{segment}"), 2, "it has no project"),
        (("--pattern", "{film}"), 2, "{film} is not a field"),
        (("--pattern",), 2, "requires an argument"),
    ],
)
def test_usage_errors_have_exit_code_and_reason(
    genlock: Run, tmp_path: Path, words: tuple[str, ...], code: int, why: str
) -> None:
    ran: CommandResult = genlock("import", str(tmp_path), *words)
    assert (ran.code, why in ran.err) == (code, True), ran.err


def test_a_missing_or_empty_folder_is_reported(genlock: Run, tmp_path: Path) -> None:
    gone = genlock("import", str(tmp_path / "gone"))
    assert (gone.code, "There is no folder" in gone.err) == (1, True)
    empty = genlock("import", str(tmp_path))
    assert (empty.code, empty.out.splitlines()[0]) == (0, "No takes were found.")
