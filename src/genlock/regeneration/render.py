"""Direct renders: started plans that make the first take of a segment, of a whole scene, or a version of an asset."""

from collections.abc import Mapping, Sequence
from typing import Any

from genlock.blobs.store import Store
from genlock.db.connection import Conn
from genlock.engines.model import LABELS, Offer
from genlock.engines.offers import offer_of
from genlock.errors import Conflict, Invalid, NotFound
from genlock.events import log
from genlock.kinds import PICTURES
from genlock.library import sql as library_sql
from genlock.model import SEED_FRAME, Actor, InputRole
from genlock.regeneration import actions
from genlock.regeneration.bindable import require_bindable
from genlock.regeneration.model import NewRender, Plan, RenderInput, StepKind
from genlock.regeneration.planning import situation_sql
from genlock.regeneration.planning.draft import Draft, DraftStep, Expectation
from genlock.regeneration.planning.remake import Remakes
from genlock.regeneration.planning.situation import AssetFact, Situation, Target
from genlock.regeneration.plans import draft_sql, plan_sql, step_sql
from genlock.regeneration.plans.draft_sql import Header
from genlock.regeneration.recipe import Recipe, RecipeInput
from genlock.takes.claim import ClaimInput
from genlock.takes.claim_resolution import LAST_FRAME, check_ordinals
from genlock.timeline import sql as timeline_sql
from genlock.timeline.actions import open_scene
from genlock.timeline.model import Segment


async def render_segment(conn: Conn, segment_id: int, new: NewRender, actor: Actor, store: Store | None = None) -> Plan:
    """Start a plan that makes a take of a segment; a chained segment continues the selected take before it."""
    segment = await timeline_sql.get_segment(conn, segment_id)
    await open_scene(conn, segment.scene_id)
    if segment.position is None:
        raise Conflict(f"The segment {segment.name!r} is archived.", hint="Restore it before rendering.")
    info = _engine(new, "video")
    continues = _continues(segment, info)
    if continues:
        previous = await timeline_sql.segment_at(conn, segment.scene_id, segment.position - 1)
        if previous is not None and await step_sql.selected_take(conn, previous.id) is None:
            raise Conflict(
                f"{segment.name!r} continues {previous.name!r}, which has no take yet.",
                hint=f"Render {previous.name!r} first, or the whole scene, or unchain {segment.name!r}: "
                "`genlock segment change --not-chained`.",
                code="nothing_to_continue",
            )
    situation = await _load(conn, segment.project_id, segment.scene_id, new)
    inputs = _inputs(situation, segment.scene_id, segment.project_id, new)
    step = _segment_step(1, 1, segment.id, _recipe(new, inputs, continues=continues), ())
    return await _start(
        conn, segment.project_id, [step], situation, new, {"segment": segment_id}, actor, segment.scene_id, store
    )


async def render_scene(conn: Conn, scene_id: int, new: NewRender, actor: Actor, store: Store | None = None) -> Plan:
    """Start a plan that makes a take of every segment of a scene; a chained one continues the one before it."""
    scene = await open_scene(conn, scene_id)
    segments = await timeline_sql.segments_of(conn, scene_id)
    if not segments:
        raise Invalid(
            f"The scene {scene.name!r} has no segments.",
            hint="Add segments with `genlock segment add`.",
            code="no_segments",
        )
    info = _engine(new, "video")
    situation = await _load(conn, scene.project_id, scene_id, new)
    inputs = _inputs(situation, scene_id, scene.project_id, new)
    steps: list[DraftStep] = []
    for position, segment in enumerate(segments, start=1):
        continues = position > 1 and _continues(segment, info)
        chain = steps[-1].chain if continues else position
        after = (position - 1,) if continues else ()
        steps.append(_segment_step(position, chain, segment.id, _recipe(new, inputs, continues=continues), after))
    return await _start(conn, scene.project_id, steps, situation, new, {"scene": scene_id}, actor, scene_id, store)


async def render_asset(conn: Conn, asset_id: int, new: NewRender, actor: Actor, store: Store | None = None) -> Plan:
    """Start a plan that makes a new version of an asset from active versions, with its receipt and derivation."""
    asset = await library_sql.get_asset(conn, asset_id)
    if asset.archived:
        raise Conflict(f"The asset {asset.name!r} is archived.", hint="Restore it before rendering.")
    if asset.kind not in PICTURES:
        raise Invalid(
            f"{asset.name!r} is a {asset.kind.value}; engines make pictures.",
            hint="Render a variant or a source image.",
            code="not_rendered",
        )
    _engine(new, "image")
    situation = await _load(conn, asset.project_id, None, new)
    inputs = _inputs(situation, None, asset.project_id, new)
    step = DraftStep(
        position=1,
        chain=1,
        segment_id=None,
        asset_id=asset_id,
        kind=StepKind.RENDER,
        recipe=_recipe(new, inputs, continues=False).model_copy(update={"produces": "image"}),
    )
    return await _start(conn, asset.project_id, [step], situation, new, {"asset": asset_id}, actor, None, store)


def _engine(new: NewRender, produces: str) -> Offer:
    """Return what the engine offers; ``Invalid`` if it does not exist or cannot use what the request gives."""
    try:
        info = offer_of(new.engine)
    except NotFound as error:
        raise Invalid(error.message, hint=error.hint, code=error.code) from error
    if produces not in info.produces:
        raise Invalid(f"The engine {info.name} makes no {produces}.", hint=f"It makes {', '.join(info.produces)}.")
    for line in new.inputs:
        if line.role == SEED_FRAME:
            raise Invalid(
                "A render takes no seed frame: a chained segment continues the one before it.",
                hint="Leave it out; `genlock segment change --chained` chains the segment.",
                code="seed_frame_given",
            )
        if line.role.value not in info.roles:
            raise Invalid(
                f"The engine {info.name} takes no input in the role {line.role.value}.",
                hint=f"It takes {', '.join(info.roles)}.",
                code="unknown_role",
            )
    workflows = sum(line.role is InputRole.WORKFLOW for line in new.inputs)
    if workflows != 1:
        raise Invalid(
            f"A render needs one workflow; it has {workflows or 'none'}.",
            hint="Give one input in the role workflow.",
            code="one_workflow",
        )
    for name in new.parameters.model_dump(exclude_none=True):
        if name not in info.parameters and name not in LABELS:
            raise Invalid(
                f"The engine {info.name} has no parameter {name[:80]!r}.",
                hint=f"Its parameters are {', '.join(info.parameters)}.",
                code="unknown_parameter",
            )
    return info


def _continues(segment: Segment, info: Offer) -> bool:
    return segment.chained and (segment.position or 1) > 1 and SEED_FRAME in info.roles


async def _load(conn: Conn, project_id: int | None, scene_id: int | None, new: NewRender) -> Situation:
    assets = await situation_sql.assets_of(conn, sorted({line.asset_id for line in new.inputs}))
    scopes = {} if scene_id is None else await situation_sql.scopes_of(conn, [scene_id])
    refs = {(asset_id, fact.active) for asset_id, fact in assets.items() if fact.active is not None}
    refs |= {ref for scope in scopes.values() for ref in scope.pins.items() if ref[0] in assets}
    refs |= {(line.asset_id, line.version) for line in new.inputs if line.version is not None}
    versions = await situation_sql.versions_of(conn, sorted(refs))
    return Situation(
        project_id=project_id or 0,
        segments=(),
        judgements={},
        assets=assets,
        scopes=scopes,
        versions=versions,
        outdated=frozenset(),
        earlier_takes={},
        lost=await situation_sql.lost_among(conn, {target.digest for target in versions.values()}),
        cost_s={},
        library=None,
    )


def _inputs(
    situation: Situation, scene_id: int | None, project_id: int | None, new: NewRender
) -> tuple[RecipeInput, ...]:
    """Return the inputs in the given or expected versions; raise ``Invalid`` or ``Conflict`` if one cannot be used."""
    ordinals = check_ordinals([ClaimInput(role=line.role, ordinal=line.ordinal) for line in new.inputs])
    inputs: list[RecipeInput] = []
    for line, ordinal in zip(new.inputs, ordinals, strict=True):
        target = _target(situation, scene_id, project_id, line)
        inputs.append(
            RecipeInput(
                role=line.role,
                ordinal=ordinal,
                kind=target.asset.kind.value,
                asset=target.asset.id,
                name=target.asset.name,
                version=target.number,
                digest=target.digest,
                effective_digest=target.effective,
                strength_model=line.strength_model,
                strength_clip=line.strength_clip,
            )
        )
    return tuple(inputs)


def _target(situation: Situation, scene_id: int | None, project_id: int | None, line: RenderInput) -> Target:
    fact = situation.assets.get(line.asset_id)
    if fact is None:
        raise Invalid(
            f"There is no asset {line.asset_id}.", hint="`genlock asset list` shows all assets.", code="unknown_asset"
        )
    _require_fitting(fact, project_id, line)
    name = f"{fact.asset.kind.value}:{fact.asset.name}"
    if line.version is not None:
        target = situation.versions.get((line.asset_id, line.version))
        if target is None:
            raise Invalid(
                f"{name} has no version {line.version}.",
                hint="`genlock asset history` lists its versions.",
                code="unknown_version",
            )
    else:
        target = situation.expected(scene_id, line.asset_id)
        if target is None:
            raise Invalid(
                f"{name} has no version yet.", hint="Upload a file with `genlock asset add`.", code="no_version"
            )
    if target.digest in situation.lost:
        raise Conflict(
            f"The bytes of {name}@{target.number} are gone.",
            hint="Upload the file again with `genlock asset add`.",
            code="bytes_gone",
        )
    return target


def _require_fitting(fact: AssetFact, project_id: int | None, line: RenderInput) -> None:
    kind = fact.asset.kind
    if kind.value != line.role.value and not (kind in PICTURES and line.role.value in PICTURES):
        raise Invalid(
            f"{fact.asset.name!r} is a {kind.value} and cannot be the {line.role.value}.",
            hint=f"Give it the role {kind.value}, or name another asset.",
            code="wrong_role",
        )
    if project_id is not None and fact.project_id not in (None, project_id):
        raise Invalid(
            f"{fact.asset.name!r} belongs to another project.",
            hint="Use an asset of this project, or one that all projects share.",
            code="other_project",
        )
    if fact.archived:
        raise Conflict(f"{fact.asset.name!r} is archived: it cannot be chosen for new work.", hint="Restore it first.")


def _recipe(new: NewRender, inputs: Sequence[RecipeInput], *, continues: bool) -> Recipe:
    frame = RecipeInput(role=InputRole.SEED_FRAME, ordinal=0, part=LAST_FRAME, open="frame", continues=True)
    return Recipe(
        engine=new.engine,
        inputs=(*inputs, frame) if continues else tuple(inputs),
        parameters=new.parameters.model_dump(mode="json", exclude_none=True),
    )


def _segment_step(position: int, chain: int, segment_id: int, recipe: Recipe, after: tuple[int, ...]) -> DraftStep:
    return DraftStep(
        position=position,
        chain=chain,
        segment_id=segment_id,
        asset_id=None,
        kind=StepKind.RENDER,
        recipe=recipe,
        after=after,
    )


async def _start(
    conn: Conn,
    project_id: int | None,
    steps: Sequence[DraftStep],
    situation: Situation,
    new: NewRender,
    what: Mapping[str, Any],
    actor: Actor,
    scene_id: int | None,
    store: Store | None,
) -> Plan:
    if store is not None:
        await require_bindable(conn, store, [step.recipe for step in steps if step.recipe is not None])
    followed = {line.asset_id: line.version for line in new.inputs}
    targets = {asset: situation.expected(scene_id, asset) for asset, version in followed.items() if version is None}
    draft = Draft(
        steps=tuple(steps),
        left_out={},
        downstream_stale=0,
        expected=tuple(
            Expectation(scene_id, target.asset, target.number, target.effective)
            for target in targets.values()
            if target
        ),
        frames={},
        notes=(),
        remakes=Remakes(),
    )
    # A direct render runs even if an equal take exists.
    header = Header(project_id=project_id, selection={"render": dict(what)}, review=new.review, force=True)
    plan_id = await draft_sql.insert_plan(conn, header, draft, (), actor)
    await log.append(conn, "plan.created", actor, project_id=project_id, subject=f"plan/{plan_id}")
    await plan_sql.lock_plan(conn, plan_id)
    await actions.begin(conn, plan_id, actor)
    return await plan_sql.get_plan(conn, plan_id)
