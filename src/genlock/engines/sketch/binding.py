"""Binds a spec to a workflow: sets the spec's files, prompts, seed and numbers in its nodes; the spec wins."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from genlock.engines.model import LABELS, START_ROLES, EngineInput, RenderSpec
from genlock.engines.sketch import classes
from genlock.engines.sketch.classes import CLASSES, Value
from genlock.engines.sketch.graph import Graph, Node, checked, in_order
from genlock.engines.sketch.offer import OFFER, ON_SAMPLER
from genlock.errors import Invalid


@dataclass(frozen=True)
class Bound:
    """A graph ready to run, and the parameters in effect.

    ``files`` has each input by the id of the node that loads it, with its strengths filled in.
    """

    graph: Graph
    files: Mapping[str, EngineInput]
    parameters: Mapping[str, Any]

    def naming(self, names: Mapping[str, str]) -> Graph:
        """Return the graph with its files named ``names``, by node id."""
        nodes = dict(self.graph.nodes)
        for node_id, name in names.items():
            node = nodes[node_id]
            choice = next(key for key in ("model_name", "lora_name", "image") if key in CLASSES[node.class_type].inputs)
            nodes[node_id] = node.with_values(**{choice: name})
        return Graph(nodes)


def bind(whole: Graph, spec: RenderSpec) -> Bound:
    """Bind the spec to the part of the graph that produces its output. Raise ``Invalid`` for what does not fit."""
    _require_offered(spec)
    graph = whole.that_reaches(_save_node(whole, spec).id)
    files = {**_bind_model(graph, spec), **_bind_image(graph, spec)}
    graph, lora_files = _bind_loras(graph, spec)
    graph = Graph({node.id: _bind_values(node, spec) for node in graph.nodes.values()})
    graph = _bind_prompts(graph, spec)
    return Bound(graph, {**files, **lora_files}, _parameters(graph, spec))


def _require_offered(spec: RenderSpec) -> None:
    for item in spec.inputs:
        if item.role not in OFFER.roles:
            raise _unbound(
                f"The sketch engine cannot use the input {item.label}.",
                f"It takes {', '.join(OFFER.roles)}; leave it out.",
            )
    for name in spec.parameters:
        if name not in OFFER.parameters and name not in LABELS:
            raise _unbound(
                f"The sketch engine has no parameter {name[:80]!r}.",
                f"Its parameters are {', '.join(OFFER.parameters)}; other settings belong into the workflow.",
            )
    if spec.produces == "image":
        if "fps" in spec.parameters:
            raise _unbound("A picture has no frames per second.", "Leave the parameter 'fps' out.")
        if spec.parameters.get("frames", 1) != 1:
            raise _unbound("A picture has one frame.", "Leave the parameter 'frames' out.")


def _save_node(graph: Graph, spec: RenderSpec) -> Node:
    what, class_type = ("video", classes.SAVE_VIDEO) if spec.produces == "video" else ("picture", classes.SAVE_IMAGE)
    nodes = graph.of_class(class_type)
    if len(nodes) != 1:
        raise _unbound(
            f"To make a {what}, the workflow needs one node of the class {class_type}; it has {len(nodes)}.",
            "Use a workflow that has one.",
        )
    return nodes[0]


def _bind_model(graph: Graph, spec: RenderSpec) -> dict[str, EngineInput]:
    nodes, models = graph.of_class(classes.LOAD_MODEL), spec.in_role("model")
    if len(nodes) != 1:
        raise _unbound(f"The workflow loads {len(nodes)} models; the sketch engine takes one.", "Keep one node.")
    if len(models) != 1:
        raise _unbound(f"The workflow loads one model, and {len(models) or 'none'} was given.", "Give one model.")
    return {nodes[0].id: models[0]}


def _bind_image(graph: Graph, spec: RenderSpec) -> dict[str, EngineInput]:
    nodes = graph.of_class(classes.LOAD_IMAGE)
    given: tuple[EngineInput, ...] = next((spec.in_role(role) for role in START_ROLES if spec.in_role(role)), ())
    if len(nodes) > 1:
        raise _unbound(f"The workflow loads {len(nodes)} images; the sketch engine takes one.", "Keep one node.")
    if nodes and not given:
        raise _unbound(
            f"{nodes[0].label} has no image to load.", f"Give an input in one of the roles {', '.join(START_ROLES)}."
        )
    if given and not nodes:
        raise _unbound(
            f"The workflow has no {classes.LOAD_IMAGE} node that could load {given[0].label}.",
            "Link one to the sampler's start_image.",
        )
    if len(given) > 1:
        raise _unbound(f"{len(given)} inputs have the role {given[0].role}; there is one start image.", "Give one.")
    return {node.id: start for node, start in zip(nodes, given, strict=True)}


def _bind_loras(graph: Graph, spec: RenderSpec) -> tuple[Graph, dict[str, EngineInput]]:
    """Bind each LoRA to its own node in order; a stack gets the rest and is expanded to one node per LoRA."""
    loras = spec.in_role("lora")
    single, stacks = graph.of_class(classes.APPLY_LORA), graph.of_class(classes.LORA_STACK)
    if len(stacks) > 1:
        raise _unbound(f"The workflow has {len(stacks)} LoRA stacks; which LoRA goes where is undefined.", "Keep one.")
    if len(loras) < len(single):
        raise _unbound(
            f"{single[len(loras)].label} has no LoRA to load: the workflow has {len(single)} such nodes, "
            f"and {len(loras) or 'no'} LoRAs were given.",
            f"Give one more, or use {classes.LORA_STACK}, which takes as many as there are.",
        )
    if len(loras) > len(single) and not stacks:
        raise _unbound(
            f"The workflow has no node left for {loras[len(single)].label}.",
            f"Add a {classes.APPLY_LORA} node, or use {classes.LORA_STACK}, which takes as many as there are.",
        )
    if len({node.links["model"] for node in (*single, *stacks)}) < len(single) + len(stacks):
        raise _unbound(
            "Two LoRA nodes of the workflow continue the same node; which LoRA goes where is undefined.",
            "Put them one after another.",
        )
    nodes = dict(graph.nodes)
    files: dict[str, EngineInput] = {}
    for node, lora in zip(single, loras, strict=False):
        nodes[node.id], files[node.id] = _with_strengths(node, lora)
    if not stacks:
        return Graph(nodes), files
    stack = nodes.pop(stacks[0].id)
    feeds = stack.links["model"]
    for place, lora in enumerate(loras[len(single) :], start=1):
        node_id = f"{stack.id}:{place}"
        if node_id in nodes:
            raise _unbound(f"Node {node_id} has the id that the engine gives to a LoRA of its stack.", "Rename it.")
        node = Node(node_id, classes.APPLY_LORA, {"model": feeds}, {"lora_name": "", "strength_model": 1.0})
        (nodes[node_id], files[node_id]), feeds = _with_strengths(node, lora), node_id
    relinked = {
        node.id: replace(node, links={k: feeds if source == stack.id else source for k, source in node.links.items()})
        for node in nodes.values()
    }
    return in_order(relinked), files


def _with_strengths(node: Node, lora: EngineInput) -> tuple[Node, EngineInput]:
    """Return the node with the LoRA's strengths, and the LoRA with the node's strengths if it has none.

    A LoRA with only ``strength_model`` uses it for both.
    """
    strength_model = node.values["strength_model"]
    strength_clip = node.values.get("strength_clip", strength_model)
    if lora.strength_model is not None:
        strength_model = strength_clip = lora.strength_model
    if lora.strength_clip is not None:
        strength_clip = lora.strength_clip
    bound = node.with_values(
        strength_model=checked(Value(classes.strength), strength_model, f"strength_model of {lora.label}"),
        strength_clip=checked(Value(classes.strength), strength_clip, f"strength_clip of {lora.label}"),
    )
    acting: dict[str, float] = {"strength_model": strength_model}
    if lora.strength_clip is not None or strength_clip != strength_model:
        acting["strength_clip"] = strength_clip
    return bound, lora.model_copy(update=acting)


def _bind_values(node: Node, spec: RenderSpec) -> Node:
    bound: dict[str, Any] = {}
    expected = CLASSES[node.class_type].inputs
    if node.class_type == classes.SAMPLER:
        for word, name in ON_SAMPLER.items():
            if word in spec.parameters:
                bound[name] = _parameter(word, expected[name], spec)
        if spec.produces == "image":
            bound["length"] = 1
    if node.class_type == classes.SAVE_VIDEO and "fps" in spec.parameters:
        bound["fps"] = _parameter("fps", expected["fps"], spec)
    if "filename_prefix" in expected:
        bound["filename_prefix"] = classes.PREFIX
    return node.with_values(**bound)


def _parameter(word: str, kind: Any, spec: RenderSpec) -> Any:
    value = spec.parameters[word]
    if word == "seed" and not isinstance(value, str):
        raise _unbound("The parameter 'seed' is not a string.", 'Write a seed as a string, such as "42".')
    return checked(kind, value, f"The parameter {word!r}")


def _bind_prompts(graph: Graph, spec: RenderSpec) -> Graph:
    sampler = graph.of_class(classes.SAMPLER)[0]
    positive, negative = sampler.links["positive"], sampler.links.get("negative")
    texts: dict[str, str] = {}
    for word, node_id in (("prompt", positive), ("negative_prompt", negative)):
        if word not in spec.parameters:
            continue
        text = checked(Value(classes.prompt), spec.parameters[word], f"The parameter {word!r}")
        if node_id is None:
            if text:
                raise _unbound(
                    f"{sampler.label} takes no negative prompt.", f"Link a {classes.PROMPT} to its 'negative'."
                )
        elif texts.setdefault(node_id, text) != text:
            raise _unbound(
                f"{graph.nodes[node_id].label} is both the prompt and the negative prompt.", "Use two nodes for them."
            )
    return Graph(
        {key: node.with_values(text=texts[key]) if key in texts else node for key, node in graph.nodes.items()}
    )


def _parameters(graph: Graph, spec: RenderSpec) -> dict[str, Any]:
    """Return every parameter of the bound graph, named as in receipts."""
    sampler = graph.of_class(classes.SAMPLER)[0]
    negative = sampler.links.get("negative")
    parameters: dict[str, Any] = {
        "prompt": graph.nodes[sampler.links["positive"]].values["text"],
        "negative_prompt": graph.nodes[negative].values["text"] if negative else "",
        **{word: sampler.values[name] for word, name in ON_SAMPLER.items()},
    }
    if spec.produces == "video":
        parameters["fps"] = graph.of_class(classes.SAVE_VIDEO)[0].values["fps"]
    return parameters


def _unbound(message: str, hint: str) -> Invalid:
    return Invalid(message[0].upper() + message[1:], hint=hint, code="cannot_bind")
