"""Calls that import work made before Genlock."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from genlock.capture.import_model import CONTAINERS, Imported, NewImport
from genlock.digest import Digest, from_raw
from genlock.errors import Conflict, Invalid, NotFound
from genlock.sdk.bodies import body_of
from genlock.sdk.calls import Calls
from genlock.sdk.old_work import DEFAULT_PATTERN, OldTake, OldWork, Pattern, find_old_work
from genlock.sdk.uploads import Form, Progress, size_of


@dataclass(frozen=True)
class ImportedFile:
    """One take of a folder: what became of it, or why it was refused."""

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
        """Import files, by container (``mp4``, ``webm``, ``webp``, ``png``), as one take. Known bytes are not sent."""
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
        fields = [("take", json.dumps(new.model_dump(mode="json", exclude_none=True)))]
        try:
            return self._http.send_form(Imported, "/imports", Form(fields, {}))
        except NotFound as unknown:
            if unknown.code != "not_imported":
                raise
        return self._http.send_form(Imported, "/imports", Form(fields, ordered, on_progress))

    def find_old_work(
        self,
        folder: Path | str,
        pattern: str = DEFAULT_PATTERN,
        *,
        project: str | None = None,
        scene: str | None = None,
    ) -> OldWork:
        """The takes in a folder of this machine, by the names of its files; nothing is sent."""
        return find_old_work(Path(folder), Pattern(pattern, project=project, scene=scene))

    def import_work(
        self, work: OldWork, *, engine_version: str | None = None, dry_run: bool = False
    ) -> Iterator[ImportedFile]:
        """Import what ``find_old_work`` found, one take after the other. A file that is refused stops no other."""
        for take in work.takes:
            try:
                imported = self.import_take(
                    take.project,
                    take.scene,
                    take.segment,
                    take.files,
                    name=take.name,
                    engine_version=engine_version,
                    dry_run=dry_run,
                )
            except (Invalid, Conflict) as refused:
                yield ImportedFile(take, None, refused)
            else:
                yield ImportedFile(take, imported, None)


def _digest_of(path: Path) -> Digest:
    size_of(path)  # says what is wrong with a file that cannot be read
    try:
        with path.open("rb") as source:
            return from_raw(hashlib.file_digest(source, "sha256").digest())
    except OSError as error:
        raise Invalid(
            f"{path} cannot be read: {error.strerror}.", hint="Check who may read it.", code="no_file"
        ) from error
