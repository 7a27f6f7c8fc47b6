"""The values in a graph that a receipt records separately, so that they are not part of what the workflow *is*.

The rules go by the class of a node and the name of an input. A value without a rule stays in the skeleton: a value that
is not recorded must never change unnoticed. Changing any rule changes skeletons: give them a new number then.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

_Words = Mapping[str, str]

_SEEDS: _Words = {"seed": "seed", "noise_seed": "seed"}
_SAMPLING: _Words = {
    "steps": "steps",
    "cfg": "cfg",
    "sampler_name": "sampler",
    "scheduler": "scheduler",
    "denoise": "denoise",
}
_SIZES: _Words = dict.fromkeys(["width", "height", "length", "frames", "num_frames", "video_frames"], "size")
_STRENGTHS: _Words = dict.fromkeys(["strength", "strength_model", "strength_clip"], "strength")
_RATES: _Words = {"fps": "fps", "frame_rate": "fps"}
_PROMPT_INPUTS = """
text prompt positive negative positive_prompt negative_prompt text_g text_l clip_g clip_l t5xxl llama
"""
_PROMPTS: _Words = dict.fromkeys(_PROMPT_INPUTS.split(), "prompt")

LOADERS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "AudioEncoderLoader": ("audio_encoder_name",),
        "CLIPLoader": ("clip_name",),
        "CLIPVisionLoader": ("clip_name",),
        "CheckpointLoader": ("ckpt_name",),
        "CheckpointLoaderSimple": ("ckpt_name",),
        "ControlNetLoader": ("control_net_name",),
        "CreateHookLora": ("lora_name",),
        "CreateHookLoraModelOnly": ("lora_name",),
        "CreateHookModelAsLora": ("ckpt_name",),
        "CreateHookModelAsLoraModelOnly": ("ckpt_name",),
        "DiffControlNetLoader": ("control_net_name",),
        "DualCLIPLoader": ("clip_name1", "clip_name2"),
        "GLIGENLoader": ("gligen_name",),
        "HypernetworkLoader": ("hypernetwork_name",),
        "ImageOnlyCheckpointLoader": ("ckpt_name",),
        "LatentUpscaleModelLoader": ("model_name",),
        "Load3D": ("model_file",),
        "LoadAudio": ("audio",),
        "LoadImage": ("image",),
        "LoadImageMask": ("image",),
        "LoadImageOutput": ("image",),
        "LoadLatent": ("latent",),
        "LoadVideo": ("file",),
        "LoraLoader": ("lora_name",),
        "LoraLoaderModelOnly": ("lora_name",),
        "ModelPatchLoader": ("name",),
        "PhotoMakerLoader": ("photomaker_model_name",),
        "QuadrupleCLIPLoader": ("clip_name1", "clip_name2", "clip_name3", "clip_name4"),
        "StyleModelLoader": ("style_model_name",),
        "TrainLoraNode": ("existing_lora",),
        "TripleCLIPLoader": ("clip_name1", "clip_name2", "clip_name3"),
        "UNETLoader": ("unet_name",),
        "UpscaleModelLoader": ("model_name",),
        "VAELoader": ("vae_name",),
        "unCLIPCheckpointLoader": ("ckpt_name",),
    }
)
"""ComfyUI's own classes that choose files, and the inputs that choose them."""

_FAMILIES: tuple[tuple[re.Pattern[str], _Words], ...] = (
    (re.compile(r""), {**_SEEDS, "filename_prefix": "output_prefix"}),
    (re.compile(r"Sampler|Scheduler|Guider"), _SAMPLING),
    (re.compile(r"TextEncode|Prompt"), _PROMPTS),
    (re.compile(r"^Empty\w*Latent|ToVideo|img2vid"), _SIZES),
    (re.compile(r"Lora|LoRA"), _STRENGTHS),
    (re.compile(r"^(CreateVideo|SaveWEBM|SaveAnimated\w+|VHS_VideoCombine)$"), _RATES),
    (re.compile(r"^Sketch"), {**_SAMPLING, "sampler": "sampler", **_PROMPTS, **_SIZES, **_STRENGTHS, **_RATES}),
)
_SKETCH_FILES = re.compile(r"\w+_name|image|video|audio|file")

_TEXTS = frozenset({"sampler", "scheduler", "prompt", "output_prefix", "file"})
# These decide what a workflow's skeleton leaves out, and so its digest: a change here makes old versions differ.
_WEIGHTS = (".safetensors", ".sft", ".ckpt", ".pt", ".pth", ".bin", ".gguf", ".onnx")
_MEDIA = (".png", ".jpg", ".jpeg", ".webp", ".mp4", ".webm", ".mov", ".mkv", ".wav", ".mp3", ".flac", ".ogg")

PRIMITIVES = frozenset({"PrimitiveString", "PrimitiveStringMultiline", "PrimitiveInt", "PrimitiveFloat"})
"""ComfyUI's own nodes that only pass their ``value`` on: it is recorded as what it is used for."""

PLACE_CLASS = "GenlockPlace"
"""The node that names the segment of a graph; not part of what the workflow is."""

_EDITOR_ONLY = frozenset({"control_after_generate", "control_before_generate"})
_UPLOAD_BUTTONS = frozenset({"upload", "choose file to upload", "audioUI"})

_SILENT_CLASSES = """
BasicGuider BasicScheduler CFGGuider CLIPSetLastLayer CLIPTextEncode CLIPTextEncodeFlux CLIPTextEncodeSDXL
CLIPTextEncodeSDXLRefiner CLIPVisionEncode ConditioningAverage ConditioningCombine ConditioningConcat
ConditioningSetArea ConditioningSetMask ConditioningSetTimestepRange ConditioningZeroOut ControlNetApply
ControlNetApplyAdvanced CreateVideo DisableNoise EmptyHunyuanLatentVideo EmptyImage EmptyLatentImage
EmptyLTXVLatentVideo EmptyMochiLatentVideo EmptySD3LatentImage FluxGuidance GetVideoComponents ImageBatch
ImageCrop ImageFromBatch ImageInvert ImagePadForOutpaint ImageScale ImageScaleBy ImageScaleToTotalPixels
ImageUpscaleWithModel InpaintModelConditioning InvertMask KSampler KSamplerAdvanced KSamplerSelect
LTXVConditioning LTXVImgToVideo LTXVScheduler LatentComposite LatentUpscale LatentUpscaleBy MaskToImage
ImageToMask ModelMergeSimple ModelSamplingAuraFlow ModelSamplingContinuousEDM ModelSamplingDiscrete
ModelSamplingFlux ModelSamplingLTXV ModelSamplingSD3 RandomNoise RepeatLatentBatch RescaleCFG
SVD_img2vid_Conditioning SamplerCustom SamplerCustomAdvanced SetLatentNoiseMask SkipLayerGuidanceDiT
StringConcatenate TrimVideoLatent VAEDecode VAEDecodeAudio VAEDecodeTiled VAEEncode VAEEncodeAudio
VAEEncodeForInpaint VAEEncodeTiled VideoLinearCFGGuidance Wan22ImageToVideoLatent WanFirstLastFrameToVideo
WanFunControlToVideo WanImageToVideo WanVaceToVideo
"""
_SILENT = frozenset(_SILENT_CLASSES.split())


def is_silent(class_type: str) -> bool:
    """Return whether nodes of this class certainly make no output themselves.

    Only for known classes: a node of any other class without consumers counts as an output.
    """
    if class_type.startswith("Sketch"):
        return not class_type.startswith(("SketchSave", "SketchPreview"))
    return class_type in _SILENT or class_type in LOADERS or class_type in PRIMITIVES or class_type == PLACE_CLASS


def is_editors(class_type: str, name: str) -> bool:
    """Return whether this input belongs to the editor, such as a button, and no server reads it."""
    return name in _EDITOR_ONLY or (name in _UPLOAD_BUTTONS and class_type.startswith("Load"))


def word_for(class_type: str, name: str) -> str | None:
    """Return a receipt's word for the values of this input, or None if it does not record them."""
    if name in LOADERS.get(class_type, ()):
        return "file"
    for family, words in _FAMILIES:
        if name in words and family.search(class_type):
            return words[name]
    return "file" if class_type.startswith("Sketch") and _SKETCH_FILES.fullmatch(name) else None


def recorded_as(class_type: str, name: str, value: Any) -> str | None:
    """Return a receipt's word for this value, or None if it stays in the skeleton."""
    word = word_for(class_type, name)
    if word is not None and fits(word, value):
        return word
    if isinstance(value, str):
        # A weights file counts in any node, a picture's name only in a node that loads.
        extensions = _WEIGHTS + _MEDIA if "Load" in class_type else _WEIGHTS
        return "file" if value.lower().endswith(extensions) else None
    return None


def fits(word: str, value: Any) -> bool:
    """Return whether ``value``, normalised, has the type of ``word``: text or a number. True is not 1."""
    if word in _TEXTS:
        return isinstance(value, str)
    if word == "seed" and isinstance(value, str):
        return value.isascii() and value.isdigit()
    # A seed beyond 2^53 comes as its mark: graphs.graph writes large integers as {"integer": digits}.
    return type(value) in (int, float) or (word == "seed" and isinstance(value, dict) and "integer" in value)
