"""What a picture is for: its first frame, its last, a key frame, a reference or a control, by what takes it.

The class of the node that takes the picture decides before the name of the input. A name that says nothing, such as
``image`` of a class that is not known, decides nothing: then it is asked.
"""

import re
from collections.abc import Mapping
from typing import Literal

PictureRole = Literal["start", "end", "key", "reference", "control", "mask"]

ROLE_WORDS: Mapping[PictureRole, str] = {
    "start": "start image",
    "end": "end image",
    "key": "key image",
    "reference": "reference image",
    "control": "control image",
    "mask": "mask",
}
"""The roles of pictures in words; of several, the first counts."""

CLASS_ROLES: Mapping[tuple[str, str], tuple[PictureRole, str]] = {
    ("KlingDualCharacterVideoEffectNode", "image_left"): ("reference", "one of the two characters"),
    ("KlingDualCharacterVideoEffectNode", "image_right"): ("reference", "one of the two characters"),
    ("LumaReferenceNode", "image"): ("reference", "a picture that Luma takes its style or content from"),
    ("SVD_img2vid_Conditioning", "init_image"): ("start", "Stable Video Diffusion begins with it"),
    ("WanHuMoImageToVideo", "ref_image"): ("reference", "HuMo keeps its subject, and does not begin with it"),
    ("WanPhantomSubjectToVideo", "images"): ("reference", "Phantom keeps its subjects"),
    ("WanVideoClipVisionEncode", "image_1"): ("reference", "WanVideoWrapper: only its content is described"),
    ("WanVideoClipVisionEncode", "image_2"): ("reference", "WanVideoWrapper: only its content is described"),
    ("WanVideoVACEEncode", "input_frames"): ("control", "WanVideoWrapper: the frames that VACE follows"),
}
"""Inputs of classes whose names mislead, with the reason."""

_BY_CLASS: tuple[tuple[re.Pattern[str], PictureRole], ...] = (
    (re.compile(r"Key ?frame", re.IGNORECASE), "key"),
    (re.compile(r"Reference|Subject|R2V|CharacterTo"), "reference"),
    (re.compile(r"(Img|Image|Frame|Photo)(To|2)\w{0,8}Vid|img2vid|I2V|Talking(Image|Photo)", re.IGNORECASE), "start"),
)
"""What a class takes under a name that says nothing. Image-to-video begins with it."""

_BY_NAME: tuple[tuple[re.Pattern[str], PictureRole], ...] = (
    (re.compile(r"mask"), "mask"),
    (re.compile(r"^(start|first|init(ial)?)(_|$)|_(start|first)(_|$)"), "start"),
    (re.compile(r"^(end|last|tail|final)(_|$)|_(end|last|tail)(_|$)"), "end"),
    (re.compile(r"key_?frame|^mid(dle)?_"), "key"),
    (
        re.compile(r"^refs?(_|$)|reference|subject|character|style|ip_?adapter|element|identity|ingredient|asset"),
        "reference",
    ),
    (re.compile(r"control|pose|depth|canny|edge|driving|motion|guid|sketch|track|normal"), "control"),
)
_SAYS_NOTHING = re.compile(
    r"(input_?|prompt_?)?(images?|frames?|pictures?|img|pixels|latent_image|samples|value)?_?\d*"
)


def role_by_name(name: str) -> PictureRole | None:
    """Return the role that an input's name says: that of its last part that says one (``model.ref_images.image_1``)."""
    for part in reversed(name.lower()[:200].split(".")):
        role: PictureRole | None = next((role for pattern, role in _BY_NAME if pattern.search(part)), None)
        if role is not None or not _SAYS_NOTHING.fullmatch(part):
            return role
    return None


def role_by_class(class_type: str, name: str) -> PictureRole | None:
    """Return the role that a class gives a picture, for an input whose name says nothing."""
    rule = CLASS_ROLES.get((class_type, name))
    if rule is not None:
        return rule[0]
    if role_by_name(name) is not None or not _SAYS_NOTHING.fullmatch(name.lower()[:200].rpartition(".")[2]):
        return None
    return next((role for pattern, role in _BY_CLASS if pattern.search(class_type)), None)
