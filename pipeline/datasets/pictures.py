"""Picture files that anyone may have made, as grey pixels."""

import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from pipeline.errors import UserError

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")
READ = "PNG, JPEG, WebP, GIF and BMP are read"
# What is refused before a pixel is decoded: a file of some KB can claim any size.
MOST_PIXELS = 50_000_000
# A picture is decoded to about this size along a side where the format can, and shrunk to it where not.
LARGEST = 1024
# Opaque pixels whose greys are no further apart have one tone: what is drawn is where they are.
ONE_TONE = 64
# What Pillow's decoders raise for damaged files.
DAMAGED = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    IndexError,
    KeyError,
    TypeError,
    struct.error,
    zlib.error,
)


def read(path: Path) -> NDArray[np.uint8]:
    """Return the picture in a file as grey levels (height, width), upright; of a moving one, the first.

    Raises UserError naming the file where there is none, it is damaged or of another format, or it has more
    than 50 million pixels.
    """
    if path.is_fifo():
        raise UserError(f"{path}: is a pipe, which would be waited for; {READ}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of large pictures; those are refused here
            with Image.open(path, formats=FORMATS) as picture:
                width, height = picture.size
                if width * height > MOST_PIXELS:
                    raise UserError(_too_large(path, f"{width}×{height} pixels"))
                picture.draft("L", (LARGEST, LARGEST))
                return _grey(ImageOps.exif_transpose(picture))
    except Image.DecompressionBombError:
        raise UserError(_too_large(path, "far too many pixels")) from None
    except UnidentifiedImageError:
        raise UserError(f"{path}: is no picture that can be read; {READ}") from None
    except DAMAGED as error:
        # An error of the operating system has a text of its own; a decoder's says nothing to a user.
        fault = getattr(error, "strerror", None) or "is damaged and can't be decoded"
        raise UserError(f"{path}: {fault}; {READ}") from error


def _too_large(path: Path, size: str) -> str:
    return f"{path}: {size}: at most {MOST_PIXELS:,} are read; make the picture smaller"


def _grey(picture: Image.Image) -> NDArray[np.uint8]:
    if picture.mode.startswith("I"):  # 16 bits, of which Pillow would cut off all that is above 255
        return (np.asarray(picture, np.uint32) >> 8).astype(np.uint8)
    if picture.has_transparency_data:
        return _on_a_ground(picture.convert("RGBA").convert("LA"))
    return np.asarray(_shrunk(picture.convert("L")))


def _on_a_ground(picture: Image.Image) -> NDArray[np.uint8]:
    """Return a grey picture with transparent parts on white, or on black where its ink is light."""
    tone, alpha = (np.asarray(band, np.float32) for band in _shrunk(picture).split())
    opaque = tone[alpha > 127]
    # A photograph with round corners has many tones, and stays on white.
    is_light = len(opaque) > 0 and np.ptp(np.percentile(opaque, (2, 98))) < ONE_TONE and opaque.mean() > 127
    ground = 0 if is_light else 255
    return np.round(ground + (tone - ground) * alpha / 255).astype(np.uint8)


def _shrunk(picture: Image.Image) -> Image.Image:
    picture.thumbnail((LARGEST, LARGEST), Image.Resampling.BOX)
    return picture
