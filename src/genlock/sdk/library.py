"""Calls for assets: their versions, the active one, and their usage."""

import json
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from genlock.digest import Digest
from genlock.engines.comfyui.bindings import WorkflowBindings
from genlock.errors import Conflict, GenlockError, Invalid
from genlock.library.model import (
    Activation,
    Asset,
    BindingsChange,
    EditorForm,
    NewAsset,
    NewBindings,
    Version,
    VersionRef,
)
from genlock.model import Kind, Page
from genlock.sdk.bodies import body_of
from genlock.sdk.calls import Calls
from genlock.sdk.downloads import download
from genlock.sdk.editor_files import definitions_of
from genlock.sdk.listing import Listing
from genlock.sdk.names import AssetLike, ProjectLike
from genlock.sdk.uploads import Form, Progress
from genlock.sdk.usage_codes import BAD_REFERENCE
from genlock.staleness.bodies import Activated, ActivationRequest, InPlaceVersion, VersionAdded
from genlock.staleness.model import Impact
from genlock.takes.model import Usage, UsagePage, VersionUsage
from genlock.timeline.model import NewName

Source = VersionRef | str
"""A source of a derived version: a ``VersionRef``, or a reference such as ``source_image:portrait@3``."""


class LibraryCalls(Calls):
    """Assets and their versions."""

    def create_asset(self, kind: Kind | str, name: str, *, project: ProjectLike | None = None) -> Asset:
        """Create an asset without versions; all projects share it unless a project is given."""
        new = body_of(NewAsset, kind=kind, name=name, project_id=self._project_of(project))
        return self._http.send(Asset, "POST", "/assets", new)

    def ensure_asset(self, kind: Kind | str, name: str, *, project: ProjectLike | None = None) -> Asset:
        """Return the asset of that kind and name, created if it does not exist: a project's own, or the shared one."""
        return self._ensured(kind, name, project)[0]

    @contextmanager
    def asset_for_upload(self, kind: Kind | str, name: str, *, project: ProjectLike | None = None) -> Generator[Asset]:
        """Yield ``ensure_asset`` for an upload. If the upload fails, archive the asset if it was created for it."""
        asset, created = self._ensured(kind, name, project)
        try:
            yield asset
        except BaseException:
            with suppress(GenlockError):  # the error that ended the upload is the one to report
                if created and not self.asset(asset).versions_total:
                    self.archive_asset(asset)
            raise

    def _ensured(self, kind: Kind | str, name: str, project: ProjectLike | None) -> tuple[Asset, bool]:
        """Return the asset, and whether this call created it or restored it without versions."""
        new = body_of(NewAsset, kind=kind, name=name, project_id=self._project_of(project))
        asset = self._exactly(new)
        if asset is not None:
            return asset, False
        try:
            return self._http.send(Asset, "POST", "/assets", new), True
        except Conflict:
            asset = self._exactly(new)
            if asset is not None:  # another client created it meanwhile
                return asset, False
            hidden = self._exactly(new, archived=True)
            if hidden is None or hidden.versions_total:
                raise
            return self.restore_asset(hidden), True

    def _exactly(self, new: NewAsset, *, archived: bool = False) -> Asset | None:
        named = self.assets(kind=new.kind, project=new.project_id, name=new.name, archived=archived, page_size=500)
        return next((asset for asset in named if (asset.name, asset.project_id) == (new.name, new.project_id)), None)

    def assets(
        self,
        *,
        kind: Kind | str | None = None,
        project: ProjectLike | None = None,
        name: str | None = None,
        digest: str | None = None,
        archived: bool = False,
        page_size: int = 100,
    ) -> Listing[Asset]:
        """List assets by name: of a kind, usable by a project, with a name prefix, or with a version of a digest."""
        return self._list(
            Page[Asset],
            "/assets",
            kind=kind,
            project_id=self._project_of(project),
            q=name,
            digest=digest,
            archived=archived,
            limit=page_size,
        )

    def asset(self, asset: AssetLike, *, project: ProjectLike | None = None) -> Asset:
        """Return an asset, with the number of segments that use it and how many of those are stale."""
        return self._http.get(Asset, f"/assets/{self._names.asset(asset, self._project_of(project)).id}")

    def rename_asset(self, asset: AssetLike, name: str, *, project: ProjectLike | None = None) -> Asset:
        """Rename an asset. Receipts keep the name they were written with."""
        asset_id = self._names.asset(asset, self._project_of(project)).id
        return self._http.send(Asset, "PATCH", f"/assets/{asset_id}", body_of(NewName, name=name))

    def archive_asset(self, asset: AssetLike, *, project: ProjectLike | None = None) -> Asset:
        """Archive an asset, hiding it from new work. Nothing is deleted, and takes that used it are still judged."""
        asset_id = self._names.asset(asset, self._project_of(project)).id
        return self._http.send(Asset, "POST", f"/assets/{asset_id}/archive")

    def restore_asset(self, asset: AssetLike, *, project: ProjectLike | None = None) -> Asset:
        """Restore an archived asset."""
        asset_id = self._names.asset(asset, self._project_of(project), archived=True).id
        return self._http.send(Asset, "POST", f"/assets/{asset_id}/restore")

    # versions ------------------------------------------------------------------------------------

    def add_version(
        self,
        asset: AssetLike,
        file: Path | str,
        *,
        note: str = "",
        activate: bool = True,
        derived_from: Sequence[Source] = (),
        bindings: Mapping[str, Any] | None = None,
        digest: Digest | None = None,
        editor: Path | str | None = None,
        comfyui: Path | str | None = None,
        project: ProjectLike | None = None,
        on_progress: Progress | None = None,
    ) -> VersionAdded:
        """Upload a file as a new version. ``report`` in the result lists what became stale and what became fresh again.

        With ``digest`` the upload is refused (``other_bytes``) if the file has another digest. A workflow may be the
        file that ComfyUI's page saves: it is converted with the node definitions of ``comfyui``, the URL of a server
        or a file of its ``/object_info``, by default of the server that Genlock knows. ``editor``: that file, to be
        kept with a graph in API format.
        """
        target = self._names.asset(asset, self._project_of(project))
        sources = [self._source(source, target.project_id) for source in derived_from]
        fields = [("note", note), ("activate", str(activate).lower())]
        fields += [("derived_from", f"{source.asset_id}@{source.number}") for source in sources]
        if bindings is not None:
            fields.append(("bindings", json.dumps(bindings)))
        if digest is not None:
            fields.append(("digest", digest))
        files = {"file": Path(file)} | ({} if editor is None else {"editor": Path(editor)})
        with definitions_of(comfyui, Path(editor or file)) as definitions:
            form = Form(fields, files | definitions, on_progress)
            return self._http.send_form(VersionAdded, f"/assets/{target.id}/versions", form)

    def register_in_place(
        self,
        asset: AssetLike,
        path: str,
        *,
        note: str = "",
        activate: bool = True,
        derived_from: Sequence[Source] = (),
        project: ProjectLike | None = None,
    ) -> VersionAdded:
        """Register a file on the server's machine in place, below one of its configured roots (administrators only)."""
        target = self._names.asset(asset, self._project_of(project))
        sources = [self._source(source, target.project_id) for source in derived_from]
        body = body_of(InPlaceVersion, path=path, note=note, activate=activate, derived_from=sources)
        return self._http.send(VersionAdded, "POST", f"/assets/{target.id}/versions", body)

    def versions(self, asset: AssetLike, *, project: ProjectLike | None = None) -> Listing[Version]:
        """List all versions of an asset, newest first."""
        asset_id = self._names.asset(asset, self._project_of(project)).id
        return self._list(Page[Version], f"/assets/{asset_id}/versions")

    def version(self, asset: AssetLike, number: int | None = None, *, project: ProjectLike | None = None) -> Version:
        """Return a version: the named one (``lora:rain@2``, or ``number``), else the active one."""
        target, named = self._version_of(asset, number, project)
        return self._names.content(target, named if named is not None else _number(target, target.active_version))

    def bindings(
        self, asset: AssetLike, number: int | None = None, *, project: ProjectLike | None = None
    ) -> WorkflowBindings:
        """Return which node inputs of a workflow take which values, in one version (by default the active one)."""
        version = self.version(asset, number, project=project)
        path = f"/assets/{version.asset_id}/versions/{version.number}/bindings"
        return self._http.get(WorkflowBindings, path)

    def set_bindings(
        self,
        asset: AssetLike,
        bindings: Mapping[str, Any],
        number: int | None = None,
        *,
        note: str = "",
        project: ProjectLike | None = None,
    ) -> WorkflowBindings:
        """Set fields of a workflow's bindings, in one version (by default the active one); None removes a field."""
        version = self.version(asset, number, project=project)
        path = f"/assets/{version.asset_id}/versions/{version.number}/bindings"
        return self._http.send(
            WorkflowBindings, "PATCH", path, body_of(NewBindings, bindings=dict(bindings), note=note)
        )

    def bindings_history(
        self, asset: AssetLike, number: int | None = None, *, project: ProjectLike | None = None
    ) -> Listing[BindingsChange]:
        """Return the bindings that were set for a version after its upload, newest first."""
        version = self.version(asset, number, project=project)
        path = f"/assets/{version.asset_id}/versions/{version.number}/bindings/history"
        return self._list(Page[BindingsChange], path)

    def download_version(
        self,
        asset: AssetLike,
        path: Path | str,
        number: int | None = None,
        *,
        project: ProjectLike | None = None,
        on_progress: Progress | None = None,
    ) -> Path:
        """Write a version's bytes to ``path``, or into it under their filename if it is a folder, and verify them."""
        version = self.version(asset, number, project=project)
        target = _target(Path(path), version.filename)
        content = f"/assets/{version.asset_id}/versions/{version.number}/content"
        return download(self._http, content, target, version.digest, on_progress)

    def editor_form(
        self, asset: AssetLike, number: int | None = None, *, project: ProjectLike | None = None
    ) -> EditorForm:
        """Return the file of a workflow that ComfyUI's page saved. Raises ``NotFound`` if there is none."""
        version = self.version(asset, number, project=project)
        return self._http.get(EditorForm, f"/assets/{version.asset_id}/versions/{version.number}/editor")

    def download_editor_form(
        self,
        asset: AssetLike,
        path: Path | str,
        number: int | None = None,
        *,
        project: ProjectLike | None = None,
        on_progress: Progress | None = None,
    ) -> Path:
        """Write a workflow as ComfyUI's page saved it to ``path``, a file or a folder, and verify it."""
        version = self.version(asset, number, project=project)
        form = self.editor_form(asset, number, project=project)
        target = _target(Path(path), form.filename)
        content = f"/assets/{version.asset_id}/versions/{version.number}/editor/content"
        return download(self._http, content, target, form.digest, on_progress)

    def activate(
        self, asset: AssetLike, version: int | None = None, *, note: str = "", project: ProjectLike | None = None
    ) -> Activated:
        """Activate a version. ``report`` in the result lists what became stale and fresh again."""
        target, named = self._version_of(asset, version, project)
        body = body_of(ActivationRequest, version=_number(target, named), note=note)
        return self._http.send(Activated, "POST", f"/assets/{target.id}/activate", body)

    def activations(self, asset: AssetLike, *, project: ProjectLike | None = None) -> Listing[Activation]:
        """List who changed the active version, when, from and to which; newest first."""
        asset_id = self._names.asset(asset, self._project_of(project)).id
        return self._list(Page[Activation], f"/assets/{asset_id}/activations")

    def impact(self, asset: AssetLike, version: int | None = None, *, project: ProjectLike | None = None) -> Impact:
        """Return what would become stale, and fresh again, if a version were active. Changes nothing."""
        target, named = self._version_of(asset, version, project)
        return self._http.get(Impact, f"/assets/{target.id}/impact", version=_number(target, named))

    def usage(
        self,
        asset: AssetLike,
        version: int | None = None,
        *,
        all_takes: bool = False,
        in_project: ProjectLike | None = None,
        project: ProjectLike | None = None,
        page_size: int = 100,
    ) -> "UsageListing":
        """List the takes that used an asset, or exactly one version: selected takes, or all with ``all_takes``."""
        target, named = self._version_of(asset, version, project)
        parameters = {
            "version": named,
            "takes": "all" if all_takes else "selected",
            "project_id": self._project_of(in_project),
            "limit": page_size,
        }
        path = f"/assets/{target.id}/usage"
        return UsageListing(lambda cursor: self._http.get(UsagePage, path, **parameters, cursor=cursor))

    def _version_of(
        self, asset: AssetLike, number: int | None, project: ProjectLike | None
    ) -> tuple[Asset, int | None]:
        """Return an asset and its version number, from the reference or from ``number``."""
        project_id = self._project_of(project)
        if isinstance(asset, str):
            target, named = self._names.version(asset, project_id)
            return target, number if number is not None else named
        return self._names.asset(asset, project_id), number

    def _source(self, source: Source, project_id: int | None) -> VersionRef:
        if isinstance(source, VersionRef):
            return source
        asset, number = self._names.version(source, project_id)
        return VersionRef(asset_id=asset.id, number=_number(asset, asset.active_version if number is None else number))


class UsageListing(Listing[Usage]):
    """Takes that used an asset or version. ``total`` counts them exactly; ``versions`` counts them per version."""

    @property
    def versions(self) -> tuple[VersionUsage, ...]:
        """Number of takes that used each version; empty for a listing of one version."""
        page = self.first
        return (page.versions or ()) if isinstance(page, UsagePage) else ()


def _number(asset: Asset, number: int | None) -> int:
    """Return a version number. Raise ``Invalid`` if none is given."""
    if number is None:
        plain = f"{asset.kind}:{asset.name}"
        raise Invalid(f"No version of {plain} is named.", hint=f"Name one, such as {plain}@1.", code=BAD_REFERENCE)
    return number


def _target(path: Path, filename: str) -> Path:
    """Return the file to write: ``path``, or if that is a folder the file of that name in it."""
    return path / Path(filename).name if path.is_dir() else path
