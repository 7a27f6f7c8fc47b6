"""Reads the texts of a file that say how it was generated, in the spellings of the programs that wrote them. Pure.

    prompt={…}                    ComfyUI: the graph as it ran, in a text, a tag or an EXIF field
    comment={"prompt": …}         other savers: the same within one tag, the graph once more as text
    parameters=a walk\\nSteps: …   the text that web interfaces write

A fingerprint that ComfyUI adds to a node (``is_changed``) is removed, so that the graph is what was submitted; those of
ComfyUI's picture and sound loaders are the SHA-256 of the file, and are returned with it.
"""

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, cast

from genlock.capture.run_record import LoadedFile
from genlock.digest import PREFIX
from genlock.errors import Invalid
from genlock.graphs.meanings import LOADERS
from genlock.graphs.strict_json import read_json
from genlock.library.readers import shown_name
from genlock.model import Model

MAX_GRAPH_BYTES = 8 * 2**20

_HASHED = frozenset({"LoadImage", "LoadImageMask", "LoadImageOutput", "LoadAudio", "LoadLatent"})
"""Loaders whose fingerprint is the SHA-256 of their file. Others take a name and a time, in the same form."""

_SURROGATE = re.compile("[\ud800-\udfff]")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_WEBUI = re.compile(r"^(?:.*, )?Steps: \d+, ", re.MULTILINE)
_OUTER = ("comment", "description", "usercomment", "parameters", "metadata", "extra_pnginfo")
_TEXTS = ("parameters", "usercomment", "comment", "description")


class Embedded(Model):
    """The texts of a file: a ``graph`` with the ``files`` whose digests it has, or a web interface's ``text``.

    ``without_graph`` is the reason if there is a text about the generation but no graph.
    """

    graph: dict[str, Any] | None = None
    files: tuple[LoadedFile, ...] = ()
    text: str | None = None
    without_graph: str | None = None


def read_embedded(tags: Mapping[str, str], name: str) -> Embedded:
    """Read the texts of a file, by key in lower case. Raises ``Invalid``, naming ``name``, for an unsound graph."""
    shown = f"The graph in {shown_name(name)}"
    for text in _graph_texts(tags, shown):
        graph = _graph(text, shown)
        if graph is not None:
            return _cleaned(graph, shown)
    text = next((tags[key] for key in _TEXTS if _WEBUI.search(tags.get(key, ""))), None)
    if text is not None:
        return Embedded(text=text)
    if "workflow" in tags:
        return Embedded(without_graph="it contains only the editor's workflow, which leaves out what the server ran")
    return Embedded()


def _graph_texts(tags: Mapping[str, str], shown: str) -> Iterator[Any]:
    """Yield everything in a file that may be a graph, the plainest place first."""
    if "prompt" in tags:
        yield tags["prompt"]
    for key in _OUTER:
        if tags.get(key, "").lstrip().startswith("{"):
            outer = _parsed(tags[key], shown)
            if isinstance(outer, dict):
                yield cast("dict[str, Any]", outer).get("prompt")


def _graph(value: Any, shown: str) -> dict[str, Any] | None:
    """Return the graph in a text or in a parsed value; None if it is something else, such as the words of a prompt."""
    if isinstance(value, str):
        if not value.lstrip().startswith("{"):
            return None
        value = _parsed(value, shown)
    if not isinstance(value, dict) or not value:
        return None
    graph = cast("dict[str, Any]", value)
    return graph if all(isinstance(node, dict) and "class_type" in node for node in graph.values()) else None


def _parsed(text: str, shown: str) -> Any:
    content = text.encode("utf-8", "surrogatepass")
    if len(content) > MAX_GRAPH_BYTES:
        raise Invalid(
            f"{shown} is larger than {MAX_GRAPH_BYTES // 2**20} MiB.",
            hint="No workflow is that large. Save the file again without the metadata, and import that.",
            code="too_much_text",
        )
    # Fingerprints of nodes that always run again are NaN, which Python writes into JSON unchanged.
    return read_json(content.rstrip(b"\0 \r\n"), shown, finite=False)


def _cleaned(graph: dict[str, Any], shown: str) -> Embedded:
    whole: dict[str, Any] = {}
    files: list[LoadedFile] = []
    for key, node in graph.items():
        plain = dict(node)
        mark = plain.pop("is_changed", None)
        file = _fingerprinted(key, plain, mark)
        if file is not None:
            files.append(file)
        whole[key] = plain
    _require_sound(whole, shown)
    return Embedded(graph=whole, files=tuple(files))


def _fingerprinted(key: str, node: Mapping[str, Any], mark: Any) -> LoadedFile | None:
    class_type, inputs = node["class_type"], node.get("inputs")
    if class_type not in _HASHED or not isinstance(inputs, dict):
        return None
    given = cast("list[Any]", mark)[:1] if isinstance(mark, list) else [mark]
    name = cast("dict[str, Any]", inputs).get(LOADERS[class_type][0])
    if not given or not isinstance(given[0], str) or not isinstance(name, str) or not _SHA256.fullmatch(given[0]):
        return None
    return LoadedFile(node=key, input=LOADERS[class_type][0], name=name, digest=PREFIX + given[0])


def _require_sound(graph: dict[str, Any], shown: str) -> None:
    """Refuse what JSON allows and a receipt does not: NaN, infinities, and halves of characters."""
    within: list[Any] = [graph]
    while within:
        value = within.pop()
        if isinstance(value, float) and not math.isfinite(value):
            raise _unsound(shown, "NaN or an infinity for a number")
        if isinstance(value, str) and _SURROGATE.search(value):
            raise _unsound(shown, "half a character in a text")
        if isinstance(value, dict):
            for part in cast("dict[str, Any]", value).items():
                within += part
        elif isinstance(value, list):
            within += cast("list[Any]", value)


def _unsound(shown: str, what: str) -> Invalid:
    return Invalid(
        f"{shown} has {what}.",
        hint="ComfyUI cannot have run this graph. Import the file without its metadata.",
        code="bad_json",
    )
