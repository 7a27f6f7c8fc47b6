"""Draws the sample pictures: a person in a landscape, with different clothes, and two places."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from genlock.engines.pictures import Pixels

SIDE = 256
_FINE = 4
"""The supersampling factor, since Pillow's shapes have hard edges."""

Colour = tuple[int, int, int]
Draw = ImageDraw.ImageDraw


@dataclass(frozen=True)
class Dress:
    """The person's clothes, and the weather behind them."""

    sky: tuple[Colour, Colour]
    ground: Colour
    hair: Colour
    shirt: Colour
    coat: Colour | None = None
    hat: Colour | None = None
    scarf: Colour | None = None


SKIN: Colour = (236, 188, 150)
INK: Colour = (48, 40, 44)
DAY = ((128, 186, 226), (226, 238, 240))
EVENING = ((86, 84, 146), (246, 188, 148))

_PORTRAIT_1 = Dress(DAY, (124, 164, 98), (92, 58, 40), (206, 92, 74))
_PORTRAIT_2 = Dress(EVENING, (96, 112, 86), (176, 116, 58), (206, 92, 74))
_CLOTHED_1 = Dress(DAY, (124, 164, 98), (92, 58, 40), (206, 92, 74), (52, 82, 132), (38, 58, 96))
_CLOTHED_2 = Dress(DAY, (124, 164, 98), (92, 58, 40), (206, 92, 74), (178, 134, 46), (120, 80, 34), (190, 48, 58))


def _person(dress: Dress) -> Pixels:
    image = _backdrop(dress.sky)
    draw = ImageDraw.Draw(image)
    _ellipse(draw, (-70, 176, 326, 380), dress.ground)
    _ellipse(draw, (84, 46, 172, 150), dress.hair)
    _ellipse(draw, (54, 150, 202, 330), dress.coat or dress.shirt)
    _polygon(draw, [(112, 128), (144, 128), (148, 168), (108, 168)], SKIN)
    if dress.coat:
        _polygon(draw, [(104, 158), (152, 158), (128, 236)], dress.shirt)
        for height in (196, 218, 240):
            _ellipse(draw, (142, height, 150, height + 8), INK)
    _ellipse(draw, (92, 58, 164, 146), SKIN)
    _polygon(draw, [(92, 92), (98, 60), (128, 50), (160, 62), (164, 92), (140, 72), (114, 72)], dress.hair)
    for left in (108, 136):
        _ellipse(draw, (left, 94, left + 12, 106), INK)
    draw.arc(_scaled((112, 104, 144, 132)), 20, 160, fill=INK, width=3 * _FINE)
    if dress.scarf:
        _ellipse(draw, (98, 136, 158, 168), dress.scarf)
        _polygon(draw, [(136, 156), (156, 156), (162, 214), (142, 214)], dress.scarf)
    if dress.hat:
        _ellipse(draw, (72, 56, 184, 80), dress.hat)
        _ellipse(draw, (94, 18, 162, 88), dress.hat)
        _polygon(draw, [(94, 56), (162, 56), (164, 68), (92, 68)], INK)
    return _finished(image)


def _street() -> Pixels:
    image = _backdrop(EVENING)
    draw = ImageDraw.Draw(image)
    houses: list[tuple[int, int, Colour]] = [
        (0, 90, (110, 70, 84)),
        (62, 60, (74, 66, 98)),
        (122, 104, (128, 86, 76)),
        (186, 74, (84, 74, 92)),
    ]
    for left, top, colour in houses:
        draw.rectangle(_scaled((left, top, left + 70, 256)), fill=colour)
        for row in range(top + 14, 190, 30):
            for column in (left + 12, left + 40):
                draw.rectangle(_scaled((column, row, column + 14, row + 16)), fill=(250, 216, 132))
    _polygon(draw, [(0, 256), (96, 198), (160, 198), (256, 256)], (70, 66, 78))
    return _finished(image)


def _harbour() -> Pixels:
    image = _backdrop(DAY)
    draw = ImageDraw.Draw(image)
    _ellipse(draw, (176, 24, 224, 72), (252, 226, 140))
    draw.rectangle(_scaled((0, 160, 256, 256)), fill=(54, 110, 148))
    for top in (176, 196, 220):
        draw.line(_scaled((0, top, 256, top + 4)), fill=(116, 168, 196), width=3 * _FINE)
    _polygon(draw, [(56, 168), (196, 168), (172, 204), (80, 204)], (150, 62, 52))
    draw.line(_scaled((122, 60, 122, 168)), fill=INK, width=5 * _FINE)
    _polygon(draw, [(128, 66), (128, 156), (190, 156)], (246, 242, 230))
    _polygon(draw, [(116, 82), (116, 156), (70, 156)], (232, 222, 200))
    return _finished(image)


def _backdrop(sky: tuple[Colour, Colour]) -> Image.Image:
    """Return a large canvas with a vertical gradient from the first colour at the top to the second."""
    share = np.linspace(0.0, 1.0, SIDE * _FINE)[:, None, None]
    top, bottom = np.array(sky[0], dtype=np.float64), np.array(sky[1], dtype=np.float64)
    rows = np.rint(top * (1.0 - share) + bottom * share).astype(np.uint8)
    return Image.fromarray(np.repeat(rows, SIDE * _FINE, axis=1))


def _finished(image: Image.Image) -> Pixels:
    return np.asarray(image.resize((SIDE, SIDE), Image.Resampling.LANCZOS), dtype=np.uint8)


def _scaled(box: tuple[int, int, int, int]) -> tuple[float, float, float, float]:
    left, top, right, bottom = (float(edge * _FINE) for edge in box)
    return left, top, right, bottom


def _ellipse(draw: Draw, box: tuple[int, int, int, int], colour: Colour) -> None:
    draw.ellipse(_scaled(box), fill=colour)


def _polygon(draw: Draw, corners: list[tuple[int, int]], colour: Colour) -> None:
    draw.polygon([(float(x * _FINE), float(y * _FINE)) for x, y in corners], fill=colour)


DRAWINGS: Mapping[str, Callable[[], Pixels]] = {
    "portrait_v1.png": lambda: _person(_PORTRAIT_1),
    "portrait_v2.png": lambda: _person(_PORTRAIT_2),
    "clothed_v1.png": lambda: _person(_CLOTHED_1),
    "clothed_v2.png": lambda: _person(_CLOTHED_2),
    "street_v1.png": _street,
    "harbour_v1.png": _harbour,
}
"""Every sample picture by its filename."""
