"""What was seen of a run: the graph, the files as they were loaded, and what linked inputs turned out to be."""

from collections.abc import Mapping
from typing import Any, cast

from genlock.digest import Digest
from genlock.model import Model

Scalar = str | int | float | bool | None
Resolved = Mapping[str, Mapping[str, Scalar]]
"""By node and input, the values that went into a node when it ran."""


class FileSeen(Model):
    """A file that a node loaded. Without a digest, ``missing`` says why nobody can say what its bytes were."""

    node: str
    input: str | None = None
    category: str | None = None
    name: str
    digest: Digest | None = None
    size_bytes: int | None = None
    missing: str | None = None
    cached: bool = False


class Used(Model):
    """A file that a claim will name, before it is known which asset that is.

    ``digest`` is of its bytes as they were used, ``digest_prefix`` the first hexadecimal digits of it where no more
    is known. ``as_loaded`` says that whoever saw the run hashed files, or tried to: then a name proves nothing.
    ``is_stem``: the name comes without its extension.
    """

    role: str
    name: str
    digest: Digest | None = None
    digest_prefix: str | None = None
    strength_model: float | None = None
    strength_clip: float | None = None
    as_loaded: bool = False
    is_stem: bool = False


def settled(graph: Mapping[str, Any], resolved: Resolved) -> dict[str, Any]:
    """``graph`` with the values that linked inputs turned out to have, where they were seen; the rest as it is."""
    return {key: _settled_node(node, resolved[key]) if resolved.get(key) else node for key, node in graph.items()}


def _settled_node(node: Any, seen: Mapping[str, Scalar]) -> Any:
    if not isinstance(node, dict) or not isinstance(node.get("inputs"), dict):  # pyright: ignore[reportUnknownMemberType]
        return cast(Any, node)
    inputs = cast("dict[str, Any]", node["inputs"])
    values: dict[str, Any] = {
        name: seen[name] if isinstance(value, list) and seen.get(name) is not None else value
        for name, value in inputs.items()
    }
    return {**cast("dict[str, Any]", node), "inputs": values}
