"""A graph to walk through: its nodes in the order in which they act, and the places that hold its inputs' values.

    sampler.seed ──▶ PrimitiveInt.value = 42        the setting is the primitive's

A node acts after its sources. Of several sources, the one with a sampling behind it acts first: so the stages of a
graph with two samplers come one after the other, each with its own model and LoRAs.

Graphs are untrusted: values that are passed on are looked up once for each node, and walks through a graph are bounded.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from genlock.errors import Invalid
from genlock.graphs.graph import Link, Node, read_graph
from genlock.graphs.meanings import PRIMITIVES, is_silent
from genlock.graphs.uses import Setting

_CARRIERS = {
    **dict.fromkeys(PRIMITIVES, "value"),
    "FloatConstant": "value",
    "INTConstant": "value",
    "Seed (rgthree)": "seed",
    "StringConstant": "string",
    "easy seed": "seed",
}
"""Classes that pass one value on unchanged, with the input that holds it. Other classes may change it."""

_SEEDS = frozenset({"seed", "noise_seed", "noise"})
_SAMPLING = frozenset({"steps", "sigmas", "sampler", "sampler_name"})


_JOINED = ("string_a", "delimiter", "string_b")
_MAX_JOINED = 2**20
"""The most characters of all joined texts together: nodes that join a text with itself double it each time."""

_MAX_STEPS = 200_000
"""The most steps of all walks through a graph. Large real graphs take a few thousand."""


class Text(NamedTuple):
    """A text, and the setting that holds it if it is a single value in the graph."""

    text: str
    setting: Setting | None


class Unknown(NamedTuple):
    """Why the value of an input is unknown."""

    reason: str


class Wiring:
    """A graph's nodes and links, without nodes that lead to none of its outputs."""

    def __init__(self, graph: Mapping[str, Any], output: str | None = None, name: str = "The graph") -> None:
        """Read ``graph``; with ``output``, only what leads to that node. Raises ``Invalid`` if it is not a graph."""
        every = read_graph(dict(graph), name)
        if output is not None and output not in every:
            raise Invalid(
                f"{name} has no node {output[:80]!r}.", hint="Name the node that saves the video.", code="no_output"
            )
        self._raw, self._name, self._steps = graph, name, 0
        self.outputs = (output,) if output is not None else _outputs_of(every)
        self.nodes = self._acting(every)
        self.consumers: dict[str, list[tuple[str, Link]]] = defaultdict(list)
        for key, node in self.nodes.items():
            for link in node.links:
                self.consumers[link.source].append((key, link))
        self._names = {key: _names(node) for key, node in self.nodes.items()}
        self._links = {key: {link.input: link for link in node.links} for key, node in self.nodes.items()}
        self._held: dict[str, Setting | Unknown] = {}
        self._joined: dict[str, Text | Unknown] = {}
        self._pass_on_values()

    def step(self) -> None:
        """Count a step of a walk through the graph; raise ``Invalid`` if there were more than any real graph takes."""
        self._steps += 1
        if self._steps > _MAX_STEPS:
            raise Invalid(
                f"{self._name} has too many links to be read.",
                hint="Real workflows have far fewer. Check where the file comes from.",
                code="too_dense",
            )

    def names_of(self, key: str) -> frozenset[str]:
        """Return the names of all inputs of a node, values and links."""
        return self._names[key]

    def value(self, key: str, name: str) -> Any:
        """Return a value of the graph."""
        return self._raw[key]["inputs"][name]

    def link(self, key: str, name: str) -> Link | None:
        """Return an input's link, if it takes from a node."""
        return self._links[key].get(name)

    def setting(self, key: str, name: str) -> Setting | Unknown | None:
        """Return an input's value with the place that holds it; None if the node has no such input."""
        link = self.link(key, name)
        if link is None:
            return Setting(key, name, self.value(key, name)) if name in self.nodes[key].values else None
        held = self._held.get(link.source)
        if held is not None and link.slot == 0:
            return held
        class_type = self.nodes[link.source].class_type
        return Unknown(f"it comes out of node {link.source}, and what {class_type} gives is not known here")

    def text(self, key: str, name: str) -> Text | Unknown:
        """Return the text of an input, joined if nodes before it only join texts."""
        link = self.link(key, name)
        joined = self._joined.get(link.source) if link is not None and link.slot == 0 else None
        if joined is not None:
            return joined
        setting = self.setting(key, name)
        if isinstance(setting, Setting) and isinstance(setting.value, str):
            return Text(setting.value, setting)
        return setting if isinstance(setting, Unknown) else Unknown(f"{name} of node {key} is not a text")

    def _pass_on_values(self) -> None:
        """Compute the output of each node that only passes a value on or joins texts; sources come first."""
        left = _MAX_JOINED
        for key, node in self.nodes.items():
            carried = _CARRIERS.get(node.class_type)
            if carried is not None:
                self._held[key] = self.setting(key, carried) or Unknown(f"node {key} holds no {carried}")
            elif node.class_type == "StringConcatenate":
                self._joined[key] = joined = self._join(key, left)
                left -= len(joined.text) if isinstance(joined, Text) else 0

    def _join(self, key: str, most: int) -> Text | Unknown:
        texts: list[str] = []
        for part in _JOINED:
            text = self.text(key, part)
            if isinstance(text, Unknown):
                return text
            texts.append(text.text)
        if sum(map(len, texts)) > most:
            return Unknown("its texts are joined to more than any prompt is")
        return Text("".join(texts), None)

    def _acting(self, every: Mapping[str, Node]) -> dict[str, Node]:
        """Return the nodes behind the outputs, each after its sources."""
        sampled: set[str] = set()
        for key, node in every.items():  # sources first
            if is_sampler(node) or any(link.source in sampled for link in node.links):
                sampled.add(key)
        acting: dict[str, Node] = {}
        waiting = list(reversed(self.outputs))
        while waiting:
            key = waiting[-1]
            ahead = [link for link in every[key].links if link.source not in acting]
            if key in acting or not ahead:
                acting.setdefault(key, every[key])
                waiting.pop()
            else:
                waiting.append(min(ahead, key=lambda link: (link.source not in sampled, link.input)).source)
        return acting


def is_sampler(node: Node) -> bool:
    """Return whether a node samples: it takes noise, and settings for removing it."""
    names = _names(node)
    return bool(names & _SEEDS) and bool(names & _SAMPLING)


def _names(node: Node) -> frozenset[str]:
    return frozenset(node.values) | {link.input for link in node.links}


def _outputs_of(nodes: Mapping[str, Node]) -> tuple[str, ...]:
    """Return the nodes without consumers, except those of classes without outputs, and all nodes that save files."""
    taken_from = {link.source for node in nodes.values() for link in node.links}
    outputs: Iterable[str] = (
        key
        for key, node in nodes.items()
        if "filename_prefix" in _names(node) or (key not in taken_from and not is_silent(node.class_type))
    )
    return tuple(sorted(outputs, key=_natural))


def _natural(key: str) -> tuple[int, str]:
    """Return a sort key for ids in the order in which an editor gave them: 9 before 13."""
    return (int(key), "") if key.isascii() and key.isdigit() and len(key) < 20 else (2**63, key)
