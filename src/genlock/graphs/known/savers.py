"""Nodes that save what a graph makes: videos, pictures, and what is only shown."""

from collections.abc import Mapping
from typing import Literal, NamedTuple

Saves = Literal["video", "image", "preview", "other"]


class Saver(NamedTuple):
    """What a class saves, and what it is known for."""

    saves: Saves
    reason: str


SAVERS: Mapping[str, Saver] = {
    "Image Save": Saver("image", "WAS: pictures"),
    "MaskPreview": Saver("preview", "shows masks"),
    "MaskPreview+": Saver("preview", "essentials: shows masks"),
    "PreviewAny": Saver("preview", "shows any value"),
    "PreviewAudio": Saver("preview", "plays sound"),
    "PreviewImage": Saver("preview", "shows pictures"),
    "PreviewAnimation": Saver("preview", "KJ: shows pictures as an animation"),
    "PreviewVideo": Saver("preview", "plays a video"),
    "SaveAnimatedPNG": Saver("video", "all frames in one animated PNG, without loss"),
    "SaveAnimatedWEBP": Saver("video", "all frames in one animated WEBP"),
    "SaveAudio": Saver("other", "sound"),
    "SaveAudioMP3": Saver("other", "sound"),
    "SaveAudioOpus": Saver("other", "sound"),
    "SaveImage": Saver("image", "pictures, one file for each"),
    "SaveImageKJ": Saver("image", "KJ: pictures, and a text"),
    "SaveImageWebsocket": Saver("preview", "sends pictures to the client"),
    "SaveImageWithAlpha": Saver("image", "KJ: pictures with transparency"),
    "SaveLatent": Saver("other", "latents"),
    "SaveText": Saver("other", "a text"),
    "SaveVideo": Saver("video", "a video in any container and codec that ComfyUI has"),
    "SaveWEBM": Saver("video", "a video as WEBM"),
    "ShowText|pysssss": Saver("preview", "shows a text"),
    "VHS_VideoCombine": Saver("video", "a video or an animation, by VideoHelperSuite; without save_output it is shown"),
    "easy imageSave": Saver("image", "Easy-Use: pictures"),
    "easy previewAnything": Saver("preview", "Easy-Use: shows any value"),
    "easy saveText": Saver("other", "Easy-Use: a text"),
    "easy showAnything": Saver("preview", "Easy-Use: shows any value"),
}
"""Classes that save or show, with the reason."""
