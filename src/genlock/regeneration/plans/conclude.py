"""Ends a step, each way in one transaction: recorded, restored, cut off, failed, or given back.

Every one begins by locking the plan and asking whether the attempt still holds the step; if not, nothing is written.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from genlock.db.connection import Conn
from genlock.engines.model import Rendered
from genlock.errors import GenlockError
from genlock.events import log
from genlock.library import sql as library_sql
from genlock.library.identify import Identity, identify_file
from genlock.library.model import NewVersion, VersionRef
from genlock.model import Actor, Kind, Role
from genlock.regeneration import wanted
from genlock.regeneration.model import PlanNote, StepError
from genlock.regeneration.plans import finish, plan_write_sql, queue_sql, step_sql
from genlock.regeneration.plans.claiming import sources_of, used
from genlock.regeneration.plans.step_sql import Claimed
from genlock.regeneration.wanted import Wish
from genlock.staleness import activation
from genlock.staleness.activation import ActiveChange
from genlock.takes import record as takes
from genlock.takes import selection
from genlock.takes.claim import Claim, Output
from genlock.takes.parts import Parts
from genlock.takes.record import Recording
from genlock.takes.record_sql import lock_scenes

WORKER = Actor(token_id=None, name="genlock-worker", role=Role.CREATOR)
Fault = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Made:
    """What a render made, its bytes stored."""

    claim: Claim
    outputs: Mapping[str, Output]
    graph: Output
    wish: Wish
    rendered: Rendered

    @property
    def parts(self) -> Parts:
        """The parts of the take or version."""
        return Parts(self.outputs, self.graph, {part: output.digest for part, output in self.outputs.items()})


def identify(path: Path, claimed: Claimed) -> Identity:
    """What a picture is as a version of the step's asset. Blocks."""
    return identify_file(path, claimed.asset_kind or Kind.OTHER)


async def record_take(conn: Conn, claimed: Claimed, made: Made, actor: Actor, fault: Fault) -> None:
    """Record a new take, put it in the cut if the one from the start of the plan still is, and let the plan go on."""
    if claimed.segment_id is None or not await step_sql.lock_if_current_attempt(conn, claimed):
        return
    (recorded,) = await takes.record_takes(
        conn,
        [Recording(claimed.segment_id, made.claim, made.parts, claimed.step_id)],
        actor,
        select=not claimed.review,
        only_if={claimed.segment_id: claimed.selected_take_id},
    )
    await step_sql.finished(conn, claimed.step_id, take_id=recorded.take_id)
    if not claimed.review and await step_sql.selected_take(conn, claimed.segment_id) != recorded.take_id:
        await _note_not_selected(conn, claimed, f"take {recorded.take} was added and is not selected")
    await _tell(conn, claimed, actor, "succeeded", take_id=recorded.take_id, take=recorded.take)
    await finish.go_on(conn, claimed.plan_id, actor, behind=claimed.position)
    fault("recording")


async def record_version(
    conn: Conn, claimed: Claimed, made: Made, identity: Identity, actor: Actor, fault: Fault
) -> ActiveChange | None:
    """Record a new version with its derivation and receipt, activate it unless a person is asked, let the plan go on.

    The move of the active version, if there was one, is to be told after the commit.
    """
    if claimed.asset_id is None or not await step_sql.lock_if_current_attempt(conn, claimed):
        return None
    await library_sql.lock(conn)
    asset = await library_sql.get_asset(conn, claimed.asset_id)
    unmoved = asset.active_version == claimed.active_version
    new = NewVersion(
        digest=identity.digest,
        effective_digest=identity.effective_digest,
        size_bytes=identity.size_bytes,
        media_type=identity.media_type,
        filename=f"{asset.name}_v{asset.versions_total + 1}.png",
        note=f"made by plan {claimed.plan_id}",
        details=identity.details,
        derived_from=sources_of(used(made.wish, made.rendered)),
    )
    added, moved = await activation.add_version(conn, asset.id, new, actor, activate=unmoved and not claimed.review)
    await takes.record_version(
        conn,
        VersionRef(asset_id=asset.id, number=added.version.number),
        added.derivation_id,
        made.claim,
        made.parts,
        claimed.step_id,
        actor,
        claimed.project_id,
    )
    await step_sql.finished(conn, claimed.step_id, version=added.version.number)
    if not unmoved and not claimed.review:
        await plan_write_sql.add_notes(
            conn,
            claimed.plan_id,
            [
                PlanNote(
                    code="not_activated",
                    asset_id=asset.id,
                    message=f"{asset.name} v{added.version.number} was made and is not active: v{asset.active_version} "
                    "was activated while this plan ran.",
                )
            ],
        )
    await _tell(conn, claimed, actor, "succeeded", version=added.version.number)
    await finish.go_on(conn, claimed.plan_id, actor, behind=claimed.position)
    fault("recording")
    return moved


async def restore(conn: Conn, claimed: Claimed, actor: Actor) -> None:
    """Put the planned earlier take back into the cut; with *review* only offer it."""
    if (
        claimed.segment_id is None
        or claimed.take_id is None
        or not await step_sql.lock_if_current_attempt(conn, claimed)
    ):
        return
    await _select(conn, claimed, claimed.segment_id, claimed.take_id, actor)
    await step_sql.finished(conn, claimed.step_id, take_id=claimed.take_id)
    await _tell(conn, claimed, actor, "succeeded", take_id=claimed.take_id)
    await finish.go_on(conn, claimed.plan_id, actor, behind=claimed.position)


async def cut_off(conn: Conn, claimed: Claimed, wish: Wish, actor: Actor) -> bool:
    """Whether there was nothing to render: what is wanted is there already, as a take or as a version."""
    digest = wanted.inputs_digest(wish)
    if digest is None:
        return False
    if claimed.asset_id is not None:
        return await _reuse_version(conn, claimed, claimed.asset_id, wish, actor)
    if claimed.segment_id is None:
        return False
    take_id = await step_sql.equal_take(conn, claimed.segment_id, digest, wish.graph)
    if take_id is None:
        return False
    if not await step_sql.lock_if_current_attempt(conn, claimed):
        return True
    await _select(conn, claimed, claimed.segment_id, take_id, actor)
    await step_sql.finished(conn, claimed.step_id, saved=True, take_id=take_id)
    await _tell(conn, claimed, actor, "skipped", take_id=take_id, saved=True)
    await finish.go_on(conn, claimed.plan_id, actor, behind=claimed.position)
    return True


async def fail(conn: Conn, claimed: Claimed, error: GenlockError) -> None:
    """Mark the step as failed and cancel what depends on it; everything else goes on."""
    if not await step_sql.lock_if_current_attempt(conn, claimed):
        return
    said = StepError(code=error.code, message=error.message, hint=error.hint)
    await step_sql.failed(conn, claimed.step_id, said)
    await plan_write_sql.unqueue_behind(
        conn, claimed.plan_id, claimed.position, f"step {claimed.position}, which it needs, failed."
    )
    await _tell(conn, claimed, WORKER, "failed", error=said.code, message=said.message)
    await finish.go_on(conn, claimed.plan_id, WORKER, behind=claimed.position)


async def give_back(conn: Conn, claimed: Claimed) -> None:
    """Queue the step again, because its worker ends."""
    if await step_sql.lock_if_current_attempt(conn, claimed):
        await step_sql.released(conn, claimed.step_id)
        await queue_sql.hand_over(conn, claimed.plan_id)


async def _reuse_version(conn: Conn, claimed: Claimed, asset_id: int, wish: Wish, actor: Actor) -> bool:
    """Whether an engine has made just this before, for this asset: then that version is used again."""
    digest = wanted.inputs_digest(wish)
    number = digest and await step_sql.equal_version(conn, asset_id, digest, wish.graph)
    if not number:
        return False
    if not await step_sql.lock_if_current_attempt(conn, claimed):
        return True
    await library_sql.lock(conn)
    asset = await library_sql.get_asset(conn, asset_id)
    if not claimed.review and asset.active_version == claimed.active_version:
        await activation.activate(conn, asset_id, number, actor, f"made before; found by plan {claimed.plan_id}")
    await step_sql.finished(conn, claimed.step_id, saved=True, version=number)
    await _tell(conn, claimed, actor, "skipped", version=number, saved=True)
    await finish.go_on(conn, claimed.plan_id, actor, behind=claimed.position)
    return True


async def _select(conn: Conn, claimed: Claimed, segment_id: int, take_id: int, actor: Actor) -> None:
    """Put a take in the cut, unless a person is asked first or chose another one meanwhile."""
    if claimed.review:
        return
    await lock_scenes(conn, [segment_id])
    now = await step_sql.selected_take(conn, segment_id)
    if now not in (claimed.selected_take_id, take_id):
        await _note_not_selected(conn, claimed, "an earlier take is what is wanted and is not selected")
        return
    if claimed.scene_id is not None and await selection.select(conn, {segment_id: take_id}, [claimed.scene_id], actor):
        await log.append(
            conn,
            "take.selected",
            actor,
            project_id=claimed.project_id,
            subject=f"segment/{segment_id}",
            data={"take_id": take_id, "plan_id": claimed.plan_id},
        )


async def _note_not_selected(conn: Conn, claimed: Claimed, what: str) -> None:
    note = PlanNote(
        code="not_selected",
        segment_id=claimed.segment_id,
        message=f"{claimed.segment}: another take was selected while this plan ran; {what}.",
    )
    await plan_write_sql.add_notes(conn, claimed.plan_id, [note])


async def _tell(conn: Conn, claimed: Claimed, actor: Actor, state: str, **more: int | str | bool | None) -> None:
    await log.append(
        conn,
        f"step.{state}",
        actor,
        project_id=claimed.project_id,
        subject=f"step/{claimed.step_id}",
        data={**step_sql.said(claimed), **more},
    )
