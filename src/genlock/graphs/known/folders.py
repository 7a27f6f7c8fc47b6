"""Which of ComfyUI's folders a loader's file is in, by its class, and by what a loader gives.

The class decides before the input's name: ``clip_name`` of ``CLIPVisionLoader`` is not a text encoder. Of a class that
is not here, what it gives decides where its input's name says nothing (``model_name``).
"""

from collections.abc import Mapping

CLASS_FOLDERS: Mapping[tuple[str, str], tuple[str, str]] = {
    ("CLIPLoaderGGUF", "clip_name"): ("clip_gguf", "GGUF lists its quantised text encoders separately"),
    ("CLIPVisionLoader", "clip_name"): ("clip_vision", "an encoder of pictures"),
    ("CheckpointLoader", "config_name"): ("configs", "the layout of an old checkpoint"),
    ("DownloadAndLoadSAM2Model", "model"): ("sam2", "SAM 2"),
    ("DualCLIPLoaderGGUF", "clip_name1"): ("clip_gguf", "GGUF lists its quantised text encoders separately"),
    ("DualCLIPLoaderGGUF", "clip_name2"): ("clip_gguf", "GGUF lists its quantised text encoders separately"),
    ("LTXAVTextEncoderLoader", "ckpt_name"): ("checkpoints", "the text projection is in the checkpoint"),
    ("LTXAVTextEncoderLoader", "text_encoder"): ("text_encoders", "Gemma"),
    ("LTXVAudioVAELoader", "ckpt_name"): ("checkpoints", "the audio VAE is in the checkpoint"),
    ("LoadDA3Model", "model_name"): ("geometry_estimation", "Depth Anything 3"),
    ("LoadMediaPipeFaceLandmarker", "model_name"): ("detection", "face landmarks"),
    ("LoadMoGeModel", "model_name"): ("geometry_estimation", "MoGe"),
    ("LoadWanVideoClipTextEncoder", "model_name"): ("clip_vision", "WanVideoWrapper: an encoder of pictures"),
    ("LoadWanVideoT5TextEncoder", "model_name"): ("text_encoders", "WanVideoWrapper: T5"),
    ("QuadrupleCLIPLoaderGGUF", "clip_name1"): ("clip_gguf", "GGUF lists its quantised text encoders separately"),
    ("QuadrupleCLIPLoaderGGUF", "clip_name2"): ("clip_gguf", "GGUF lists its quantised text encoders separately"),
    ("QuadrupleCLIPLoaderGGUF", "clip_name3"): ("clip_gguf", "GGUF lists its quantised text encoders separately"),
    ("QuadrupleCLIPLoaderGGUF", "clip_name4"): ("clip_gguf", "GGUF lists its quantised text encoders separately"),
    ("TripleCLIPLoaderGGUF", "clip_name1"): ("clip_gguf", "GGUF lists its quantised text encoders separately"),
    ("TripleCLIPLoaderGGUF", "clip_name2"): ("clip_gguf", "GGUF lists its quantised text encoders separately"),
    ("TripleCLIPLoaderGGUF", "clip_name3"): ("clip_gguf", "GGUF lists its quantised text encoders separately"),
    ("UnetLoaderGGUF", "unet_name"): ("unet_gguf", "GGUF lists its quantised models separately"),
    ("UnetLoaderGGUFAdvanced", "unet_name"): ("unet_gguf", "GGUF lists its quantised models separately"),
    ("WanVideoLoraSelect", "lora"): ("loras", "WanVideoWrapper: one LoRA"),
    ("WanVideoModelLoader", "model"): ("diffusion_models", "WanVideoWrapper: the diffusion model"),
    ("WanVideoTinyVAELoader", "model_name"): ("vae_approx", "WanVideoWrapper: a small VAE for previews"),
    ("WanVideoVACEModelSelect", "vace_model"): ("diffusion_models", "WanVideoWrapper: the VACE module"),
    ("WanVideoVAELoader", "model_name"): ("vae", "WanVideoWrapper: the VAE"),
}
"""Inputs of classes with their folder, and what the file is."""

TYPE_FOLDERS: Mapping[str, str] = {
    "AUDIO_ENCODER": "audio_encoders",
    "BACKGROUND_REMOVAL": "background_removal",
    "CLIP": "text_encoders",
    "CLIP_VISION": "clip_vision",
    "CONTROL_NET": "controlnet",
    "DA3_MODEL": "geometry_estimation",
    "FACE_DETECTION_MODEL": "detection",
    "GLIGEN": "gligen",
    "INTERP_MODEL": "frame_interpolation",
    "IPADAPTER": "ipadapter",
    "LATENT_UPSCALE_MODEL": "latent_upscale_models",
    "MODEL_PATCH": "model_patches",
    "MOGE_MODEL": "geometry_estimation",
    "OPTICAL_FLOW": "optical_flow",
    "PHOTOMAKER": "photomaker",
    "STYLE_MODEL": "style_models",
    "UPSCALE_MODEL": "upscale_models",
    "VAE": "vae",
}
"""What a loader gives, with the folder of its files. ``MODEL`` is not here: it may be in several."""

PHYSICAL_FOLDERS: Mapping[str, str] = {"clip_gguf": "text_encoders", "unet_gguf": "diffusion_models"}
"""Folders that a pack lists under another name, with the folder of ``models`` that they are in."""
