"""Which versions a plan has to make again before segments can use them, and which it cannot. Pure.

    portrait v2 (active)                 clothed v1 was made by an engine from portrait v1:
        └─▶ clothed v1 ─▶ clothed v?     one step makes it from portrait v2, and what uses it waits for that step

A step that makes a version uses its sources' *active* versions, whatever pins say. Whether that helps where a pin
holds is not argued but tried: the new versions are added to the lineage, and what is out of date is worked out again.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256

from genlock.kinds import PICTURES
from genlock.model import Kind
from genlock.regeneration.planning.situation import Library, ReceiptFacts, Situation, Target
from genlock.regeneration.recipe import Recipe, RecipeInput
from genlock.staleness.outdated_versions import GLOBAL, Content, Derived, Lineage, Node, Outdated, Ref, Scope, outdated
from genlock.takes.claim import Regenerates
from genlock.takes.receipt import Input

_MADE = PICTURES | {Kind.OTHER}


@dataclass(frozen=True, slots=True)
class Remake:
    """A version to be made again. ``number`` is the one it will probably get, ``after`` the assets that come first."""

    asset_id: int
    active: int
    number: int
    recipe: Recipe
    sources: tuple[Ref, ...]
    after: tuple[int, ...]
    replaced: tuple[tuple[RecipeInput, int | None], ...]  # each line with the version that it had
    workload_id: int | None


@dataclass(frozen=True)
class Remakes:
    """What can be made again, why the rest cannot, and what is still out of date afterwards."""

    made: Mapping[int, Remake] = field(default_factory=dict[int, Remake])
    obstacles: Mapping[int, str] = field(default_factory=dict[int, str])
    outdated: frozenset[tuple[int, int]] = frozenset()  # (scope, asset)
    lineage: Lineage | None = None
    after: tuple[Outdated, ...] = ()

    def in_order(self) -> tuple[Remake, ...]:
        """Every remake after those it is made from."""
        done: dict[int, Remake] = {}

        def visit(asset_id: int) -> None:
            if asset_id not in done:
                for source in self.made[asset_id].after:
                    visit(source)
                done[asset_id] = self.made[asset_id]

        for asset_id in sorted(self.made):
            visit(asset_id)
        return tuple(done.values())


def remakes(situation: Situation, used: Iterable[tuple[int, int]], engines: frozenset[str]) -> Remakes:
    """What has to be made again so that every (scope, asset) that is to be used is up to date, as far as possible."""
    library = situation.library
    used = frozenset(used)
    wanted = {(scope, asset) for scope, asset, _ in situation.outdated} & used
    if library is None or not wanted:
        return Remakes()
    trial = _Trial(situation, library, engines)
    while True:
        for _, asset_id in sorted(wanted):
            trial.visit(asset_id)
        found = trial.outcome()
        # A new version may put others out of date that were made from it: those follow.
        more = (found.outdated & used) - wanted
        if not more:
            return trial.only_what_helps(used)
        wanted |= more


class _Trial:
    """The library as it would be, growing while assets are visited."""

    def __init__(self, situation: Situation, library: Library, engines: frozenset[str]) -> None:
        self._situation = situation
        self._library = library
        self._engines = engines
        self._lineage = library.lineage
        self._stale_now = _out_of_date(outdated(self._lineage, [Scope(GLOBAL)], self._lineage.active), self._lineage)
        self._made: dict[int, Remake] = {}
        self._obstacles: dict[int, str] = {}
        self._visiting: set[int] = set()

    def visit(self, asset_id: int) -> None:
        """Decide whether the active version of an asset is made again, can't be, or is up to date as it is."""
        if asset_id in self._made or asset_id in self._obstacles or asset_id in self._visiting:
            return
        if (GLOBAL, asset_id) not in self._stale_now:
            return
        self._visiting.add(asset_id)
        found = self._remake(asset_id)
        if isinstance(found, str):
            self._obstacles[asset_id] = found
        else:
            self._made[asset_id] = found
        self._visiting.discard(asset_id)

    def outcome(self) -> Remakes:
        """What was decided, and what would be out of date then."""
        lineage = with_remakes(self._library.lineage, self._made.values())
        after = outdated(lineage, self._library.scopes, lineage.active)
        return Remakes(
            made=dict(self._made),
            obstacles=dict(self._obstacles),
            outdated=_out_of_date(after, lineage),
            lineage=lineage,
            after=after,
        )

    def only_what_helps(self, used: frozenset[tuple[int, int]]) -> Remakes:
        """The outcome without versions that would be out of date wherever they are to be used."""
        while True:
            found = self.outcome()
            helping = [asset for _, asset in used - found.outdated if asset in self._made]
            kept: set[int] = set()
            while helping:
                asset_id = helping.pop()
                if asset_id not in kept:
                    kept.add(asset_id)
                    helping += self._made[asset_id].after
            useless = set(self._made) - kept
            if not useless:
                return found
            for asset_id in useless:
                name = f"{self._situation.named(asset_id).name} v{self._made.pop(asset_id).active}"
                self._obstacles[asset_id] = other_sources(name)

    def _remake(self, asset_id: int) -> Remake | str:
        fact = self._situation.assets.get(asset_id)
        name = self._situation.named(asset_id).name
        active = self._lineage.active[asset_id]
        node = self._lineage.node((asset_id, active))
        derivation = self._lineage.made_by[node][-1]
        recipe = self._library.recipes.get(derivation.id)
        if recipe is None:
            return f"{name} v{active} was uploaded by hand: {self._advice(asset_id, derivation)}"
        if fact is not None and fact.archived:
            return f"{name} is archived: restore it, so that it can get a new version."
        if recipe.engine not in self._engines:
            return f"{name} v{active} was made by {recipe.engine}, which is not an engine here."
        if fact is not None and fact.asset.kind not in _MADE:
            return f"{name} is a {fact.asset.kind.value}, which no engine makes."
        return self._from_recipe(asset_id, active, node, recipe)

    def _from_recipe(self, asset_id: int, active: int, node: Node, recipe: ReceiptFacts) -> Remake | str:
        lines: list[RecipeInput] = []
        replaced: list[tuple[RecipeInput, int | None]] = []
        sources: list[Ref] = []
        first: list[int] = []
        for line in recipe.inputs:
            target = None if line.asset is None else self._target(line, node)
            if target is not None and target.asset.id != asset_id:
                self.visit(target.asset.id)
                if target.asset.id in self._obstacles:
                    return f"waits for {target.asset.name}: {self._obstacles[target.asset.id]}"
            wished = self._wished(line, target)
            if wished.open is None and wished.digest in self._situation.lost:
                return f"the bytes of {line.name or line.role.value} are gone: upload the file again."
            lines.append(wished)
            if wished.open == "version" and target is not None:
                first.append(target.asset.id)
                sources.append((target.asset.id, self._made[target.asset.id].number))
                replaced.append((wished, line.version))
            elif wished.asset is not None and wished.version is not None:
                sources.append((wished.asset, wished.version))
                if wished.effective_digest != line.effective_digest:
                    replaced.append((wished, line.version))
        if recipe.graph is not None and recipe.graph in self._situation.lost and not _has_workflow(lines):
            return "the graph that made it is gone."
        return Remake(
            asset_id=asset_id,
            active=active,
            number=1 + max(content.number for content in self._lineage.contents if content.asset_id == asset_id),
            recipe=Recipe(
                engine=recipe.engine,
                produces="image",
                inputs=tuple(lines),
                parameters=dict(recipe.parameters),
                graph=None if _has_workflow(lines) else recipe.graph,
                regenerates=Regenerates(receipt=recipe.receipt_digest, causes=self._causes(asset_id)),
            ),
            sources=tuple(sources),
            after=tuple(dict.fromkeys(first)),
            replaced=tuple(replaced),
            workload_id=recipe.workload_id,
        )

    def _target(self, line: Input, made: Node) -> Target | None:
        """The active version of a source; ``None`` when the one that was used stays: it led to the active one."""
        if line.asset is None:
            return None
        target = self._situation.expected(None, line.asset)
        used = (line.asset, line.version or 0)
        if target is None or used not in self._lineage.effective:
            return target
        should_be = self._lineage.node((target.asset.id, target.number))
        if self._lineage.node(used) != should_be and made in self._lineage.ancestors(should_be):
            return None
        return target

    def _wished(self, line: Input, target: Target | None) -> RecipeInput:
        said = RecipeInput.model_validate(line.model_dump())
        if target is None:
            return said
        if target.asset.id in self._made:
            return said.model_copy(
                update={"open": "version", "version": None, "digest": None, "effective_digest": None}
            )
        return said.model_copy(
            update={"version": target.number, "digest": target.digest, "effective_digest": target.effective}
        )

    def _causes(self, asset_id: int) -> tuple[dict[str, object], ...]:
        rows = outdated(self._lineage, [Scope(GLOBAL)], [asset_id])
        roots = {row.root: row for row in rows if not row.direct}
        return tuple(
            {
                "kind": "derived",
                "asset": self._situation.named(root[0]).name,
                "asset_id": root[0],
                "used": root[1],
                "expected": root[2],
            }
            for root in sorted(roots)
        )

    def _advice(self, asset_id: int, derivation: Derived) -> str:
        names = [
            f"{self._situation.named(source).name} v{self._lineage.active[source]}"
            for source in sorted({source for source, _ in derivation.sources} - {asset_id})
        ]
        return f"upload it anew, made from {' and '.join(names)}." if names else "upload it anew."


def other_sources(name: str) -> str:
    """Why a version does not help where a pin holds."""
    return f"a pin here wants other versions than {name} is made from: move the pin, or pin {name} too."


def _has_workflow(lines: Iterable[Input]) -> bool:
    return any(line.role == "workflow" for line in lines)


def with_remakes(lineage: Lineage, made: Iterable[Remake]) -> Lineage:
    """The lineage with what would be made, each of a content that is equal to nothing, active."""
    made = tuple(made)
    newest = max((one.id for one in lineage.derivations), default=0)
    contents = tuple(
        Content(-one.asset_id, one.asset_id, one.number, sha256(f"made by the plan: {one.asset_id}".encode()).digest())
        for one in made
    )
    derivations = tuple(
        Derived(newest + place, (one.asset_id, one.number), tuple(dict.fromkeys(one.sources)))
        for place, one in enumerate(made, start=1)
        if one.sources
    )
    return replace(
        lineage,
        contents=(*lineage.contents, *contents),
        derivations=(*lineage.derivations, *derivations),
        active={**lineage.active, **{one.asset_id: one.number for one in made}},
    )


def _out_of_date(rows: Iterable[Outdated], lineage: Lineage) -> frozenset[tuple[int, int]]:
    """(scope, asset) of which the expected version itself is out of date."""
    return frozenset((row.scope_id, row.asset_id) for row in rows if not row.direct)
