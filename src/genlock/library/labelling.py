"""One order for the nodes of a graph, whatever they are called: isomorphic graphs come out the same.

Nodes are coloured by what they are, then by what they take and what takes from them, until no colour splits further
(colour refinement; Weisfeiler and Leman, 1968). Nodes with a unique colour are in order now. The others fall
apart into pieces that touch only ordered nodes; each piece is ordered alone and the pieces are sorted by what they
are. In a piece that is one knot of equals, each node of the smallest colour is tried as the first, and the
smallest outcome wins. (McKay and Piperno, "Practical graph isomorphism, II", 2014, without its cleverer half.)
"""

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from genlock.graphs.graph import Link

MAX_WORK = 400_000
MAX_KNOTS = 60


class TooSymmetric(Exception):
    """Too many nodes are alike that ordering them would take too long."""


def canonical_order(labels: Mapping[str, str], links: Mapping[str, Sequence[Link]]) -> tuple[str, ...]:
    """The nodes in an order that depends on labels and links alone.

    ``labels`` says what each node is, sources first; ``links`` what it takes. Nodes that could change places
    without a trace are in either order. Raises ``TooSymmetric`` rather than work for seconds.
    """
    _, order = _Labelling(links).order(tuple(labels), {key: _colour(label) for key, label in labels.items()}, 0)
    return order


class _Labelling:
    """The links in both directions, and how much work was done."""

    def __init__(self, links: Mapping[str, Sequence[Link]]) -> None:
        self._links = links
        self._consumers: defaultdict[str, list[tuple[str, Link]]] = defaultdict(list)
        for key, taken in links.items():
            for link in taken:
                self._consumers[link.source].append((key, link))
        self._work = 0

    def order(self, piece: Sequence[str], colours: Mapping[str, str], knots: int) -> tuple[str, tuple[str, ...]]:
        """What ``piece`` (sources first) looks like, in one string, and its nodes in order."""
        refined = self._refine(piece, colours)
        sizes = Counter(refined.values())
        alone = sorted((key for key in piece if sizes[refined[key]] == 1), key=lambda key: refined[key])
        rest = [key for key in piece if sizes[refined[key]] > 1]
        pieces = self._pieces(rest)
        if len(pieces) == 1 and not alone:
            return self._untie(piece, refined, sizes, knots)
        ordered = sorted((self.order(part, refined, knots) for part in pieces), key=lambda outcome: outcome[0])
        order = (*alone, *(key for _, part in ordered for key in part))
        return self._description(order, colours), order

    def _untie(
        self, piece: Sequence[str], colours: Mapping[str, str], sizes: Mapping[str, int], knots: int
    ) -> tuple[str, tuple[str, ...]]:
        """The smallest outcome of making each node of the smallest colour the first of its equals."""
        if knots == MAX_KNOTS:
            raise TooSymmetric
        _, smallest = min((size, colour) for colour, size in sizes.items())
        first = _colour("first", smallest)
        outcomes = (self.order(piece, {**colours, key: first}, knots + 1) for key in piece if colours[key] == smallest)
        return min(outcomes, key=lambda outcome: outcome[0])

    def _refine(self, piece: Sequence[str], colours: Mapping[str, str]) -> dict[str, str]:
        """Colours that neither sources nor consumers within ``piece`` can split further."""
        refined = {key: colours[key] for key in piece}
        count = len(set(refined.values()))
        while True:
            for key in piece:
                refined[key] = self._mix(
                    refined[key],
                    (
                        (link.input, link.slot, refined[link.source])
                        for link in self._links[key]
                        if link.source in refined
                    ),
                )
            for key in reversed(piece):
                taken = self._consumers[key]
                refined[key] = self._mix(
                    refined[key],
                    ((link.input, link.slot, refined[user]) for user, link in taken if user in refined),
                )
            before, count = count, len(set(refined.values()))
            if count in (before, len(piece)):
                return refined

    def _mix(self, colour: str, neighbours: Iterable[tuple[str, int, str]]) -> str:
        near = sorted(neighbours)
        self._work += 1 + len(near)
        if self._work > MAX_WORK:
            raise TooSymmetric
        return _colour(colour, near)

    def _pieces(self, rest: Sequence[str]) -> list[tuple[str, ...]]:
        """``rest`` by connection, each piece still sources first."""
        piece_of: dict[str, int] = {}
        inside = frozenset(rest)
        number = 0
        for start in rest:
            reached = [start] if start not in piece_of else []
            for key in reached:
                if key in piece_of:
                    continue
                piece_of[key] = number
                reached.extend(link.source for link in self._links[key] if link.source in inside)
                reached.extend(user for user, _ in self._consumers[key] if user in inside)
            number += 1
        pieces: defaultdict[int, list[str]] = defaultdict(list)
        for key in rest:
            pieces[piece_of[key]].append(key)
        return [tuple(piece) for piece in pieces.values()]

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
    """A short name for ``parts``, the same for the same parts in any process."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]
