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
from genlock.graphs.evaluation import Evaluation, Unknown
from genlock.graphs.graph import Link, Node, read_graph
from genlock.graphs.meanings import is_silent
from genlock.graphs.node_definition import NodeDefinition
from genlock.graphs.uses import Setting

_SEEDS = frozenset({"seed", "noise_seed", "noise"})
_SAMPLING = frozenset({"steps", "sigmas", "sampler", "sampler_name"})

_MAX_STEPS = 200_000
"""The most steps of all walks through a graph. Large real graphs take a few thousand."""


class Text(NamedTuple):
    """A text, and the setting that holds it if it is a single value in the graph."""

    text: str
    setting: Setting | None


class Wiring:
    """A graph's nodes and links, without nodes that lead to none of its outputs."""

    def __init__(
        self,
        graph: Mapping[str, Any],
        output: str | None = None,
        name: str = "The graph",
        definitions: Mapping[str, NodeDefinition] | None = None,
    ) -> None:
        """Read ``graph``; with ``output``, only what leads to that node. Raises ``Invalid`` if it is not a graph.

        ``definitions`` are those of the server's classes. What they say of a class comes before what is known here.
        """
        every = read_graph(dict(graph), name)
        if output is not None and output not in every:
            raise Invalid(
                f"{name} has no node {output[:80]!r}.", hint="Name the node that saves the video.", code="no_output"
            )
        self._raw, self._every, self._name, self._steps = graph, every, name, 0
        self._definitions = definitions or {}
        self.outputs = (output,) if output is not None else _outputs_of(every)
        self._evaluation = Evaluation(every, self.value)
        self.nodes = self._acting({key: self._without_passing(key, node) for key, node in every.items()})
        self._running = self._reached()
        # What a bundle takes and no other node uses runs as well, and comes after what acts.
        left = self._running - self.nodes.keys()
        self.nodes |= {key: every[key] for key in every if key in left and self._evaluation.selected(key) is None}
        self.consumers: dict[str, list[tuple[str, Link]]] = defaultdict(list)
        for key, node in self.nodes.items():
            for link in node.links:
                self.consumers[link.source].append((key, link))
        self._names = {key: _names(node) for key, node in self.nodes.items()}
        self._links = {key: {link.input: link for link in node.links} for key, node in self.nodes.items()}

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
        """Return an input's value with the place that holds it, or that takes it if it is computed.

        None if the node has no such input, ``Unknown`` if its value is known only when the graph runs.
        """
        return self._evaluation.setting(key, name)

    def definition(self, key: str) -> NodeDefinition | None:
        """Return what the server says of a node's class, if it is known."""
        return self._definitions.get(self.nodes[key].class_type)

    def output_types(self, key: str) -> tuple[str, ...] | None:
        """Return the types of a node's outputs, if its class is known."""
        definition = self.definition(key)
        return None if definition is None else tuple(output.type for output in definition.outputs)

    def input_type(self, key: str, name: str) -> str | None:
        """Return the type of an input, if the class is known."""
        definition = self.definition(key)
        entry = definition.input(name) if definition is not None else None
        return None if entry is None else entry.type

    def passes_type_on(self, key: str, name: str) -> bool:
        """Return whether an output of a node has the type of what its input ``name`` takes, whatever that is."""
        definition = self.definition(key)
        entry = definition.input(name) if definition is not None else None
        if definition is None or entry is None or entry.matches is None:
            return False
        return any(output.matches == entry.matches for output in definition.outputs)

    def makes_files(self, key: str) -> bool:
        """Return whether a node saves or shows outputs."""
        definition = self.definition(key)
        return definition.is_output if definition is not None else key in self.outputs

    def is_repeated(self, key: str) -> bool:
        """Return whether a node is in a loop: what is written there acts in each turn, or in none."""
        return key in self._evaluation.repeated

    def text(self, key: str, name: str) -> Text | Unknown:
        """Return the text of an input, joined if nodes before it only join texts."""
        setting = self.setting(key, name)
        if isinstance(setting, Setting) and isinstance(setting.value, str):
            return Text(setting.value, None if setting.is_computed else setting)
        return setting if isinstance(setting, Unknown) else Unknown(f"{name} of node {key} is not a text")

    def running(self) -> dict[str, dict[str, Any]]:
        """Return the part of the graph that runs, in API format: the other side of a switch takes what this side does.

        The values are those of the graph, not copies.
        """
        part: dict[str, dict[str, Any]] = {}
        for key in self._every:
            if key in self._running:
                inputs = dict(self._raw[key].get("inputs", {}))
                selected = self._evaluation.selected(key)
                for link in self._every[key].links if selected is not None else ():
                    if not self._evaluation.acts(key, link.input):
                        inputs[link.input] = inputs[selected]
                part[key] = {"class_type": self._raw[key]["class_type"], "inputs": inputs}
        return part

    def _reached(self) -> frozenset[str]:
        """Return the nodes that run: all before the outputs, apart from those behind the other sides of switches."""
        waiting = list(self.outputs)
        reached = set(waiting)
        while waiting:
            key = waiting.pop()
            for link in self._every[key].links:
                if link.source not in reached and self._evaluation.acts(key, link.input):
                    reached.add(link.source)
                    waiting.append(link.source)
        return frozenset(reached)

    def _without_passing(self, key: str, node: Node) -> Node:
        """Return a node with its links to what makes their values, and without those that do not act."""
        links = [link for link in node.links if self._evaluation.acts(key, link.input)]
        return node._replace(links=tuple(self._behind(link) for link in links))

    def _behind(self, link: Link) -> Link:
        """Return a link to the origin of what it takes; one to a value keeps its nodes, which hold it."""
        if self._evaluation.is_passed_value(link):
            return link
        source, slot = self._evaluation.origin(link)
        return link._replace(source=source, slot=slot)

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
