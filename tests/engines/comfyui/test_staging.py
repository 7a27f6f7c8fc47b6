"""Staging by content: a staged file has the content of its digest, keeps it, and is removed only when unused."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from genlock.digest import digest_of
from genlock.engines.comfyui.staging import Staged, Staging
from genlock.errors import Invalid, Tampered

BLOCKS = 65536
"""Bytes of each file: whole blocks on any disk."""


@pytest.fixture
def staging(tmp_path: Path) -> Staging:
    (tmp_path / "base" / "models").mkdir(parents=True)
    return Staging(tmp_path / "base", 10**9)


def file(tmp_path: Path, letter: str) -> Path:
    path = tmp_path / f"{letter}.safetensors"
    path.write_bytes(letter.encode() * BLOCKS)
    return path


def stage(staging: Staging, path: Path, category: str = "loras", name: str = "mara.safetensors") -> Staged:
    """Stage a file and release it."""
    with staging.staged(category, path, digest_of(path.read_bytes()), name) as staged:
        return staged


def placed(staging: Staging) -> list[str]:
    """Return the first letters of the staged files' contents."""
    return sorted(path.read_bytes()[:1].decode() for path in staging.base.glob("models/*/genlock/*/*.safetensors"))


def test_a_file_is_a_copy_under_a_name_of_its_content(staging: Staging, tmp_path: Path) -> None:
    source = file(tmp_path, "a")
    staged = stage(staging, source)
    prefix = digest_of(source.read_bytes()).removeprefix("sha256:")[:32]
    assert staged.name == f"genlock/{prefix}/mara.safetensors"
    assert staged.path == staging.base / "models" / "loras" / staged.name
    assert staged.path.read_bytes() == source.read_bytes()
    assert staged.path.stat().st_mode & 0o777 == 0o444
    assert not staged.path.is_symlink() and staged.path.stat().st_nlink == 1
    source.write_bytes(b"other")
    assert staged.path.read_bytes() == b"a" * BLOCKS, "nothing that happens to the source reaches it"


def test_the_same_content_under_another_name_is_not_copied_again(staging: Staging, tmp_path: Path) -> None:
    first = stage(staging, file(tmp_path, "a"))
    second = stage(staging, file(tmp_path, "a"), name="other.safetensors")
    assert second.path == first.path
    assert second.path.stat().st_ino == first.path.stat().st_ino


def test_a_source_that_does_not_match_its_digest_is_refused_and_leaves_nothing(
    staging: Staging, tmp_path: Path
) -> None:
    with (
        pytest.raises(Tampered, match=r"mara\.safetensors was changed"),
        staging.staged("loras", file(tmp_path, "a"), digest_of(b"b"), "mara.safetensors"),
    ):
        pass
    assert [path for path in staging.base.rglob("*") if path.is_file() and path.name != ".lock"] == []


@pytest.mark.parametrize("keep_times", [False, True])
def test_a_file_that_was_overwritten_is_staged_again_under_another_name(
    staging: Staging, tmp_path: Path, keep_times: bool
) -> None:
    source = file(tmp_path, "a")
    first = stage(staging, source)
    before = first.path.stat()
    first.path.chmod(0o644)
    with first.path.open("r+b") as opened:
        opened.write(b"b")
    if keep_times:
        os.utime(first.path, ns=(before.st_atime_ns, before.st_mtime_ns))
    second = stage(staging, source)
    assert second.name != first.name, "a server may have loaded the wrong bytes under the first name"
    assert second.path.read_bytes() == source.read_bytes()
    assert not first.path.exists()
    assert stage(Staging(staging.base, 10**9), source).name == second.name, "another worker knows that, too"


def test_a_file_that_changes_while_it_is_used_is_reported(staging: Staging, tmp_path: Path) -> None:
    source = file(tmp_path, "a")
    with staging.staged("loras", source, digest_of(source.read_bytes()), "mara.safetensors") as staged:
        staging.recheck(staged)
        staged.path.chmod(0o644)
        staged.path.write_bytes(b"b" * BLOCKS)
        with pytest.raises(Tampered, match="was changed while ComfyUI used it"):
            staging.recheck(staged)
        staged.path.unlink()
        with pytest.raises(Tampered):
            staging.recheck(staged)


def test_the_limit_removes_the_least_recently_used_files_and_none_in_use(tmp_path: Path) -> None:
    base = tmp_path / "base"
    (base / "models").mkdir(parents=True)
    staging = Staging(base, 2 * BLOCKS)
    sources = {letter: file(tmp_path, letter) for letter in "abcd"}
    staged = {letter: stage(staging, path) for letter, path in sources.items()}
    for age, letter in enumerate("dcba"):
        os.utime(staged[letter].path.parent, (1_000_000 - age, 1_000_000 - age))
    # d was used last, a longest ago. a waits in ComfyUI's queue, b is held by a render of another worker.
    with ExitStack() as rendering:
        held = Staging(base, 10**9).staged("loras", sources["b"], digest_of(b"b" * BLOCKS), "mara.safetensors")
        rendering.enter_context(held)
        os.utime(staged["b"].path.parent, (999_000, 999_000))
        removed = staging.tidy({staged["a"].name})
        assert placed(staging) == ["a", "b"]
        assert sorted(removed) == sorted(staged[letter].path.parent for letter in "cd")
    staging = Staging(base, 1)
    staging.tidy(())
    assert placed(staging) == []
    assert stage(staging, sources["a"]).path.read_bytes() == sources["a"].read_bytes(), "it is laid there anew"


def test_below_the_limit_nothing_is_removed(staging: Staging, tmp_path: Path) -> None:
    for letter in "abc":
        stage(staging, file(tmp_path, letter))
    assert staging.tidy(()) == ()
    assert placed(staging) == ["a", "b", "c"]


def test_concurrent_renders_stage_a_file_once(staging: Staging, tmp_path: Path) -> None:
    source = file(tmp_path, "a")

    def stage_once(_number: int) -> tuple[Path, int]:
        staged = stage(Staging(staging.base, 10**9), source)
        return staged.path, staged.path.stat().st_ino

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(stage_once, range(24)))) == 1
    assert placed(staging) == ["a"]
    assert list(staging.base.rglob("*.part")) == []


def test_concurrent_tidying_and_staging_keep_the_files_of_a_render(tmp_path: Path) -> None:
    base = tmp_path / "base"
    (base / "models").mkdir(parents=True)
    sources = [file(tmp_path, letter) for letter in "abcd"]

    def render(number: int) -> bool:
        staging, source = Staging(base, 1), sources[number % 4]
        content = source.read_bytes()
        with staging.staged("loras", source, digest_of(content), "mara.safetensors") as staged:
            staging.tidy(())
            same = staged.path.read_bytes() == content
            staging.recheck(staged)
            return same

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(render, range(120)))


HOSTILE: Sequence[tuple[str, str]] = (
    ("../../evil.safetensors", "evil.safetensors"),
    ("..\\..\\evil.safetensors", "evil.safetensors"),
    ("/etc/passwd", "passwd"),
    ("..", "file"),
    ("", "file"),
    (".hidden.safetensors", "hidden.safetensors"),
    ("a\nb\0c.safetensors", "a_b_c.safetensors"),
    ("x" * 500 + ".safetensors", "x" * 60 + ".safetensors"),
)


@pytest.mark.parametrize(("filename", "name"), HOSTILE)
def test_no_name_leads_outside_of_the_folder(staging: Staging, tmp_path: Path, filename: str, name: str) -> None:
    staged = stage(staging, file(tmp_path, "a"), name=filename)
    assert staged.path.name == name
    assert staged.path.is_relative_to(staging.base / "models" / "loras" / "genlock")


@pytest.mark.parametrize("category", ["..", ".", "", "a/b", "a\\b", "loras\n", "x" * 65])
def test_no_category_leads_outside_of_the_folder(staging: Staging, tmp_path: Path, category: str) -> None:
    with pytest.raises(Invalid, match="not a models folder"):
        stage(staging, file(tmp_path, "a"), category=category)
    assert list((staging.base / "models").iterdir()) == []


@pytest.mark.parametrize("is_pipe", [False, True], ids=["link", "pipe"])
def test_a_staged_file_that_was_replaced_is_staged_again_elsewhere(
    staging: Staging, tmp_path: Path, is_pipe: bool
) -> None:
    """A link to the same bytes, which may change without notice; a pipe, which would block indefinitely."""
    source = file(tmp_path, "a")
    first = stage(staging, source)
    first.path.unlink()
    if is_pipe:
        os.mkfifo(first.path)
    else:
        first.path.symlink_to(source)
    second = stage(staging, source)
    assert second.name != first.name
    assert second.path.read_bytes() == source.read_bytes()
