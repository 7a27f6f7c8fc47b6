"""The versions that a plan remakes before segments can use them, and those that it cannot remake. Pure.

    portrait v2 (active)                 clothed v1 was made by an engine from portrait v1:
        └─▶ clothed v1 ─▶ clothed v?     one step makes it from portrait v2, and what uses it waits for that step

A step that makes a version uses its sources' *active* versions, regardless of pins. Whether that helps where a pin
holds is tried out: the new versions are added to the lineage, and outdated versions are computed again.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256

from genlock.kinds import PICTURES
from genlock.model import Kind
from genlock.regeneration.planning.situation import Library, ReceiptFacts, Situation, Target
from genlock.regeneration.recipe import Recipe, RecipeInput, recipe_input
from genlock.staleness.outdated_versions import GLOBAL, Content, Derived, Lineage, Node, Outdated, Ref, Scope, outdated
from genlock.takes.claim import Regenerates
from genlock.takes.receipt import Input

_RENDERED_KINDS = PICTURES | {Kind.OTHER}


@dataclass(frozen=True, slots=True)
class Remake:
    """A version to remake. ``number``: the version number it will probably get; ``after``: assets to remake before."""

    asset_id: int
    active: int
    number: int
    recipe: Recipe
    sources: tuple[Ref, ...]
    after: tuple[int, ...]
    replaced: tuple[tuple[RecipeInput, int | None], ...]  # each input with the version used before
    workload_id: int | None


@dataclass(frozen=True)
class Remakes:
    """The versions to remake, why others cannot be remade, and which are still out of date afterwards."""

    by_asset: Mapping[int, Remake] = field(default_factory=dict[int, Remake])
    obstacles: Mapping[int, str] = field(default_factory=dict[int, str])
    outdated: frozenset[tuple[int, int]] = frozenset()  # (scope, asset)
    lineage: Lineage | None = None
    after: tuple[Outdated, ...] = ()

    def in_order(self) -> tuple[Remake, ...]:
        """Return the remakes, each after those that it is made from."""
        done: dict[int, Remake] = {}

        def visit(asset_id: int) -> None:
            if asset_id not in done:
                for source in self.by_asset[asset_id].after:
                    visit(source)
                done[asset_id] = self.by_asset[asset_id]

        for asset_id in sorted(self.by_asset):
            visit(asset_id)
        return tuple(done.values())


def remakes(situation: Situation, used: Iterable[tuple[int, int]], engines: frozenset[str]) -> Remakes:
    """Return the remakes that bring every used (scope, asset) up to date, as far as possible."""
    library = situation.library
    used = frozenset(used)
    outdated_assets = {(scope, asset) for scope, asset, _ in situation.outdated} & used
    if library is None or not outdated_assets:
        return Remakes()
    trial = _Trial(situation, library, engines)
    while True:
        for _, asset_id in sorted(outdated_assets):
            trial.visit(asset_id)
        outcome = trial.outcome()
        # A new version may make versions outdated that were made from it: those follow.
        more = (outcome.outdated & used) - outdated_assets
        if not more:
            return trial.only_what_helps(used)
        outdated_assets |= more


class _Trial:
    """The library with the remakes decided so far."""

    def __init__(self, situation: Situation, library: Library, engines: frozenset[str]) -> None:
        self._situation = situation
        self._library = library
        self._engines = engines
        self._lineage = library.lineage
        self._stale_now = _out_of_date(outdated(self._lineage, [Scope(GLOBAL)], self._lineage.active), self._lineage)
        self._remakes: dict[int, Remake] = {}
        self._obstacles: dict[int, str] = {}
        self._visiting: set[int] = set()

    def visit(self, asset_id: int) -> None:
        """Decide whether the active version of an asset is remade, cannot be, or is up to date."""
        if asset_id in self._remakes or asset_id in self._obstacles or asset_id in self._visiting:
            return
        if (GLOBAL, asset_id) not in self._stale_now:
            return
        self._visiting.add(asset_id)
        remake = self._remake(asset_id)
        if isinstance(remake, str):
            self._obstacles[asset_id] = remake
        else:
            self._remakes[asset_id] = remake
        self._visiting.discard(asset_id)

    def outcome(self) -> Remakes:
        """Return the decisions, and what would be out of date after them."""
        lineage = with_remakes(self._library.lineage, self._remakes.values())
        after = outdated(lineage, self._library.scopes, lineage.active)
        return Remakes(
            by_asset=dict(self._remakes),
            obstacles=dict(self._obstacles),
            outdated=_out_of_date(after, lineage),
            lineage=lineage,
            after=after,
        )

    def only_what_helps(self, used: frozenset[tuple[int, int]]) -> Remakes:
        """Return the outcome without versions that would be out of date wherever they are used."""
        while True:
            outcome = self.outcome()
            helping = [asset for _, asset in used - outcome.outdated if asset in self._remakes]
            useful: set[int] = set()
            while helping:
                asset_id = helping.pop()
                if asset_id not in useful:
                    useful.add(asset_id)
                    helping += self._remakes[asset_id].after
            useless = set(self._remakes) - useful
            if not useless:
                return outcome
            for asset_id in useless:
                name = f"{self._situation.named(asset_id).name} v{self._remakes.pop(asset_id).active}"
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
            return f"{name} v{active} was made by {recipe.engine}, which is not an available engine."
        if fact is not None and fact.asset.kind not in _RENDERED_KINDS:
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
            expected = self._expected(line, target)
            if expected.open is None and expected.digest in self._situation.lost:
                return f"the bytes of {line.name or line.role.value} are gone: upload the file again."
            lines.append(expected)
            if expected.open == "version" and target is not None:
                first.append(target.asset.id)
                sources.append((target.asset.id, self._remakes[target.asset.id].number))
                replaced.append((expected, line.version))
            elif expected.asset is not None and expected.version is not None:
                sources.append((expected.asset, expected.version))
                if expected.effective_digest != line.effective_digest:
                    replaced.append((expected, line.version))
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

    def _target(self, line: Input, result: Node) -> Target | None:
        """Return the active version of a source; ``None`` if that was made from ``result``, so the used one stays."""
        if line.asset is None:
            return None
        target = self._situation.expected(None, line.asset)
        used = (line.asset, line.version or 0)
        if target is None or used not in self._lineage.effective:
            return target
        should_be = self._lineage.node((target.asset.id, target.number))
        if self._lineage.node(used) != should_be and result in self._lineage.ancestors(should_be):
            return None
        return target

    def _expected(self, line: Input, target: Target | None) -> RecipeInput:
        unchanged = recipe_input(line)
        if target is None:
            return unchanged
        if target.asset.id in self._remakes:
            return unchanged.model_copy(
                update={"open": "version", "version": None, "digest": None, "effective_digest": None}
            )
        return unchanged.model_copy(
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
        return f"upload a new version made from {' and '.join(names)}." if names else "upload a new version."


def other_sources(name: str) -> str:
    """Return why remaking a version does not help where a pin holds."""
    return f"a pin requires other versions than {name} is made from: move the pin, or pin {name} too."


def _has_workflow(lines: Iterable[Input]) -> bool:
    return any(line.role == "workflow" for line in lines)


def with_remakes(lineage: Lineage, remakes: Iterable[Remake]) -> Lineage:
    """Return the lineage with the remakes as active versions, each with a content that equals no other."""
    planned = tuple(remakes)
    newest = max((derivation.id for derivation in lineage.derivations), default=0)
    contents = tuple(
        Content(
            -remake.asset_id,
            remake.asset_id,
            remake.number,
            sha256(f"made by the plan: {remake.asset_id}".encode()).digest(),
        )
        for remake in planned
    )
    derivations = tuple(
        Derived(newest + place, (remake.asset_id, remake.number), tuple(dict.fromkeys(remake.sources)))
        for place, remake in enumerate(planned, start=1)
        if remake.sources
    )
    return replace(
        lineage,
        contents=(*lineage.contents, *contents),
        derivations=(*lineage.derivations, *derivations),
        active={**lineage.active, **{remake.asset_id: remake.number for remake in planned}},
    )


def _out_of_date(rows: Iterable[Outdated], lineage: Lineage) -> frozenset[tuple[int, int]]:
    """Return the (scope, asset) pairs whose expected version itself is out of date."""
    return frozenset((row.scope_id, row.asset_id) for row in rows if not row.direct)
