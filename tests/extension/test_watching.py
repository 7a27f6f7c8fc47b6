"""Which file a node used: decided only where nothing else can have been used."""

import mimetypes
from collections.abc import Generator
from pathlib import Path

import pytest
from comfyui.files import Files
from comfyui.runs import WEIGHTS_EXTENSIONS, media_type_of
from comfyui.watching import INPUT, REPLACED, UNSEEN, NodeFile, NodeRun, Watch, scalars

from genlock import kinds


class Instance:
    """A node's object, which lives between runs."""


@pytest.fixture
def watch(tmp_path: Path) -> Generator[Watch]:
    files = Files()
    yield Watch(files)
    files.close()


@pytest.fixture
def lora(tmp_path: Path) -> Path:
    return write(tmp_path / "rain.safetensors", "v1")


def write(path: Path, content: str) -> Path:
    beside = path.with_suffix(".new")
    beside.write_text(content)
    beside.replace(path)
    return path


def run(watch: Watch, path: Path, how: str, instance: object = None, category: str = "loras") -> NodeFile:
    """A node that names a file and then reads it as ``how`` says."""
    node = NodeRun("2", "Loader")
    token = watch.current.set(node)
    watch.named(category, path.name, str(path))
    if how == "replaced":
        write(path, "while reading")
    if how == "loads":
        watch.after_load(watch.before_load(str(path)))
    if how == "replaced while loading":
        held = watch.before_load(str(path))
        write(path, "while loading")
        watch.after_load(held)
    if how == "opens":
        watch.opened(str(path))
    watch.current.reset(token)
    watch.end(node, instance)
    return node.files[str(path)]


def content_of(seen: NodeFile) -> str | None:
    if seen.used is None:
        assert seen.missing
        return None
    with open(seen.used.descriptor, closefd=False) as file:
        file.seek(0)
        return file.read()


@pytest.mark.parametrize("how", ["loads", "opens", "names"])
def test_a_file_that_never_changed_is_the_one_that_was_used(watch: Watch, lora: Path, how: str) -> None:
    assert content_of(run(watch, lora, how)) == "v1"


def test_a_node_that_kept_an_older_file_used_that_one(watch: Watch, lora: Path) -> None:
    instance = Instance()
    run(watch, lora, "loads", instance)
    write(lora, "v2")
    assert content_of(run(watch, lora, "names", instance)) == "v1", "it did not load again"
    assert content_of(run(watch, lora, "loads", instance)) == "v2", "it did"
    assert content_of(run(watch, lora, "names", instance)) == "v2"


def test_what_cannot_be_seen_is_not_guessed(watch: Watch, lora: Path) -> None:
    run(watch, lora, "names")
    write(lora, "v2")
    unseen = run(watch, lora, "names", Instance())
    assert (unseen.used, unseen.missing) == (None, UNSEEN)
    kept = Instance()
    run(watch, lora, "loads", kept)
    write(lora, "v3")
    peeked = run(watch, lora, "opens", kept)
    assert (peeked.used, peeked.missing) == (None, UNSEEN), "it may have looked at the new one and used the old one"


def test_an_input_that_was_opened_is_the_one_that_was_read(watch: Watch, lora: Path) -> None:
    instance = Instance()
    run(watch, lora, "opens", instance, INPUT)
    write(lora, "v2")
    assert content_of(run(watch, lora, "opens", instance, INPUT)) == "v2"


@pytest.mark.parametrize("how", ["replaced", "replaced while loading"])
def test_a_file_that_was_replaced_while_it_was_read_is_unknown(watch: Watch, lora: Path, how: str) -> None:
    seen = run(watch, lora, how)
    assert (seen.used, seen.missing) == (None, REPLACED)


def test_our_own_opening_is_not_taken_for_the_nodes(watch: Watch, lora: Path) -> None:
    assert not run(watch, lora, "names").read


def test_outside_of_nodes_nothing_is_watched(watch: Watch, lora: Path) -> None:
    watch.named("loras", lora.name, str(lora))
    assert watch.before_load(str(lora)) is None
    watch.opened(str(lora))
    watch.after_load(None)
    assert not watch.files.always_the_same(str(lora)), "it was never held"


def test_an_instance_that_takes_no_attributes_keeps_nothing(watch: Watch, lora: Path) -> None:
    class Closed:
        __slots__ = ()

    node = NodeRun("2", "Loader")
    with pytest.raises(AttributeError):  # the hook around it tells this once and goes on
        token = watch.current.set(node)
        watch.named("loras", lora.name, str(lora))
        watch.after_load(watch.before_load(str(lora)))
        watch.current.reset(token)
        watch.end(node, Closed())
    assert content_of(node.files[str(lora)]) == "v1"


def test_what_a_take_is_made_of_is_known_where_the_system_has_no_table(monkeypatch: pytest.MonkeyPatch) -> None:
    def knows_nothing(_: str) -> tuple[None, None]:
        return None, None

    monkeypatch.setattr(mimetypes, "guess_type", knows_nothing)
    assert media_type_of("walk_00001_.WEBP") == "image/webp"
    assert media_type_of("walk.mkv") == "video/x-matroska"
    assert media_type_of("walk.flac") == "application/octet-stream"


def test_scalars_are_what_can_be_told() -> None:
    inputs = {"text": ["a"], "seed": [2**64 - 1], "on": [True], "model": [object()], "several": [1, 2], "none": [None]}
    assert scalars(inputs) == {"text": "a", "seed": 2**64 - 1, "on": True}
    assert scalars({"text": ["x" * 100_001]}) == {}


def test_it_calls_the_same_files_weights_as_genlock() -> None:
    assert WEIGHTS_EXTENSIONS == kinds.WEIGHTS_EXTENSIONS
