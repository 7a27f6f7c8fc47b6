"""Which file a node used: decided only where no other can have been used."""

import mimetypes
from collections.abc import Generator
from pathlib import Path

import pytest
from comfyui.files import Files
from comfyui.runs import media_type_of
from comfyui.unseen import WEIGHTS_EXTENSIONS
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
    temporary = path.with_suffix(".new")
    temporary.write_text(content)
    temporary.replace(path)
    return path


def run(watch: Watch, path: Path, how: str, instance: object = None, category: str = "loras") -> NodeFile:
    """Run a node that names a file and then reads it in the given way."""
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


def content_of(record: NodeFile) -> str | None:
    if record.used is None:
        assert record.missing
        return None
    with open(record.used.descriptor, closefd=False) as file:
        file.seek(0)
        return file.read()


@pytest.mark.parametrize("how", ["loads", "opens", "names"])
def test_a_file_that_never_changed_is_the_one_that_was_used(watch: Watch, lora: Path, how: str) -> None:
    assert content_of(run(watch, lora, how)) == "v1"


def test_a_node_that_cached_an_older_file_used_the_cached_one(watch: Watch, lora: Path) -> None:
    instance = Instance()
    run(watch, lora, "loads", instance)
    write(lora, "v2")
    assert content_of(run(watch, lora, "names", instance)) == "v1", "it did not load again"
    assert content_of(run(watch, lora, "loads", instance)) == "v2", "it did"
    assert content_of(run(watch, lora, "names", instance)) == "v2"


def test_an_unobserved_file_is_not_guessed(watch: Watch, lora: Path) -> None:
    run(watch, lora, "names")
    write(lora, "v2")
    unseen = run(watch, lora, "names", Instance())
    assert (unseen.used, unseen.missing) == (None, UNSEEN)
    instance = Instance()
    run(watch, lora, "loads", instance)
    write(lora, "v3")
    peeked = run(watch, lora, "opens", instance)
    assert (peeked.used, peeked.missing) == (None, UNSEEN), "it may have read the new one and used the old one"


def test_an_input_that_was_opened_is_the_one_that_was_read(watch: Watch, lora: Path) -> None:
    instance = Instance()
    run(watch, lora, "opens", instance, INPUT)
    write(lora, "v2")
    assert content_of(run(watch, lora, "opens", instance, INPUT)) == "v2"


@pytest.mark.parametrize("how", ["replaced", "replaced while loading"])
def test_a_file_that_was_replaced_while_it_was_read_is_unknown(watch: Watch, lora: Path, how: str) -> None:
    record = run(watch, lora, how)
    assert (record.used, record.missing) == (None, REPLACED)


def test_a_file_opened_by_the_extension_does_not_count_for_the_node(watch: Watch, lora: Path) -> None:
    assert not run(watch, lora, "names").read


def test_outside_of_nodes_nothing_is_watched(watch: Watch, lora: Path) -> None:
    watch.named("loras", lora.name, str(lora))
    assert watch.before_load(str(lora)) is None
    watch.opened(str(lora))
    watch.after_load(None)
    assert not watch.files.always_the_same(str(lora)), "it was never held"


def test_an_instance_without_attributes_is_run_without_a_record(watch: Watch, lora: Path) -> None:
    class Closed:
        __slots__ = ()

    node = NodeRun("2", "Loader")
    with pytest.raises(AttributeError):  # the hook around it reports this once and continues
        token = watch.current.set(node)
        watch.named("loras", lora.name, str(lora))
        watch.after_load(watch.before_load(str(lora)))
        watch.current.reset(token)
        watch.end(node, Closed())
    assert content_of(node.files[str(lora)]) == "v1"


def test_video_media_types_are_known_without_a_system_table(monkeypatch: pytest.MonkeyPatch) -> None:
    def knows_nothing(_: str) -> tuple[None, None]:
        return None, None

    monkeypatch.setattr(mimetypes, "guess_type", knows_nothing)
    assert media_type_of("walk_00001_.WEBP") == "image/webp"
    assert media_type_of("walk.mkv") == "video/x-matroska"
    assert media_type_of("walk.flac") == "application/octet-stream"


def test_only_scalars_are_recorded() -> None:
    inputs = {"text": ["a"], "seed": [2**64 - 1], "on": [True], "model": [object()], "several": [1, 2], "none": [None]}
    assert scalars(inputs) == {"text": "a", "seed": 2**64 - 1, "on": True}
    assert scalars({"text": ["x" * 100_001]}) == {}


def test_the_extension_and_genlock_recognise_the_same_weights() -> None:
    assert WEIGHTS_EXTENSIONS == kinds.WEIGHTS_EXTENSIONS
