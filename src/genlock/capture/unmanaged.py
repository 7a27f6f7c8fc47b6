"""Weights that a run used and nobody registered: they become assets whose versions are known by digest alone.

    rain.safetensors, sha256:1a… ── no asset of that name ──▶ lora:rain v1, unmanaged
    rain.safetensors, sha256:2b… ── lora:rain is unmanaged ─▶ lora:rain v2, unmanaged, active
                                 ── lora:rain was uploaded ─▶ nothing: the take is stale by bytes that no version has

The bytes are not kept, so such a version is equal only to itself: another header makes another version.
"""

from collections.abc import Iterable, Mapping

from genlock.capture.seen import Used
from genlock.capture.shelf import Shelf, basename
from genlock.db.connection import Conn, many
from genlock.digest import Digest
from genlock.library import actions as library
from genlock.library import sql as library_sql
from genlock.library.kinds import OCTETS
from genlock.library.model import NewAsset, NewVersion
from genlock.model import FORBIDDEN_IN_NAMES, MAX_NAME, Actor, Kind, Model
from genlock.staleness import activation
from genlock.takes import input_links

UNMANAGED = "unmanaged"
_WEIGHTS = frozenset({Kind.MODEL, Kind.LORA, Kind.VAE, Kind.TEXT_ENCODER, Kind.CONTROLNET})


class Unknown(Model):
    """Weights that no version has; ``asset_id`` is that of an unmanaged asset of their name."""

    kind: Kind
    name: str
    filename: str
    digest: Digest
    asset_id: int | None


class _Marked(Model):
    asset_id: int


def unknown_weights(used: Iterable[Used], shelf: Shelf, unmanaged: frozenset[int]) -> tuple[Unknown, ...]:
    """Those of ``used`` that need a version: without an asset, or with one that is unmanaged. Pure."""
    found: dict[tuple[str, Digest], Unknown] = {}
    for one in used:
        if one.digest is None or one.role not in _WEIGHTS:
            continue
        match = shelf.match(one)
        if match is not None and (match.number is not None or match.asset_id not in unmanaged):
            continue
        name = _asset_name(one.name)
        if name:
            asset_id = None if match is None else match.asset_id
            found[name, one.digest] = Unknown(
                kind=Kind(one.role), name=name, filename=basename(one.name)[:255], digest=one.digest, asset_id=asset_id
            )
    return tuple(found.values())


async def unmanaged_assets(conn: Conn, shelf: Shelf) -> frozenset[int]:
    """Those of the shelf's assets of which every version is unmanaged."""
    found = await many(
        conn,
        _Marked,
        """
        SELECT asset_id
          FROM asset_versions
         WHERE asset_id = ANY(%(assets)s)
         GROUP BY asset_id
        HAVING bool_and(details @> '{"unmanaged": true}')
        """,
        assets=sorted({one.asset_id for one in shelf.candidates}),
    )
    return frozenset(one.asset_id for one in found)


async def register(conn: Conn, unknown: Iterable[Unknown], sizes: Mapping[Digest, int], actor: Actor) -> None:
    """Make the assets and versions. The library is locked."""
    made: dict[tuple[Kind, str], int] = {}
    unknown = tuple(unknown)
    await input_links.lock(conn, [one.digest for one in unknown])
    for one in unknown:  # a handful, once for each file that was never met before
        asset_id = one.asset_id or made.get((one.kind, one.name))
        if asset_id is None:
            there = await library_sql.assets_named(conn, [(one.kind, one.name)], None)
            if there:
                continue  # archived, or managed under the same name: left to a person
            asset = await library.create_asset(conn, NewAsset(kind=one.kind, name=one.name), actor)
            asset_id = made[one.kind, one.name] = asset.id
        new = NewVersion(
            digest=one.digest,
            effective_digest=one.digest,
            size_bytes=sizes.get(one.digest, 0),
            media_type=OCTETS,
            filename=one.filename,
            note="seen in ComfyUI; its bytes are not kept here",
            details={UNMANAGED: True},
        )
        await activation.add_version(conn, asset_id, new, actor)


def _asset_name(filename: str) -> str:
    """The stem of a file as an asset's name; empty if nothing is left of it."""
    name = basename(filename)
    stem = name.rpartition(".")[0] or name
    shown = "".join("_" if sign in FORBIDDEN_IN_NAMES else sign for sign in stem if sign.isprintable())
    made = shown.strip()[:MAX_NAME]
    return "" if made in {".", ".."} else made
