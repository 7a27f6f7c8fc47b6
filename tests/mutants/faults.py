"""The faults: one change to the source each, with what it would mean for a user."""

from dataclasses import dataclass

CAUSES = "staleness/causes_sql.py"

SELECTION = "takes/selection_sql.py"
STATES = "staleness/states_sql.py"
LOADED = "staleness/world_sql.py"
TALLY = "staleness/tally.py"
WORLD = "staleness/world.py"
OUTDATED = "staleness/outdated_sql.py"
IMPACT = "staleness/impact_sql.py"
WAIVER = "staleness/waiver_sql.py"


@dataclass(frozen=True)
class Fault:
    """``before`` in a file becomes ``after``, at its first occurrence; ``means`` says what would go wrong."""

    file: str
    before: str
    after: str
    means: str


FAULTS = (
    Fault(
        CAUSES,
        "AND project_id = o.project_id AND judged",
        "AND project_id = o.project_id",
        "inputs that came via something else are judged on their own in lists",
    ),
    Fault(
        LOADED,
        "AND project_id = p.project_id AND judged",
        "AND project_id = p.project_id",
        "inputs that came via something else are judged on their own in reports",
    ),
    Fault(
        CAUSES,
        "coalesce(of_scene.id, of_project.id, 0)",
        "coalesce(of_project.id, of_scene.id, 0)",
        "a scene's own pins are forgotten in lists when its project has pins",
    ),
    Fault(
        WORLD,
        "key=lambda scope: scope.scene_id is not None",
        "key=lambda scope: scope.scene_id is None",
        "a scene's own pins are forgotten in reports when its project has pins",
    ),
    Fault(
        CAUSES,
        "int4range(min(o.run_position), r.length + 1)",
        "int4range(min(o.run_position), r.length)",
        "the last segment of a chain is never stale by what comes before it",
    ),
    Fault(
        CAUSES,
        "w.used = o.used AND w.expected = o.expected) AS waived",
        "w.used = o.used) AS waived",
        "a waiver goes on when the expected version moves",
    ),
    Fault(
        CAUSES,
        "range_agg(int4range(run_position, coalesce(stop, until)))",
        "range_agg(int4range(run_position, coalesce(stop + 1, until)))",
        "a waiver of what comes along the chain leaves its own segment stale",
    ),
    Fault(
        CAUSES,
        "coalesce(stop, until)",
        "until",
        "waived causes are passed on along the chain",
    ),
    Fault(
        CAUSES,
        "WHERE c.version IS NULL",
        "WHERE false",
        "files that no version has pass as fresh",
    ),
    Fault(
        CAUSES,
        "AND w.withdrawn_at IS NULL",
        "",
        "a withdrawn waiver still counts",
    ),
    Fault(
        CAUSES,
        "WHERE asset_id <> ALL(%(replaced)s::bigint[])",
        "",
        "what-if adds what would be to what is",
    ),
    Fault(
        CAUSES,
        "ELSE c.waived - c.stale - int4multirange",
        "ELSE c.waived - c.stale + int4multirange",
        "a waived segment in an unknown run is counted as waived",
    ),
    Fault(
        SELECTION,
        "bool_or(i.via IS NULL OR (i.via = 'seed_frame' AND c.via_judged)) AS judged",
        "bool_or(i.via IS NULL) AS judged",
        "a segment whose frame came from elsewhere is not told when its variant moves",
    ),
    Fault(
        "takes/receipt.py",
        "return bool(self.missing or self.unregistered) or self.evidence not in _GOOD_EVIDENCE",
        "return bool(self.missing or self.unregistered)",
        "weak evidence passes as known",
    ),
    Fault(
        SELECTION,
        "there.part = t.seed_part",
        "there.part = 'video'",
        "a link is judged by the wrong part",
    ),
    Fault(
        LOADED,
        "coalesce(range_agg(cover - direct), '{}') AS derived",
        "coalesce(range_agg(cover), '{}') AS derived",
        "direct causes are counted as derived where runs are walked",
    ),
    Fault(
        TALLY,
        "superseded[at.at[~is_chain]] = 1",
        "np.add.at(superseded, at.at[~is_chain], 1)",
        "a segment with two superseded inputs is counted twice",
    ),
    Fault(
        TALLY,
        "-(begun == at.direct)",
        "-(at.direct > 0)",
        "a segment with a direct cause is never counted as derived of another",
    ),
    Fault(
        TALLY,
        "self.present.runs.length[self.run] - self.first + 1",
        "self.present.runs.length[self.run] - self.first",
        "the report forgets the last segment of a run",
    ),
    Fault(
        TALLY,
        "_distinct(root, scene)[0], minlength",
        "root, minlength",
        "scenes with several runs are counted several times",
    ),
    Fault(
        STATES,
        "WHEN t.run_position <@ coalesce(j.unknown, '{}') THEN 'unknown'",
        "WHEN false THEN 'unknown'",
        "unknown segments are shown as fresh",
    ),
    Fault(
        OUTDATED,
        "FROM down JOIN derivation_sources s ON s.asset_id = down.asset_id",
        "FROM down JOIN derivation_sources s ON false",
        "what was made from a moved version is not looked at again",
    ),
    Fault(
        OUTDATED,
        "ORDER BY p.scene_id NULLS FIRST",
        "ORDER BY p.scene_id NULLS LAST",
        "a project's pin wins over its scene's",
    ),
    Fault(
        WORLD,
        "np.minimum(after, self.unknown) - np.minimum(before, self.unknown)",
        "after - before",
        "what-if calls unknown segments fresh again",
    ),
    Fault(
        IMPACT,
        "coalesce(before.not_fresh, '{}') - coalesce(after.not_fresh, '{}')",
        "coalesce(before.stale, '{}') - coalesce(after.stale, '{}')",
        "what-if calls waived and unknown segments fresh again",
    ),
    Fault(
        WAIVER,
        "near.nearest = 1",
        "near.nearest >= 1",
        "waiving a chained segment also waives changes further up",
    ),
)
