"""The SDK against a real server: calls take references and return frozen values, page by page."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.client.served import Served

from genlock.client import Genlock
from genlock.digest import digest_of
from genlock.errors import Conflict, Denied, Invalid, NotFound, Tampered
from genlock.events.model import Event
from genlock.library.model import Outcome, VersionRef
from genlock.staleness.model import State
from genlock.takes.claim import Claim
from genlock.takes.model import NewTake
from genlock.timeline.model import Project

Video = Callable[[int], Path]


def test_the_timeline_is_edited(gl: Genlock, project: Project) -> None:
    scene = gl.create_scene(project.slug, "night")
    created = gl.create_segments(scene, 3)
    assert [segment.position for segment in created] == [1, 2, 3]
    inserted = gl.create_segments(f"{project.slug}/night", name="between", position=2, chained=False)[0]
    changed = gl.change_segment(f"{project.slug}/night/2", position=1, name="first")
    assert (changed.id, changed.position, changed.name, changed.chained) == (inserted.id, 1, "first", False)
    assert gl.segment(changed.id) == gl.segment(f"{project.slug}/night/1") == gl.segment(changed)
    gl.archive_segment(f"{project.slug}/night/1")
    assert [segment.id for segment in gl.segments(project, scene=scene)] == [segment.id for segment in created]
    assert gl.restore_segment(changed.id).position == 1
    assert gl.rename_scene(scene, "dusk").name == gl.scene(f"{project.slug}/dusk").name
    gl.archive_scene(f"{project.slug}/dusk")
    assert list(gl.scenes(project)) == []
    assert [scene.name for scene in gl.scenes(project, archived=True)] == ["dusk"]
    gl.restore_scene(f"{project.slug}/dusk")
    assert gl.rename_project(project, "Other").name == "Other"
    gl.archive_project(project.slug)
    with pytest.raises(NotFound):
        gl.project(project.slug)
    assert gl.restore_project(project.slug).archived is False


def test_lists_are_read_page_by_page(gl: Genlock, project: Project) -> None:
    scene = gl.create_scene(project, "long")
    gl.create_segments(scene, 7)
    listing = gl.segments(project, page_size=3)
    assert listing.total == 7
    assert [segment.position for segment in listing] == list(range(1, 8))
    assert [len(page.items) for page in listing.pages()] == [3, 3, 1]
    assert len(listing.first.items) == 3
    assert [segment.position for segment in gl.segments(project, state=State.EMPTY, name="segment 4")] == [4]


def test_a_mistyped_reference_is_suggested(gl: Genlock, project: Project, lora: Path) -> None:
    gl.create_segments(gl.create_scene(project, "night"), 2)
    gl.add_version(gl.create_asset("lora", "rain", project=project), lora)
    wrong: list[tuple[Callable[[], object], str]] = [
        (lambda: gl.project(project.slug + "x"), project.slug),
        (lambda: gl.scene(f"{project.slug}/nihgt"), f"{project.slug}/night"),
        (lambda: gl.segment(f"{project.slug}/night/9"), "It has 2"),
        (lambda: gl.asset("lora:rian", project=project), "lora:rain"),
        (lambda: gl.asset("model:rain", project=project), "lora:rain"),
    ]
    for call, suggestion in wrong:
        with pytest.raises(NotFound) as refused:
            call()
        assert suggestion in (refused.value.hint or ""), refused.value.message


def test_a_segment_is_named_by_position_or_by_name(gl: Genlock, project: Project) -> None:
    gl.create_segments(gl.create_scene(project, "night"), 2)
    night = f"{project.slug}/night"
    gl.change_segment(f"{night}/2", name="walk in")
    assert gl.segment(f"{night}/walk in").position == 2
    with pytest.raises(NotFound) as refused:
        gl.segment(f"{night}/walk ni")
    assert refused.value.hint == "Did you mean walk in?"
    gl.change_segment(f"{night}/1", name="walk in")
    with pytest.raises(Invalid) as ambiguous:
        gl.segment(f"{night}/walk in")
    assert f"{night}/1, {night}/2" in (ambiguous.value.hint or "")


def test_an_asset_of_a_project_hides_the_shared_one(gl: Genlock, project: Project, lora: Path) -> None:
    name = f"rain of {project.slug}"
    shared = gl.ensure_asset("lora", name)
    own = gl.ensure_asset("lora", name, project=project)
    assert own.id != shared.id
    assert gl.ensure_asset("lora", name, project=project).id == own.id
    assert gl.asset(f"lora:{name}").id == shared.id
    assert gl.asset(f"lora:{name}", project=project.slug).id == own.id
    other = gl.create_project(f"{project.slug}-other")
    assert gl.asset(f"lora:{name}", project=other).id == shared.id
    gl.archive_asset(shared)
    with pytest.raises(NotFound):
        gl.asset(f"lora:{name}", project=other)
    assert gl.restore_asset(f"lora:{name}").id == shared.id
    gl.add_version(own, lora)
    assert gl.rename_asset(own, f"heavy {name}").name == f"heavy {name}"


def test_an_asset_created_for_a_refused_upload_is_hidden_until_one_succeeds(
    gl: Genlock, project: Project, lora: Path, tmp_path: Path
) -> None:
    def upload(file: Path) -> int:
        with gl.asset_for_upload("lora", "rain", project=project) as asset:
            return gl.add_version(asset, file).version.number

    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(lora.read_bytes()[:100])
    for _ in range(2):
        with pytest.raises(Invalid, match=r"cut\.safetensors"):
            upload(cut)
        assert [asset.name for asset in gl.assets(kind="lora", project=project) if asset.project_id == project.id] == []
    assert upload(lora) == 1
    with pytest.raises(Invalid):
        upload(cut)
    (uploaded,) = [asset for asset in gl.assets(kind="lora", project=project) if asset.project_id == project.id]
    assert (uploaded.name, uploaded.versions_total, uploaded.archived) == ("rain", 1, False)


def test_versions_are_added_activated_and_downloaded(gl: Genlock, project: Project, lora: Path, tmp_path: Path) -> None:
    source = gl.create_asset("audio", "sound", project=project)
    asset = gl.create_asset("other", "rain", project=project)
    gl.add_version(source, lora)
    progress: list[tuple[int, int]] = []

    def report(done: int, total: int) -> None:
        progress.append((done, total))

    first = gl.add_version(asset, lora, note="one", derived_from=["audio:sound@1"], on_progress=report)
    assert first.outcome is Outcome.CREATED
    assert progress[-1] == (lora.stat().st_size, lora.stat().st_size)
    assert first.version.derivations[0].sources == (VersionRef(asset_id=source.id, number=1),)
    again = gl.add_version(asset, str(lora))
    assert (again.outcome, again.version.number) == (Outcome.EXISTS, 1)
    lora.write_bytes(b"rain, two")
    with pytest.raises(Invalid, match="only workflows have bindings"):
        gl.add_version("other:rain", lora, project=project, bindings={"output": "3"})
    second = gl.add_version("other:rain", lora, activate=False, project=project)
    assert (second.version.number, second.version.active) == (2, False)
    assert [version.number for version in gl.versions(asset)] == [2, 1]
    assert gl.version("other:rain", project=project).number == 1
    assert gl.impact("other:rain@2", project=project).segments.becomes_stale == 0
    activation = gl.activate(asset, 2, note="better")
    assert (activation.previous, activation.active) == (1, 2)
    newest = gl.activations(asset).first.items[0]
    assert (newest.from_version, newest.to_version, newest.note) == (1, 2, "better")
    with pytest.raises(Invalid):
        gl.activate("other:rain", project=project)
    written = gl.download_version("other:rain@1", tmp_path / "copy.bin", project=project)
    assert digest_of(written.read_bytes()) == first.version.digest
    assert [listed.id for listed in gl.assets(digest=first.version.digest, project=project, kind="other")] == [asset.id]
    assert gl.usage(asset).total == 0


def test_a_file_is_registered_in_place(server: Served, gl: Genlock, project: Project, lora: Path) -> None:
    (root,) = server.settings.register_roots
    heavy = root / "heavy.bin"
    heavy.write_bytes(b"many weights")
    gl.create_asset("lora", "heavy", project=project)
    added = gl.register_in_place("lora:heavy", str(heavy), note="too large to copy", project=project)
    assert (added.version.number, added.version.in_place, added.version.note) == (1, True, "too large to copy")
    assert added.version.digest == digest_of(b"many weights")
    with pytest.raises(Denied, match="not below a folder"):
        gl.register_in_place("lora:heavy", str(lora), project=project)


def test_a_file_that_cannot_be_uploaded_is_refused(gl: Genlock, project: Project, tmp_path: Path) -> None:
    asset = gl.create_asset("lora", "none", project=project)
    (tmp_path / "cut.safetensors").write_bytes(b"\x00" * 4)
    for path in (tmp_path / "missing", tmp_path, tmp_path / "cut.safetensors"):
        with pytest.raises(Invalid) as refused:
            gl.add_version(asset, path)
        assert refused.value.hint
    assert gl.asset(asset).versions_total == 0


def test_a_download_is_verified_before_it_replaces_the_target(gl: Genlock, project: Project, lora: Path) -> None:
    added = gl.add_version(gl.create_asset("other", "bytes", project=project), lora)
    target = lora.with_name("copy.bin")
    target.write_bytes(b"what was here")
    with pytest.raises(NotFound):
        gl.download(digest_of(b"nobody has these"), target)
    with pytest.raises(Invalid):
        gl.download(added.version.digest, lora.with_name("no-folder") / "copy.bin")
    assert target.read_bytes() == b"what was here"
    gl.download(added.version.digest, target)
    assert target.read_bytes() == lora.read_bytes()
    assert sorted(path.name for path in lora.parent.iterdir()) == sorted([lora.name, target.name])


def test_the_report_groups_stale_segments_by_cause(gl: Genlock, project: Project, lora: Path, video: Video) -> None:
    gl.create_segments(gl.create_scene(project, "night"), 2)
    asset = gl.create_asset("lora", "drizzle", project=project)
    gl.add_version(asset, _weights(lora, 1))
    for position in (1, 2):
        with gl.generation(f"{project.slug}/night/{position}", engine="diffusers") as g:
            g.use("lora:drizzle", strength_model=0.8)
            g.output(video(90 + position))
    assert gl.report(project.slug).groups == ()
    added = gl.add_version(asset, _weights(lora, 2), activate=False)
    assert gl.impact(asset, 2).segments.becomes_stale == 2
    gl.activate(asset, added.version.number)
    group = gl.report(project.slug).groups[0]
    assert group.sentence == "2 segments in 1 scene used drizzle_v1 — you are on v2"
    assert [segment.position for segment in gl.group_segments(project, group)] == [1, 2]
    assert [segment.state for segment in gl.segments(project)] == [State.STALE] * 2
    waivers = gl.waive(f"{project.slug}/night/1", "lora:drizzle", "not heard")
    assert [waiver.reason for waiver in gl.waivers(project)] == ["not heard"]
    assert gl.report(project).groups[0].segments == 1
    gl.withdraw_waiver(waivers[0])
    assert len(gl.waive(f"{project.slug}/night", "lora:drizzle", "all")) == 2
    assert gl.report(project).groups == ()
    assert [pin.asset_id for pin in gl.pins(project)] == []
    usage = gl.usage("lora:drizzle@1", project=project)
    assert (usage.total, {use.take for use in usage}) == (2, {1})
    assert [(version.number, version.total) for version in gl.usage(asset).versions] == [(1, 2), (2, 0)]


def test_receipts_are_searched_compared_and_verified(gl: Genlock, project: Project, video: Video) -> None:
    (segment,) = gl.create_segments(gl.create_scene(project, "night"))
    claim = Claim.model_validate(
        {"engine": {"name": "diffusers"}, "parameters": {"seed": str(2**64 - 1), "prompt": f"roof {project.slug}"}}
    )
    first = gl.record(segment, claim, video=video(10))
    again = gl.record(segment, claim, video=video(10))
    assert (again.created, again.take.id, again.receipt.id) == (False, first.take.id, first.receipt.id)
    other = gl.record(segment, claim.model_copy(update={"note": "again"}), video=video(200), select=False)
    assert gl.document(first.receipt.id) == gl.document(first.receipt)
    assert digest_of(gl.document(first.receipt)) == first.receipt.receipt_digest
    with pytest.raises(Tampered):
        gl.document(first.receipt.model_copy(update={"receipt_digest": digest_of(b"other")}))
    matches = gl.find_receipts(seed=2**64 - 1, prompt=f"roof {project.slug}")
    assert {line.id for line in matches} == {first.receipt.id, other.receipt.id}
    assert [line.id for line in gl.find_receipts(output=first.take.outputs["video"])] == [first.receipt.id]
    difference = gl.compare_receipts(first.receipt, other.receipt)
    assert difference.same_wish
    assert "video" in {part.part for part in difference.outputs}
    assert gl.select_take(segment, 2).selected
    stored = claim.model_copy(update={"outputs": {"video": first.take.outputs["video"]}, "note": "batch"})
    (batched,) = gl.record_batch([NewTake(segment_id=segment.id, claim=stored)])
    assert batched.take == 3


def test_tokens_are_limited_by_their_role(gl: Genlock, server: Served) -> None:
    issued = gl.create_token("a viewer", "viewer")
    assert issued.id in {token.id for token in gl.tokens()}
    with Genlock(server.url, issued.secret) as viewer:
        assert (viewer.me().name, viewer.me().role.value) == ("a viewer", "viewer")
        with pytest.raises(Denied) as refused:
            viewer.create_project("not-allowed")
        assert not refused.value.unauthenticated
        gl.revoke_token(issued.id)
        with pytest.raises(Denied) as refused:
            viewer.me()
        assert refused.value.unauthenticated
    with Genlock(server.url, "nonsense") as nobody, pytest.raises(Denied):
        nobody.me()


def test_events_are_listed_and_followed(gl: Genlock, server: Served, project: Project) -> None:
    event_ids = [event.id for event in gl.events(project=project)]
    assert [event.verb for event in gl.events(project=project)] == ["project.created"]
    received: list[Event] = []

    def listen() -> None:
        with server.client() as listener:
            for event in listener.follow_events(after=event_ids[-1], project=project.slug):
                received.append(event)
                if event.verb == "segments.created" or len(received) == 2:
                    return

    listening = threading.Thread(target=listen)
    listening.start()
    gl.create_segments(gl.create_scene(project, "night"))
    listening.join()
    assert received[0].verb == "scene.created"
    assert received == list(gl.events(after=event_ids[-1], project=project))[: len(received)]


def test_invalid_arguments_are_refused_before_anything_is_sent() -> None:
    with Genlock("http://127.0.0.1:1", "t") as gl:
        for call in (
            lambda: gl.create_project("Not A Slug"),
            lambda: gl.create_project("a", "line\nbreak"),
            lambda: gl.create_asset("lora", "../up"),
            lambda: gl.create_asset("loras", "rain"),
            lambda: gl.create_asset("lora", "x" * 201),
            lambda: gl.create_token("a", "king"),
            lambda: gl.project("a/b"),
            lambda: gl.segment("a/b"),
        ):
            with pytest.raises(Invalid) as refused:
                call()
            assert refused.value.message


def test_a_taken_slug_is_a_conflict(gl: Genlock, project: Project) -> None:
    with pytest.raises(Conflict):
        gl.create_project(project.slug)


def _weights(path: Path, number: int) -> Path:
    """Write a LoRA file with one small tensor."""
    header = b'{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}'
    file = path.with_name(f"drizzle_v{number}.safetensors")
    file.write_bytes(len(header).to_bytes(8, "little") + header + bytes([number]))
    return file
