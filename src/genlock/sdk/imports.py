"""Calls that import work made before Genlock."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from genlock.capture.import_model import (
    CONTAINERS,
    MAX_LOOKUPS,
    FoundImports,
    Imported,
    ImportLookup,
    Lookup,
    NewImport,
)
from genlock.digest import Digest, from_raw
from genlock.errors import Conflict, Invalid
from genlock.sdk.bodies import body_of
from genlock.sdk.calls import Calls
from genlock.sdk.old_work import DEFAULT_PATTERN, OldTake, OldWork, Pattern, find_old_work
from genlock.sdk.uploads import Form, Progress, size_of

_MAX_CHUNK_BYTES = 2**27


@dataclass(frozen=True)
class ImportedFile:
    """A take of a folder: the result of its import, or why it was refused."""

    take: OldTake
    imported: Imported | None
    refused: Invalid | Conflict | None


class ImportCalls(Calls):
    """Work made before Genlock."""

    def import_take(
        self,
        project: str,
        scene: str,
        segment: str,
        files: Mapping[str, Path],
        *,
        name: str | None = None,
        engine_version: str | None = None,
        dry_run: bool = False,
        on_progress: Progress | None = None,
    ) -> Imported:
        """Import files, by container (such as ``mp4``, ``gif``, ``png``), as one take. Known bytes are not sent."""
        ordered = {container: Path(files[container]) for container in CONTAINERS if container in files}
        if not ordered:
            raise Invalid("There is no file to import.", hint=f"Give one of {', '.join(CONTAINERS)}.", code="no_file")
        video = next(iter(ordered.values()))
        new = body_of(
            NewImport,
            project=project,
            scene=scene,
            segment=segment,
            name=name or video.name,
            engine_version=engine_version,
            digest=_digest_of(video),
            dry_run=dry_run,
        )
        (imported,) = self._find([new])
        return imported if imported is not None else self._send(new, ordered, on_progress)

    def find_old_work(
        self,
        folder: Path | str,
        pattern: str = DEFAULT_PATTERN,
        *,
        project: str | None = None,
        scene: str | None = None,
    ) -> OldWork:
        """Find the takes in a folder of this machine by their file names. Nothing is sent."""
        return find_old_work(Path(folder), Pattern(pattern, project=project, scene=scene))

    def import_work(
        self, work: OldWork, *, engine_version: str | None = None, dry_run: bool = False
    ) -> Iterator[ImportedFile]:
        """Import the result of ``find_old_work`` in order. A refused file does not stop the others."""
        for takes in _chunks(work.takes):
            requests = [_request(take, engine_version, dry_run=dry_run) for take in takes]
            lookups = [request for request in requests if isinstance(request, NewImport)]
            existing = iter(self._find(lookups) if lookups else ())
            for take, request in zip(takes, requests, strict=True):
                if not isinstance(request, NewImport):
                    yield ImportedFile(take, None, request)
                    continue
                imported = next(existing)
                try:
                    yield ImportedFile(take, imported or self._send(request, take.files), None)
                except (Invalid, Conflict) as refused:
                    yield ImportedFile(take, None, refused)

    def _find(self, takes: Sequence[NewImport]) -> tuple[Imported | None, ...]:
        fields = set(Lookup.model_fields)
        lookup = body_of(ImportLookup, takes=[take.model_dump(include=fields) for take in takes])
        return self._http.query(FoundImports, "/imports:find", lookup).items

    def _send(self, new: NewImport, files: Mapping[str, Path], on_progress: Progress | None = None) -> Imported:
        fields = [("take", json.dumps(new.model_dump(mode="json", exclude_none=True)))]
        ordered = {container: Path(files[container]) for container in CONTAINERS if container in files}
        return self._http.send_form(Imported, "/imports", Form(fields, ordered, on_progress))


def _chunks(takes: Sequence[OldTake]) -> Iterator[list[OldTake]]:
    """Yield takes that are looked up together, with few enough bytes to be digested quickly."""
    chunk: list[OldTake] = []
    size_bytes = 0
    for take in takes:
        if chunk and (len(chunk) == MAX_LOOKUPS or size_bytes > _MAX_CHUNK_BYTES):
            yield chunk
            chunk, size_bytes = [], 0
        chunk.append(take)
        size_bytes += sum(path.stat().st_size for path in take.files.values() if path.exists())
    if chunk:
        yield chunk


def _request(take: OldTake, engine_version: str | None, *, dry_run: bool) -> NewImport | Invalid:
    """Return the request for a take, or the reason why its file cannot be read."""
    try:
        return body_of(
            NewImport,
            project=take.project,
            scene=take.scene,
            segment=take.segment,
            name=take.name,
            engine_version=engine_version,
            digest=_digest_of(next(take.files[container] for container in CONTAINERS if container in take.files)),
            dry_run=dry_run,
        )
    except Invalid as refused:
        return refused


def _digest_of(path: Path) -> Digest:
    size_of(path)  # raises for a file that cannot be read
    try:
        with path.open("rb") as source:
            return from_raw(hashlib.file_digest(source, "sha256").digest())
    except OSError as error:
        raise Invalid(
            f"{path} cannot be read: {error.strerror}.", hint="Check who may read it.", code="no_file"
        ) from error
