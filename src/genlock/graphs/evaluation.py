"""The values that nodes give before a graph runs: passed on, chosen by switches, or computed from constants.

    PrimitiveInt 5 ──▶ ComfyMathExpression "a * 16 + 1" ──▶ length      81, computed from the primitive's value
    LoRA ──▶ on_true  ComfySwitchNode ◀── switch ◀── PrimitiveBoolean false      the LoRA does not act

A value that is passed on unchanged keeps its place, so that it can be written there. Sources come before those who
take from them, so that each node is evaluated once, whatever the graph is.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from genlock.graphs.graph import Link, Node
from genlock.graphs.known.constants import CARRIERS, CONSTANTS
from genlock.graphs.known.pictures import MEASURES, SIZES, Size
from genlock.graphs.known.switches import LOOP_ENDS, LOOP_STARTS, PIPES, SWITCHES
from genlock.graphs.uses import Setting

_MAX_TEXT = 2**20
"""The most characters of all computed texts together: nodes that join a text with itself double it each time."""

_MAX_SOURCES = 50
"""The most sources that are listed of a computed value."""

_FILE_PROPERTIES = ("GetVideoComponents", "VHS_VideoInfo", "VHS_VideoInfoLoaded", "VHS_VideoInfoSource")
_LOADERS = ("LoadVideo", "VHS_LoadVideo", "LoadImage")

Place = tuple[str, int]


class Unknown(NamedTuple):
    """Why a value is unknown."""

    reason: str


class Evaluation:
    """The values of a graph's nodes. ``nodes`` are all nodes, each after its sources."""

    def __init__(self, nodes: Mapping[str, Node], value_of: Callable[[str, str], Any]) -> None:
        """Evaluate ``nodes``; ``value_of`` gives a value of the graph as it is written there."""
        self._nodes, self._value_of = nodes, value_of
        self._links = {key: {link.input: link for link in node.links} for key, node in nodes.items()}
        self._values: dict[Place, Setting | Unknown] = {}
        self._passed: dict[Place, Place] = {}
        self._bundles: dict[Place, dict[str, Place | Setting]] = {}
        self._sizes: dict[str, tuple[Size, tuple[tuple[str, str], ...]]] = {}
        self._selected: dict[str, tuple[str, str | None]] = {}
        self._reasons: dict[str, str] = {}
        self._text_left = _MAX_TEXT
        self._files = _files_behind(nodes)
        self.repeated = _repeated(nodes)
        for key, node in nodes.items():
            self._evaluate(key, node)

    def origin(self, link: Link) -> Place:
        """Return the output that a link takes from, behind the nodes that only pass it on."""
        place = (link.source, link.slot)
        return self._passed.get(place, place)

    def is_passed_value(self, link: Link) -> bool:
        """Return whether what a link takes is a value of the graph, and not the work of a node."""
        return isinstance(self._values.get(self.origin(link)), Setting)

    def selected(self, key: str) -> str | None:
        """Return the only input that a switch takes from; None for other nodes, and if it is not known."""
        return self._selected[key][0] if key in self._selected else None

    def acts(self, key: str, name: str) -> bool:
        """Return whether an input of a node acts: of a switch, the selected one and the one that selects it."""
        return key not in self._selected or name in self._selected[key]

    def setting(self, key: str, name: str) -> Setting | Unknown | None:
        """Return the value of an input and the place that holds it; None if the node has no such input."""
        link = self._links[key].get(name)
        if link is None:
            if name not in self._nodes[key].values:
                return None
            if key in self.repeated:
                return Unknown(f"node {key} is in a loop, and may have another value in each turn")
            return Setting(key, name, self._value_of(key, name))
        place = self.origin(link)
        held = self._values.get(place)
        if isinstance(held, Setting) and held.is_computed:
            return held._replace(node=key, input=name)
        if held is not None:
            return held
        return Unknown(self._why_unknown(place[0]))

    def _why_unknown(self, key: str) -> str:
        class_type = self._nodes[key].class_type
        if key not in self._reasons and class_type in (*MEASURES, *_FILE_PROPERTIES):
            loader = self._files.get(key)
            if loader is not None:
                named = f"{loader} ({self._nodes[loader].class_type})"
                self._reasons[key] = f"it is a property of the file that node {named} loads"
        return self._reasons.setdefault(
            key, f"it comes out of node {key}, and what {class_type} gives is not known here"
        )

    def _evaluate(self, key: str, node: Node) -> None:
        if node.class_type in SWITCHES:
            self._pass_on(key, node)
        elif node.class_type in PIPES:
            self._bundle(key, node)
        elif node.class_type in CARRIERS:
            name = CARRIERS[node.class_type]
            self._values[key, 0] = self.setting(key, name) or Unknown(f"node {key} holds no {name}")
        elif node.class_type in CONSTANTS:
            self._compute(key, node)
        elif node.class_type in MEASURES:
            self._measure(key, node)
        if node.class_type in SIZES:
            self._size(key, node)

    def _pass_on(self, key: str, node: Node) -> None:
        switch = SWITCHES[node.class_type]
        value: Any = None
        if switch.selector is not None:
            setting = self.setting(key, switch.selector)
            if not isinstance(setting, Setting):
                reason = setting.reason if setting is not None else "it is not there"
                self._values[key, 0] = Unknown(f"node {key} chooses it by {switch.selector}: {reason}")
                return
            value = setting.value
        try:
            names = switch.choose(value)
        except (TypeError, ValueError):
            names = ()
        present = {*node.values, *self._links[key]}
        name = next((name for name in names if name in present), None)
        if name is None:
            self._values[key, 0] = Unknown(f"node {key} chooses an input that is not there")
            return
        self._selected[key] = name, switch.selector
        link = self._links[key].get(name)
        if link is not None:
            self._passed[key, 0] = self.origin(link)
        else:
            self._values[key, 0] = self.setting(key, name) or Unknown(f"node {key} has no {name}")

    def _bundle(self, key: str, node: Node) -> None:
        """Put a node's inputs into the bundle that it takes, and give each output what is in it."""
        pipe = PIPES[node.class_type]
        taken = self._links[key].get(pipe.takes or "")
        bundle: dict[str, Place | Setting] = dict(self._bundles.get(self.origin(taken), {})) if taken else {}
        for name in (*node.values, *self._links[key]):
            link = self._links[key].get(name)
            if link is not None and name != pipe.takes:
                bundle[_plain(name)] = self.origin(link)
            elif link is None:
                bundle[_plain(name)] = Setting(key, name, self._value_of(key, name))
        for slot in pipe.bundles or ():
            self._bundles[key, slot] = bundle
        for slot, name in pipe.outputs.items():
            content = bundle.get(_plain(name))
            if isinstance(content, Setting):
                self._values[key, slot] = content
            elif content is not None:
                self._passed[key, slot] = content

    def _compute(self, key: str, node: Node) -> None:
        settings = {name: self.setting(key, name) for name in (*node.values, *self._links[key])}
        reason = next((setting.reason for setting in settings.values() if isinstance(setting, Unknown)), None)
        constants = [setting for setting in settings.values() if isinstance(setting, Setting)]
        outputs: tuple[Any, ...] = ()
        if reason is None:
            values = {name: setting.value for name, setting in settings.items() if isinstance(setting, Setting)}
            try:
                outputs = CONSTANTS[node.class_type].outputs(values)
            except ValueError as error:
                reason = f"node {key} ({node.class_type}): {error}"
            except (ArithmeticError, AttributeError, LookupError, TypeError):
                reason = f"node {key} ({node.class_type}) has an input that it cannot use"
        self._text_left -= sum(len(output) for output in outputs if isinstance(output, str))
        if self._text_left < 0:
            reason = "its texts are joined to more than any prompt is"
        if reason is not None:
            self._reasons[key] = reason
            return
        sources = _sources(constants)
        for slot, output in enumerate(outputs):
            self._values[key, slot] = Setting(key, "", output, sources=sources)

    def _measure(self, key: str, node: Node) -> None:
        name, parts = MEASURES[node.class_type]
        link = self._links[key].get(name)
        size, sources = self._sizes.get(self.origin(link)[0], (Size(), ())) if link else (Size(), ())
        for slot, part in enumerate(parts):
            value = getattr(size, part) if part else None
            if value is not None:
                self._values[key, slot] = Setting(key, "", value, sources=sources)

    def _size(self, key: str, node: Node) -> None:
        rule, _ = SIZES[node.class_type]
        settings = [self.setting(key, name) for name in (*node.values, *self._links[key])]
        values = {
            name: setting.value
            for name, setting in zip((*node.values, *self._links[key]), settings, strict=True)
            if isinstance(setting, Setting)
        }
        pictures = {
            name: self._sizes[self.origin(link)[0]]
            for name, link in sorted(self._links[key].items())
            if self.origin(link)[0] in self._sizes
        }
        sources = _sources([setting for setting in settings if isinstance(setting, Setting)])
        for _, others in pictures.values():
            sources = tuple(dict.fromkeys((*sources, *others)))[:_MAX_SOURCES]
        self._sizes[key] = rule(values, {name: size for name, (size, _) in pictures.items()}), sources


def _plain(name: str) -> str:
    """Return one name for what classes of bundles call by several."""
    return {"pos": "positive", "neg": "negative", "image": "images", "sampler_name": "sampler"}.get(name, name)


def _sources(settings: list[Setting]) -> tuple[tuple[str, str], ...]:
    places: list[tuple[str, str]] = []
    for setting in settings:
        places += [(setting.node, setting.input)] if setting.sources is None else setting.sources
    return tuple(dict.fromkeys(places))[:_MAX_SOURCES]


def _repeated(nodes: Mapping[str, Node]) -> frozenset[str]:
    """Return the nodes between the start and the end of a loop."""
    starts = {key for key, node in nodes.items() if LOOP_STARTS.search(node.class_type)}
    if not starts:
        return frozenset()
    after, before = set(starts), set[str]()
    for key, node in nodes.items():  # sources first
        if any(link.source in after for link in node.links):
            after.add(key)
    for key in reversed(tuple(nodes)):
        if key in before or LOOP_ENDS.search(nodes[key].class_type):
            before |= {link.source for link in nodes[key].links}
    return frozenset((after & before) - starts)


def _files_behind(nodes: Mapping[str, Node]) -> Mapping[str, str]:
    """Return, for each node with a loader of a video or a picture before it, the first such loader."""
    behind: dict[str, str] = {}
    for key, node in nodes.items():  # sources first
        loaders = [link.source for link in node.links if nodes[link.source].class_type.startswith(_LOADERS)]
        loaders += [behind[link.source] for link in node.links if link.source in behind]
        if loaders:
            behind[key] = loaders[0]
    return behind
