"""The faults: one change to the source each, with its consequence for a user."""

from dataclasses import dataclass

JUDGE = "staleness/judge.py"
LISTS = "staleness/segment_list.py"
LOADED = "staleness/present_sql.py"
ORIGINS = "staleness/origins.py"
OUTDATED = "staleness/outdated_versions.py"
AFFECTED = "staleness/outdated_versions_sql.py"
PRESENT = "staleness/present.py"
SELECTION = "takes/selection_sql.py"
TALLY = "staleness/tally.py"
VIEWS = "db/migrations/versions/0018_staleness_views.sql"


@dataclass(frozen=True)
class Fault:
    """Replace the first occurrence of ``before`` in a file with ``after``; ``means`` is the consequence."""

    file: str
    before: str
    after: str
    means: str


FAULTS = (
    Fault(
        LOADED,
        "AND project_id = u.project_id AND judged",
        "AND project_id = u.project_id",
        "inputs that came via something else are judged too",
    ),
    Fault(
        LOADED,
        "o.asset_id <> ALL(%(replaced)s::bigint[])",
        "true",
        "a what-if adds what would be out of date to what is",
    ),
    Fault(
        VIEWS,
        "coalesce(of_scene.id, of_project.id, 0) AS scope_id",
        "coalesce(of_project.id, of_scene.id, 0) AS scope_id",
        "causes are explained by the project's pins where the scene has its own",
    ),
    Fault(
        PRESENT,
        "key=lambda scoped: scoped.scene_id is not None",
        "key=lambda scoped: scoped.scene_id is None",
        "a scene's own pins are forgotten when its project has pins",
    ),
    Fault(
        VIEWS,
        "ORDER BY s.id, p.asset_id, p.scene_id NULLS LAST",
        "ORDER BY s.id, p.asset_id, p.scene_id NULLS FIRST",
        "a project's pin wins over its scene's",
    ),
    Fault(
        VIEWS,
        "WHERE c.version IS NULL;",
        "WHERE false;",
        "files that no version has pass as fresh",
    ),
    Fault(
        VIEWS,
        "WHERE withdrawn_at IS NULL AND",
        "WHERE",
        "a withdrawn waiver still counts",
    ),
    Fault(
        PRESENT,
        "pair = self.links.digests[-1 - source] if source < 0",
        "pair = self.links.digests[source] if source < 0",
        "a waiver of one broken link is bound to the digests of another",
    ),
    Fault(
        PRESENT,
        "link = _pairs(np.zeros(len(self.links.run), np.int64), self.links.digests)",
        "link = _pairs(np.ones(len(self.links.run), np.int64), self.links.digests)",
        "broken links cannot be waived",
    ),
    Fault(
        LOADED,
        "o.root_used_digest || coalesce(o.root_expected_digest, sha256(''))",
        "o.root_used_digest || o.root_used_digest",
        "a waiver is bound to what was used alone",
    ),
    Fault(
        JUDGE,
        "present.runs.length[run[-1:]] + 1",
        "present.runs.length[run[-1:]]",
        "the last root does not reach the last segment of its run",
    ),
    Fault(
        JUDGE,
        "present.runs.length[run[:-1]] + 1",
        "present.runs.length[run[:-1]]",
        "the last segment of a chain is never stale because of what comes before it",
    ),
    Fault(
        JUDGE,
        "np.where(stopped, stop, end)",
        "np.where(stopped, stop + 1, end)",
        "a waiver of what comes along the chain leaves its own segment stale",
    ),
    Fault(
        JUDGE,
        "np.where(all_waived, start, np.where(stopped, stop, end))",
        "np.where(all_waived, start, end)",
        "waived causes are passed on along the chain",
    ),
    Fault(
        JUDGE,
        "np.where(same, start[1:],",
        "np.where(same, start[1:] + 1,",
        "an own cause does not replace what comes along",
    ),
    Fault(
        JUDGE,
        "np.logical_or.reduceat(own.direct & ~waived, starts)",
        "np.logical_or.reduceat(own.direct, starts)",
        "a waived cause is counted as direct",
    ),
    Fault(
        JUDGE,
        "states[self.roots_at > 0] = STALE",
        "states[(self.roots_at > 0) & (states != UNKNOWN)] = STALE",
        "stale segments of which too little is known are called unknown",
    ),
    Fault(
        JUDGE,
        "runs.length[partly] - runs.unknown_from[partly] + 1",
        "runs.length[partly] - runs.unknown_from[partly]",
        "the last unknown segment of a run is shown as fresh",
    ),
    Fault(
        SELECTION,
        "bool_or(i.via IS NULL OR (i.via = 'seed_frame' AND c.via_judged)) AS judged",
        "bool_or(i.via IS NULL) AS judged",
        "a segment whose frame came from elsewhere stays fresh when its variant moves",
    ),
    Fault(
        "takes/receipt.py",
        "return bool(self.missing or self.unregistered) or not self.evidence.is_good",
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
        TALLY,
        "sums[name] = judged.sums(by_place_count > 0)",
        "sums[name] = judged.sums(by_place_count)",
        "a segment with two superseded inputs is counted twice",
    ),
    Fault(
        TALLY,
        "judged.sums(judged.roots_at > direct_roots)",
        "judged.sums((judged.roots_at > 0) & (direct_roots == 0))",
        "a segment with a direct cause is never counted as derived of another",
    ),
    Fault(
        TALLY,
        "_distinct(group, scene)[0], minlength",
        "group, minlength",
        "scenes with several runs are counted several times",
    ),
    Fault(
        TALLY,
        "if least[place] == most[place] else 0",
        "if least[place] <= most[place] else 0",
        "a group says one expected version where its segments expect several",
    ),
    Fault(
        TALLY,
        "changed = before.states != after.states",
        "changed = before.states == STALE",
        "a what-if forgets waived and unknown segments that become fresh",
    ),
    Fault(
        ORIGINS,
        "return cause.binding in waived.get(position - 1, frozenset())",
        "return False",
        "a cause is explained by one that was waived before it",
    ),
    Fault(
        ORIGINS,
        "if len(cause.versions) != len(other.versions) + between:",
        "if False:",
        "a cause is explained by a longer path than there is",
    ),
    Fault(
        LISTS,
        "return lambda ordered: ordered.run_id == 0",
        "return lambda ordered: ordered.run_id >= 0",
        "the list of empty segments has all of them",
    ),
    Fault(
        AFFECTED,
        "FROM down JOIN derivation_sources s ON s.asset_id = down.asset_id",
        "FROM down JOIN derivation_sources s ON false",
        "what was made from a moved version is not judged again",
    ),
    Fault(
        OUTDATED,
        "return self.pins.get(asset_id, active.get(asset_id))",
        "return active.get(asset_id)",
        "pins are ignored",
    ),
)
