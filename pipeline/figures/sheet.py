"""A picture made of images and text alone, laid out in its own pixels, which needs no axes.

Pillow draws it: the text of a confusion matrix takes it a fiftieth of the time that matplotlib's takes.
"""

import io
from functools import lru_cache
from pathlib import Path

import matplotlib as mpl
from PIL import Image, ImageDraw, ImageFont

from pipeline.figures.style import DPI, GREY
from pipeline.learning.arrays import Array

FONTS = Path(mpl.get_data_path()) / "fonts/ttf"  # matplotlib ships them, and our other pictures have them


class Sheet:
    """A white sheet, headed by what it shows and of which run. Places are from its upper left corner."""

    def __init__(self, width: int, height: int, finding: str, run: str) -> None:
        self._image = Image.new("RGB", (width, height), "white")
        self._draw = ImageDraw.Draw(self._image)
        self.height = height
        self.write(12, 10, finding, "la", bold=True, size=9.5)
        self.write(12, 30, run, "la", color=GREY, size=8.5)

    def place(self, x: int, y: int, pixels: Array) -> None:
        """Put pixels uint8 (h, w, 3) there."""
        self._image.paste(Image.fromarray(pixels), (x, y))

    def write(
        self,
        x: float,
        y: float,
        text: str,
        anchor: str = "ls",
        *,
        size: float = 9.0,
        bold: bool = False,
        color: str = "black",
    ) -> None:
        """Write text whose `anchor`, as Pillow names them, is there; "ls" is the left end of its baseline."""
        self._draw.text((x, y), text, color, _font(bold, size), anchor)

    def write_upwards(self, x: int, y: int, text: str) -> None:
        """Write text from the bottom to the top, with its middle there."""
        font = _font(False, 9.0)
        left, top, right, bottom = font.getbbox(text)
        lying = Image.new("L", (round(right - left), round(bottom - top)))
        ImageDraw.Draw(lying).text((-left, -top), text, 255, font)
        upright = lying.transpose(Image.Transpose.ROTATE_90)
        self._image.paste("black", (x - upright.width // 2, y - upright.height // 2), upright)

    def png(self) -> bytes:
        """Return the sheet as PNG, with no date, version, path or random id in it."""
        buffer = io.BytesIO()
        self._image.save(buffer, "PNG", dpi=(DPI, DPI))
        return buffer.getvalue()


@lru_cache
def _font(bold: bool, points: float) -> ImageFont.FreeTypeFont:
    """Return matplotlib's own font in this size, laid out without a library that may be missing."""
    file = FONTS / ("DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf")
    return ImageFont.truetype(file, points * DPI / 72, layout_engine=ImageFont.Layout.BASIC)
