"""What the pictures of a graph are for, followed from each loader through the nodes that pass a picture on.

LoadImage ──▶ ImageScale ──▶ start_image of WanImageToVideo        its first frame
LoadImage ──▶ image of a class that is not known                   nothing says it: a question
"""

import re
from collections.abc import Mapping
from typing import Literal, NamedTuple, cast

from genlock.graphs.graph import Link
from genlock.graphs.known.roles import ROLE_WORDS, PictureRole, role_by_class, role_by_name
from genlock.graphs.partner import is_partner
from genlock.graphs.uses import FileUse, ImageUse, Setting
from genlock.graphs.wiring import Wiring, is_sampler

_VISUAL = frozenset({"IMAGE", "MASK", "VIDEO", "CLIP_VISION_OUTPUT"})
_PASSED_ON = re.compile(
    r"(image|images|pixels|input|video|frames|image[_ ]?(a|b|target|\d+)|images\.image\d+)", re.IGNORECASE
)
_CONDITIONED = frozenset({"positive", "negative", "conditioning", "latent_image", "samples", "model"})
"""Inputs that take what a node makes out of a picture, and not the picture."""

_NAMES_PICTURES = frozenset({"ByteDanceCreateImageAsset"})
"""Nodes that upload a picture to a service and give its id: who takes the id takes the picture."""

_BATCHES = ("BatchImagesNode", "ImageBatch", "ImageBatchMulti")
_FRAME_INDICES = ("frame_idx", "frame_index", "index")
_AT_A_FRAME = re.compile(r"AddGuide|ImgToVideoInplaceKJ|KeyFrame", re.IGNORECASE)

Position = Literal["start", "end", "key"]


class _Step(NamedTuple):
    """A node that has a picture; ``position`` is the picture's in a batch with pictures that are not loaded."""

    node: str
    position: Position | None
    is_described: bool
    """Whether only a description of its content is passed on (CLIP vision)."""


def image_use(wiring: Wiring, file: FileUse) -> ImageUse:
    """Return a picture with the inputs that use it, and the role that they give it."""
    purposes: list[str] = []
    roles: list[PictureRole] = []
    described: list[PictureRole] = []
    unclear: list[str] = []
    waiting, visited = [_Step(file.node, None, False)], {file.node}
    for step in waiting:
        for consumer, link in wiring.consumers[step.node]:
            wiring.step()
            role = "mask" if link.slot == 1 and step.node == file.node else _role(wiring, consumer, link, step)
            if role is not None:
                purposes.append(link.input)
                (described if step.is_described else roles).append(role)
            elif not _passes_on(wiring, consumer, link):
                purposes.append(link.input)
                if not step.is_described:
                    unclear.append(f"{link.input} of node {consumer} ({wiring.nodes[consumer].class_type})")
            elif consumer not in visited:
                visited.add(consumer)
                described_now = step.is_described or "clip_vision" in wiring.names_of(consumer)
                waiting.append(_Step(consumer, _position(wiring, consumer, link) or step.position, described_now))
    role = _first_of(roles)
    if role is None and not unclear:
        role = _first_of(described) or ("reference" if purposes else None)
    return ImageUse(
        file.node,
        file.input,
        file.name,
        file.category,
        tuple(dict.fromkeys(purposes)),
        role,
        None if role is not None else _question(file, unclear),
    )


def _first_of(roles: list[PictureRole]) -> PictureRole | None:
    return next((role for role in ROLE_WORDS if role in roles), None)


def _question(file: FileUse, unclear: list[str]) -> str | None:
    """Return what has to be asked about a picture; None if nothing that acts takes it."""
    if not unclear:
        return None
    return (
        f"node {file.node} loads {file.name} for {unclear[0]}, which does not say what it is: "
        "the first frame, the last, or a reference?"
    )


def _role(wiring: Wiring, consumer: str, link: Link, step: _Step) -> PictureRole | None:
    class_type = wiring.nodes[consumer].class_type
    if _AT_A_FRAME.search(class_type):
        at = _at_frame(wiring, consumer, link.input)
        if at is not None:
            return at
    role = role_by_class(class_type, link.input) or role_by_name(link.input)
    if role == "control" and step.position is not None and re.search(r"video|frames|images", link.input):
        return step.position  # stills between plain frames: those are kept, and the rest is made
    if role is None and is_partner(wiring, consumer):
        return _partner_role(wiring, consumer, link)
    return role


def _at_frame(wiring: Wiring, consumer: str, name: str) -> PictureRole | None:
    """Return the role of a picture that is put at a frame, by the number of that frame."""
    number = re.search(r"\d+$", name)
    for stem in _FRAME_INDICES:
        for candidate in (stem, f"{stem}_{number[0]}" if number else stem, _next_to(name, stem)):
            setting = wiring.setting(consumer, candidate)
            if isinstance(setting, Setting) and type(setting.value) in (int, float):
                return cast("Mapping[int, PictureRole]", {0: "start", -1: "end"}).get(int(setting.value), "key")
    return None


def _next_to(name: str, stem: str) -> str:
    """Return the name of an input next to another one in a group: ``num_guides.frame_idx_1``."""
    group, _, last = name.rpartition(".")
    digits = re.sub(r"^\D*", "", last)
    return f"{group}.{stem}_{digits}" if digits else f"{group}.{stem}"


def _partner_role(wiring: Wiring, consumer: str, link: Link) -> PictureRole | None:
    """Return the role of a picture that a service takes under a name that says nothing."""
    if wiring.nodes[consumer].class_type in _NAMES_PICTURES:
        return None
    outputs = wiring.output_types(consumer)
    if outputs and "VIDEO" not in outputs and "IMAGE" in outputs:
        return "reference"  # it makes another picture of it
    if outputs is None and not re.search(r"Video|I2V|Sora", wiring.nodes[consumer].class_type):
        return None
    names = [other.input for other in wiring.nodes[consumer].links]
    is_only_one = all(name == link.input or not re.search(r"image|frame|video", name) for name in names)
    return "start" if is_only_one and "VIDEO" in (outputs or ("VIDEO",)) else None


def _passes_on(wiring: Wiring, consumer: str, link: Link) -> bool:
    node = wiring.nodes[consumer]
    if node.class_type in _NAMES_PICTURES or node.class_type == "SaveText":
        return True
    if is_sampler(node) or is_partner(wiring, consumer) or wiring.makes_files(consumer):
        return False
    outputs = wiring.output_types(consumer)
    if outputs is not None:
        return (
            wiring.passes_type_on(consumer, link.input)
            or not _VISUAL.isdisjoint(outputs)
            or (outputs == ("LATENT",) and link.input == "pixels")
        )
    makes_video = any(taken.input in _CONDITIONED for _, taken in wiring.consumers[consumer])
    return _PASSED_ON.fullmatch(link.input) is not None and (link.input == "pixels" or not makes_video)


def _position(wiring: Wiring, consumer: str, link: Link) -> Position | None:
    """Return the position of a picture in a batch that also has pictures which are not loaded."""
    node = wiring.nodes[consumer]
    if not node.class_type.startswith(_BATCHES):
        return None
    members = sorted(node.links, key=lambda member: _natural(member.input))
    if len(members) < 2 or all(_is_loader(wiring, member.source) for member in members):
        return None
    if link.input == members[0].input:
        return "start"
    return "end" if link.input == members[-1].input else "key"


def _natural(name: str) -> tuple[str, int]:
    stem = name.rstrip("0123456789")
    return stem, int(name[len(stem) :][:9] or 0)


def _is_loader(wiring: Wiring, key: str) -> bool:
    return wiring.nodes[key].class_type.startswith(("LoadImage", "VHS_Load"))
