"""What is known of a picture before a graph runs: its width, its height, and how many there are.

EmptyImage 1280 × 720 ──▶ ImageScaleBy 0.5 ──▶ 640 × 360
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True)
class Size:
    """The size of pictures; a part is None if it is unknown."""

    width: int | None = None
    height: int | None = None
    count: int | None = None


Sizing = Callable[[Mapping[str, Any], Mapping[str, Size]], Size]
"""From the values of a node's inputs and the sizes of its pictures, by the names of the inputs."""


def _given(width: str, height: str, picture: str = "image") -> Sizing:
    """Return a rule for a node that makes pictures of a size; 0 keeps the proportions of what it takes."""

    def size(values: Mapping[str, Any], pictures: Mapping[str, Size]) -> Size:
        before = pictures.get(picture, Size())
        across, down = _whole(values.get(width)), _whole(values.get(height))
        if across == 0 and down and before.width and before.height:
            across = max(1, round(before.width * down / before.height))
        if down == 0 and across and before.width and before.height:
            down = max(1, round(before.height * across / before.width))
        return Size(across or None, down or None, before.count)

    return size


def _scaled(factor: str, picture: str = "image") -> Sizing:
    def size(values: Mapping[str, Any], pictures: Mapping[str, Size]) -> Size:
        return _times(pictures.get(picture, Size()), values.get(factor))

    return size


def _like(*pictures_: str) -> Sizing:
    return lambda _, pictures: next((pictures[name] for name in pictures_ if name in pictures), Size())


def _times(before: Size, factor: Any) -> Size:
    if type(factor) not in (int, float) or not 0 < factor <= 64:
        return Size(count=before.count)
    width, height = (None if side is None else max(1, round(side * factor)) for side in (before.width, before.height))
    return Size(width, height, before.count)


def _empty(values: Mapping[str, Any], _: Mapping[str, Size]) -> Size:
    return Size(*(_whole(values.get(name)) for name in ("width", "height", "batch_size")))


def _part(values: Mapping[str, Any], pictures: Mapping[str, Size]) -> Size:
    before = pictures.get("image", Size())
    start, length = _whole(values.get("batch_index")), _whole(values.get("length"))
    if before.count is None or start is None or length is None or start >= before.count:
        return replace(before, count=1 if length == 1 else None)
    return replace(before, count=max(1, min(length, before.count - start)))


def _padded(values: Mapping[str, Any], pictures: Mapping[str, Size]) -> Size:
    before = pictures.get("image", Size())
    sides = {name: _whole(values.get(name)) or 0 for name in ("left", "right", "top", "bottom")}
    return Size(
        None if before.width is None else before.width + sides["left"] + sides["right"],
        None if before.height is None else before.height + sides["top"] + sides["bottom"],
        before.count,
    )


def _resized(values: Mapping[str, Any], pictures: Mapping[str, Size]) -> Size:
    before = pictures.get("input", Size())
    option = {name.removeprefix("resize_type."): value for name, value in values.items()}
    match values.get("resize_type"):
        case "scale dimensions":
            return _given("width", "height", "input")(option, pictures)
        case "scale by multiplier":
            return _times(before, option.get("multiplier"))
        case "scale width":
            return _given("width", "", "input")({"width": option.get("width"), "": 0}, pictures)
        case "scale height":
            return _given("", "height", "input")({"height": option.get("height"), "": 0}, pictures)
        case "scale longer dimension":
            return _to_side(before, option.get("longer_size"), max)
        case "scale shorter dimension":
            return _to_side(before, option.get("shorter_size"), min)
        case "match size":
            return replace(pictures.get("resize_type.match", Size()), count=before.count)
        case _:
            return Size(count=before.count)


def _to_side(before: Size, side: Any, which: Callable[[int, int], int]) -> Size:
    length = _whole(side)
    if not length or before.width is None or before.height is None:
        return Size(count=before.count)
    reference = which(before.width, before.height)
    return Size(round(before.width * length / reference), round(before.height * length / reference), before.count)


def _batched(_: Mapping[str, Any], pictures: Mapping[str, Size]) -> Size:
    every = list(pictures.values())
    counts = [size.count for size in every if size.count is not None]
    first = every[0] if every else Size()
    return replace(first, count=sum(counts) if len(counts) == len(every) else None)


def _repeated(values: Mapping[str, Any], pictures: Mapping[str, Size]) -> Size:
    before, amount = pictures.get("image", Size()), _whole(values.get("amount"))
    return replace(before, count=before.count * amount if before.count and amount else None)


def _whole(value: Any) -> int | None:
    return int(value) if type(value) in (int, float) and 0 <= value < 2**31 else None


SIZES: Mapping[str, tuple[Sizing, str]] = {
    "BatchImagesNode": (_batched, "joins pictures to one batch"),
    "Canny": (_like("image"), "draws the edges of a picture"),
    "EmptyImage": (_empty, "makes plain pictures of a size"),
    "ImageBatch": (_batched, "joins two batches"),
    "ImageBlend": (_like("image1"), "mixes two pictures"),
    "ImageFromBatch": (_part, "takes some pictures of a batch"),
    "ImageInvert": (_like("image"), "inverts colours"),
    "ImagePadForOutpaint": (_padded, "adds borders"),
    "ImageScale": (_given("width", "height"), "resizes"),
    "ImageScaleBy": (_scaled("scale_by"), "resizes by a factor"),
    "LTXVPreprocess": (_like("image"), "compresses a picture as a video would be"),
    "RepeatImageBatch": (_repeated, "repeats pictures"),
    "ResizeAndPadImage": (_given("target_width", "target_height"), "resizes and adds borders"),
    "ResizeImageMaskNode": (_resized, "resizes in one of several ways"),
}
"""Classes that make pictures of a size that follows from their inputs, with what they do."""

MEASURES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "GetImageSize": ("image", ("width", "height", "count")),
    "GetImageSizeAndCount": ("image", ("", "width", "height", "count")),
    "GetImageSize+": ("image", ("width", "height", "count")),
    "easy imageSize": ("image", ("width", "height")),
}
"""Classes that measure pictures: the input they measure, and what each output is."""
