"""Uploads of workflows: a graph in API format, or the file that ComfyUI's page saves, converted with its definitions.

    file = graph                                     stored as it is; with ``editor``, the page's own file of it too
    file = the editor's form  (+ definitions)        its graph is the version; the form and the definitions are kept

Definitions are those of the request, else those of the ComfyUI server that Genlock knows.
"""

import asyncio
import hashlib
from collections.abc import Mapping
from typing import Any, NamedTuple

from genlock.blobs.model import Stored
from genlock.blobs.store import Chunk, Store
from genlock.digest import canonical
from genlock.engines.comfyui.binding import written
from genlock.engines.comfyui.client import connected
from genlock.errors import Invalid
from genlock.graphs.editor_conversion import convert_editor_file
from genlock.graphs.editor_file import is_editor_file, read_editor_file
from genlock.graphs.graph import read_graph
from genlock.graphs.node_definition import NodeDefinition
from genlock.graphs.node_definitions import definitions_for, read_definitions, to_object_info
from genlock.graphs.strict_json import read_json
from genlock.library.identify import Identifier
from genlock.library.model import Identity
from genlock.library.readers import shown_name, too_large
from genlock.library.skeleton import MAX_WORKFLOW_BYTES
from genlock.model import Kind
from genlock.web.uploads import FilePart

FILES = ("file", "editor", "definitions")
"""The files of such an upload."""


class HeldFile:
    """Holds a small file whole while it is received; counts its digest."""

    def __init__(self, filename: str) -> None:
        self.name = shown_name(filename)
        self.content = bytearray()
        self._hash = hashlib.sha256()

    def update(self, chunk: Chunk, /) -> None:
        """Hold ``chunk``; raise ``Invalid`` (413) beyond the limit."""
        if len(self.content) + len(chunk) > MAX_WORKFLOW_BYTES:
            raise too_large(self.name, "workflow, or the definitions of its nodes,", MAX_WORKFLOW_BYTES)
        self.content += chunk
        self._hash.update(chunk)

    def digest(self) -> bytes:
        """Return the SHA-256 of everything so far: 32 bytes."""
        return self._hash.digest()


class Forms(NamedTuple):
    """The editor's form of a workflow and the definitions that are kept with it, both stored."""

    editor: Stored
    definitions: Stored | None


class ReceivedWorkflow(NamedTuple):
    """An uploaded workflow: what its graph is, and what is kept with it."""

    identity: Identity
    forms: Forms | None


async def receive_workflow(store: Store, files: Mapping[str, FilePart], comfyui_url: str | None) -> ReceivedWorkflow:
    """Store an uploaded workflow and what belongs to it.

    Raises ``Invalid`` for what is neither form, for what cannot be converted, and (``no_definitions``) where there are
    no definitions to convert it with; ``Unavailable`` if ComfyUI does not answer.
    """
    held = {name: part.hasher for name, part in files.items() if isinstance(part.hasher, HeldFile)}
    file = held["file"]
    value = await asyncio.to_thread(read_json, file.content, file.name)
    if not is_editor_file(value):
        identity = await asyncio.to_thread(_identify, bytes(file.content), file.name)
        forms = await _editor_of(store, files, held, value)
        await files["file"].keep()
        return ReceivedWorkflow(identity, forms)
    if "editor" in held:
        raise Invalid(
            f"{file.name} is the editor's form itself.", hint="Send the graph as `file`.", code="two_editor_forms"
        )
    definitions = await _definitions(held.get("definitions"), comfyui_url, file.name)
    graph = await asyncio.to_thread(lambda: written(convert_editor_file(value, definitions, file.name)))
    identity = await asyncio.to_thread(_identify, graph, file.name)
    stored = await asyncio.to_thread(
        _store_definitions, store, definitions, read_editor_file(value, file.name).class_types
    )
    await asyncio.to_thread(store.put, graph)
    return ReceivedWorkflow(identity, Forms(await files["file"].keep(), stored))


async def _editor_of(
    store: Store, files: Mapping[str, FilePart], held: Mapping[str, HeldFile], graph: Any
) -> Forms | None:
    """Store the editor's form that was sent with a graph, and the definitions of the graph's classes."""
    if "editor" not in held:
        return None
    editor = held["editor"]
    form = await asyncio.to_thread(read_json, editor.content, editor.name)
    if not is_editor_file(form):
        raise Invalid(
            f"{editor.name} is not a workflow that ComfyUI's page saved.",
            hint="Leave `editor` out, or send what the page saves.",
            code="bad_workflow",
        )
    await asyncio.to_thread(read_editor_file, form, editor.name)
    stored = None
    if "definitions" in held:
        definitions = await asyncio.to_thread(_read_definitions, held["definitions"])
        classes = {node.class_type for node in read_graph(graph, editor.name).values()}
        stored = await asyncio.to_thread(_store_definitions, store, definitions, frozenset(classes))
    return Forms(await files["editor"].keep(), stored)


async def _definitions(given: HeldFile | None, comfyui_url: str | None, name: str) -> Mapping[str, NodeDefinition]:
    if given is not None:
        return await asyncio.to_thread(_read_definitions, given)
    if comfyui_url is None:
        raise Invalid(
            f"{name} is in the form that ComfyUI's page saves: a server's node definitions are needed to convert it.",
            hint="Name the server (--comfyui URL, or GENLOCK_COMFYUI_URL for Genlock), send a saved /object_info as"
            " `definitions`, or choose File › Export (API) in ComfyUI and use that file.",
            code="no_definitions",
        )
    async with connected(comfyui_url.rstrip("/")) as client:
        return await asyncio.to_thread(read_definitions, await client.object_info())


def _read_definitions(given: HeldFile) -> Mapping[str, NodeDefinition]:
    return read_definitions(read_json(given.content, given.name))


def _store_definitions(store: Store, definitions: Mapping[str, NodeDefinition], class_types: frozenset[str]) -> Stored:
    return store.put(canonical(to_object_info(definitions_for(definitions, class_types))))


def _identify(content: bytes, name: str) -> Identity:
    identifier = Identifier(Kind.WORKFLOW, name.strip("'"))
    identifier.update(content)
    return identifier.finish()
