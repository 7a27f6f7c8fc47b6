"""Which files of a folder are one take, and which segment it belongs to, derived from names alone."""

import os
from pathlib import Path

import pytest

from genlock.errors import Invalid
from genlock.sdk.old_work import DEFAULT_PATTERN, OldWork, Pattern, find_old_work, slug_of
from genlock.timeline.model import check_slug

Place = tuple[str, str, str, int | None]


def _old_work(folder: Path, *names: str, pattern: str = DEFAULT_PATTERN, **given: str) -> OldWork:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")
    return find_old_work(folder, Pattern(pattern, **given))


def _takes_of(work: OldWork) -> list[tuple[str, str, str, int | None, list[str]]]:
    return [(it.project, it.scene, it.segment, it.counter, sorted(it.files)) for it in work.takes]


@pytest.mark.parametrize(
    ("pattern", "stem", "place"),
    [
        (DEFAULT_PATTERN, "rooftop/night/walk_00003_", ("rooftop", "night", "walk", 3)),
        (DEFAULT_PATTERN, "rooftop/night/walk_00003", ("rooftop", "night", "walk", 3)),
        (DEFAULT_PATTERN, "rooftop/night/walk_2", ("rooftop", "night", "walk_2", None)),
        (DEFAULT_PATTERN, "rooftop/night/walk", ("rooftop", "night", "walk", None)),
        (DEFAULT_PATTERN, "Roof Top!/Night shots/walk", ("roof-top", "Night shots", "walk", None)),
        (DEFAULT_PATTERN, "rooftop/walk", None),
        (DEFAULT_PATTERN, "old/rooftop/night/walk", None),
        (
            "{project}/{scene}/{segment}_{counter}",
            "rooftop/night/walk_00003_",
            ("rooftop", "night", "walk_00003", None),
        ),
        ("{project}/{scene}_{counter}", "rooftop/night_00003_", ("rooftop", "night", "00003", None)),
        ("{project}/{scene}_{counter}", "rooftop/night_late_12", ("rooftop", "night_late", "12", None)),
        ("{project}/{scene}_{counter}", "rooftop/night", None),
        ("video/{project}-{scene}-{segment}", "video/rooftop-night-walk_00001_", ("rooftop", "night", "walk", 1)),
        ("video/{project}-{scene}-{segment}", "audio/rooftop-night-walk", None),
        ("(.*)/{project}/{scene}/{segment}", "(.*)/rooftop/night/walk", ("rooftop", "night", "walk", None)),
        ("(.*)/{project}/{scene}/{segment}", "old/rooftop/night/walk", None),
        (DEFAULT_PATTERN, "rooftop/night/walk_" + "9" * 400, ("rooftop", "night", "walk", int("9" * 18))),
    ],
)
def test_a_path_names_the_segment_of_its_file(pattern: str, stem: str, place: Place | None) -> None:
    """Fields do not match a slash; the text between them is literal."""
    assert Pattern(pattern).take_of(stem) == place


def test_fields_that_the_pattern_leaves_out_are_passed() -> None:
    """A folder of one project, or one scene, need not contain its name."""
    assert Pattern("{scene}/{segment}", project="rooftop").take_of("night/walk") == ("rooftop", "night", "walk", None)
    both = Pattern("{segment}", project="rooftop", scene="night")
    assert both.take_of("walk_00002_") == ("rooftop", "night", "walk", 2)


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("{scene}/{segment}", "it has no project"),
        ("{project}/{segment}", "it has no scene"),
        ("{project}/{scene}", "it has no segment"),
        ("{project}/{scene}/{shot}", r"\{shot\} is not a field"),
        ("{project}/{scene}/{segment}/{segment}", "a field twice"),
        ("", "it has no project"),
    ],
)
def test_a_pattern_that_cannot_be_used_is_refused(pattern: str, why: str) -> None:
    """Before any file is read, with a hint."""
    with pytest.raises(Invalid, match=why) as refused:
        Pattern(pattern)
    assert refused.value.hint and refused.value.code == "bad_pattern"


def test_one_stem_in_several_containers_is_one_take(tmp_path: Path) -> None:
    """The take is named after its most complete file; counters distinguish takes and order them."""
    work = _old_work(
        tmp_path,
        *(f"rooftop/night/walk_00010_.{extension}" for extension in ("png", "MP4")),
        *(f"rooftop/night/walk_00002_.{extension}" for extension in ("webm", "webp", "png")),
        *(f"rooftop/night/run_00001.{extension}" for extension in ("png", "gif")),
        *(f"rooftop/night/run_00002.{extension}" for extension in ("mov", "gif", "png")),
        "rooftop/night/sit_00001_.png",
    )
    assert _takes_of(work) == [
        ("rooftop", "night", "run", 1, ["gif", "png"]),
        ("rooftop", "night", "run", 2, ["gif", "mov", "png"]),
        ("rooftop", "night", "sit", 1, ["png"]),
        ("rooftop", "night", "walk", 2, ["png", "webm", "webp"]),
        ("rooftop", "night", "walk", 10, ["mp4", "png"]),
    ]
    assert [take.name.rpartition("/")[2] for take in work.takes] == [
        "run_00001.gif",
        "run_00002.mov",
        "sit_00001_.png",
        "walk_00002_.webm",
        "walk_00010_.MP4",
    ]


def test_segments_are_in_natural_order(tmp_path: Path) -> None:
    """Positions follow the numbers in the names: 2 before 10."""
    work = _old_work(tmp_path, *(f"rooftop/night/{number}.mp4" for number in (10, 9, 2)))
    assert [it.segment for it in work.takes] == ["2", "9", "10"]


def test_of_a_file_with_and_without_sound_the_one_with_sound_is_the_take(tmp_path: Path) -> None:
    """Some savers write both, and the image with the graph under the plain name."""
    names = [f"rooftop/night/walk_00001{end}" for end in (".mp4", "-audio.mp4", ".png")]
    work = _old_work(tmp_path, *names)
    (take,) = work.takes
    assert (take.files["mp4"].name, take.files["png"].name) == ("walk_00001-audio.mp4", "walk_00001.png")
    assert [(file.name, file.why) for file in work.skipped] == [(names[0], "the same take without its sound")]


def test_files_that_are_not_imported_are_listed(tmp_path: Path) -> None:
    """Other files, paths of another form; hidden files and folders behind links are not read."""
    elsewhere = tmp_path / "elsewhere"
    _old_work(elsewhere, "night/walk.mp4")
    folder = tmp_path / "output"
    folder.mkdir()
    (folder / "linked").symlink_to(elsewhere, target_is_directory=True)
    work = _old_work(
        folder, "rooftop/night/notes.txt", "walk.mp4", "rooftop/night/.walk.mp4", ".trash/night/walk.mp4", "a/b/ok.webm"
    )
    assert _takes_of(work) == [("a", "b", "ok", None, ["webm"])]
    assert {file.name: file.why for file in work.skipped} == {
        "rooftop/night/notes.txt": "only mp4, mov, webm, mkv, webp, gif, apng, png are read",
        "walk.mp4": "its path does not have the form of the pattern",
    }


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    """It is not treated as an empty one."""
    with pytest.raises(Invalid, match="There is no folder"):
        _old_work(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Roof Top", "roof-top"),
        ("_rain_", "rain"),
        ("Straßen, café", "stra-en-cafe-8bc9f155"),
        ("été", "ete"),
        ("夜", "imported-a519542a"),
        ("夜 2", "2-15678051"),
        ("!!", "imported-233d26e9"),
        ("a" * 79 + " b", "a" * 79),
        ("a" * 300, "a" * 80),
        ("v1.2", "v1.2"),
    ],
)
def test_a_folders_name_becomes_a_slug(name: str, slug: str) -> None:
    """A valid part of a URL, never empty, and distinct for names that differ in letters."""
    assert slug_of(name) == slug
    assert check_slug(slug) == slug


def test_a_name_that_is_not_text_is_skipped_and_can_be_shown(tmp_path: Path) -> None:
    work = _old_work(tmp_path, os.fsdecode(b"rooftop/night/bad\xff.mp4"), "rooftop/night/walk.mp4")
    assert [take.segment for take in work.takes] == ["walk"]
    (left,) = work.skipped
    assert (left.name, "not UTF-8" in left.why) == ("rooftop/night/bad\\xff.mp4", True)
