"""Canonical order of a graph's nodes, independent of their ids: isomorphic graphs get the same order.

Nodes are coloured by their class and values, then by their sources and consumers, until no colour can be split (colour
refinement; Weisfeiler and Leman, 1968). Nodes with a unique colour are then ordered. The others fall into components
connected only through ordered nodes; each component is ordered alone, and the components are sorted by their
descriptions. In a component without a unique colour, each node of the smallest colour is individualised in turn, and
the smallest result wins. (McKay and Piperno, "Practical graph isomorphism, II", 2014, without pruning by
automorphisms.)
"""

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from genlock.graphs.graph import Link

MAX_WORK = 400_000
MAX_DEPTH = 60


class TooSymmetric(Exception):
    """The graph has too many equivalent nodes to be ordered within ``MAX_WORK``."""


def canonical_order(labels: Mapping[str, str], links: Mapping[str, Sequence[Link]]) -> tuple[str, ...]:
    """Return the nodes in an order that depends only on labels and links.

    ``labels`` maps each node, sources first, to its label, ``links`` to its inputs. Nodes that are interchangeable are
    in either order. Raise ``TooSymmetric`` instead of working for seconds.
    """
    _, order = _Labelling(links).order(tuple(labels), {key: _colour(label) for key, label in labels.items()}, 0)
    return order


class _Labelling:
    """The links in both directions, and the amount of work done."""

    def __init__(self, links: Mapping[str, Sequence[Link]]) -> None:
        self._links = links
        self._consumers: defaultdict[str, list[tuple[str, Link]]] = defaultdict(list)
        for key, taken in links.items():
            for link in taken:
                self._consumers[link.source].append((key, link))
        self._work = 0

    def order(self, component: Sequence[str], colours: Mapping[str, str], depth: int) -> tuple[str, tuple[str, ...]]:
        """Return a description of ``component`` (nodes, sources first) and its nodes in canonical order."""
        refined = self._refine(component, colours)
        sizes = Counter(refined.values())
        alone = sorted((key for key in component if sizes[refined[key]] == 1), key=lambda key: refined[key])
        rest = [key for key in component if sizes[refined[key]] > 1]
        components = self._components(rest)
        if len(components) == 1 and not alone:
            return self._individualise(component, refined, sizes, depth)
        ordered = sorted((self.order(part, refined, depth) for part in components), key=lambda outcome: outcome[0])
        order = (*alone, *(key for _, part in ordered for key in part))
        return self._description(order, colours), order

    def _individualise(
        self, component: Sequence[str], colours: Mapping[str, str], sizes: Mapping[str, int], depth: int
    ) -> tuple[str, tuple[str, ...]]:
        """Individualise each node of the smallest colour in turn; return the smallest result."""
        if depth == MAX_DEPTH:
            raise TooSymmetric
        _, smallest = min((size, colour) for colour, size in sizes.items())
        first = _colour("first", smallest)
        outcomes = (
            self.order(component, {**colours, key: first}, depth + 1) for key in component if colours[key] == smallest
        )
        return min(outcomes, key=lambda outcome: outcome[0])

    def _refine(self, component: Sequence[str], colours: Mapping[str, str]) -> dict[str, str]:
        """Refine colours until neither sources nor consumers within ``component`` split them further."""
        refined = {key: colours[key] for key in component}
        count = len(set(refined.values()))
        while True:
            for key in component:
                refined[key] = self._mix(
                    refined[key],
                    (
                        (link.input, link.slot, refined[link.source])
                        for link in self._links[key]
                        if link.source in refined
                    ),
                )
            for key in reversed(component):
                taken = self._consumers[key]
                refined[key] = self._mix(
                    refined[key],
                    ((link.input, link.slot, refined[user]) for user, link in taken if user in refined),
                )
            before, count = count, len(set(refined.values()))
            if count in (before, len(component)):
                return refined

    def _mix(self, colour: str, neighbours: Iterable[tuple[str, int, str]]) -> str:
        near = sorted(neighbours)
        self._work += 1 + len(near)
        if self._work > MAX_WORK:
            raise TooSymmetric
        return _colour(colour, near)

    def _components(self, rest: Sequence[str]) -> list[tuple[str, ...]]:
        """Split ``rest`` into its connected components, each still sources first."""
        component_of: dict[str, int] = {}
        inside = frozenset(rest)
        number = 0
        for start in rest:
            reached = [start] if start not in component_of else []
            for key in reached:
                if key in component_of:
                    continue
                component_of[key] = number
                reached.extend(link.source for link in self._links[key] if link.source in inside)
                reached.extend(user for user, _ in self._consumers[key] if user in inside)
            number += 1
        components: defaultdict[int, list[str]] = defaultdict(list)
        for key in rest:
            components[component_of[key]].append(key)
        return [tuple(component) for component in components.values()]

    def _description(self, order: Sequence[str], colours: Mapping[str, str]) -> str:
        """Return the initial colours of the nodes and the links among them, by their places in ``order``."""
        places = {key: place for place, key in enumerate(order)}
        return _colour(
            [
                (
                    colours[key],
                    [
                        (link.input, link.slot, places[link.source])
                        for link in self._links[key]
                        if link.source in places
                    ],
                )
                for key in order
            ]
        )


def _colour(*parts: Any) -> str:
    """Return a short hash of ``parts``, the same in every process."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]
