"""Digits as one draws them by mouse: strokes of points, as shares of the pad's sides."""

import math
from collections.abc import Sequence

from playwright.sync_api import Page

Stroke = Sequence[tuple[float, float]]


def _arc(
    x: float, y: float, width: float, height: float, start: float, end: float
) -> list[tuple[float, float]]:
    """Points on an ellipse around (x, y); degrees from 3 o'clock, clockwise."""
    angles = [math.radians(start + (end - start) * step / 16) for step in range(17)]
    return [(x + width * math.cos(angle), y + height * math.sin(angle)) for angle in angles]


DIGITS: dict[int, list[Stroke]] = {
    0: [_arc(0.5, 0.5, 0.2, 0.3, -90, 270)],
    1: [[(0.53, 0.2), (0.48, 0.8)]],
    2: [[*_arc(0.5, 0.35, 0.17, 0.15, 190, 390), (0.33, 0.78), (0.7, 0.78)]],
    3: [[*_arc(0.48, 0.34, 0.17, 0.15, 200, 450), *_arc(0.48, 0.65, 0.19, 0.16, -90, 160)]],
    4: [[(0.4, 0.2), (0.32, 0.52), (0.68, 0.52)], [(0.62, 0.22), (0.58, 0.82)]],
    5: [[(0.68, 0.2), (0.4, 0.2), (0.37, 0.48), *_arc(0.47, 0.62, 0.18, 0.16, -110, 150)]],
    6: [[(0.58, 0.18), (0.4, 0.45), *_arc(0.5, 0.64, 0.15, 0.15, 190, 540)]],
    7: [[(0.3, 0.25), (0.7, 0.25), (0.45, 0.8)]],
    8: [[*_arc(0.5, 0.34, 0.14, 0.14, 90, -270), *_arc(0.5, 0.65, 0.17, 0.17, -90, 270)]],
    9: [[*_arc(0.5, 0.37, 0.14, 0.16, 0, -360), (0.62, 0.55), (0.58, 0.82)]],
}


def draw(page: Page, strokes: Sequence[Stroke]) -> None:
    """Draw strokes on the page's pad, with the mouse."""
    box = page.get_by_label("Drawing area").bounding_box()
    assert box is not None
    for stroke in strokes:
        for index, (x, y) in enumerate(stroke):
            page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
            if index == 0:
                page.mouse.down()
        page.mouse.up()
