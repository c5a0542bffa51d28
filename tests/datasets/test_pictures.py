"""Picture files as grey pixels: each format and mode, and what is refused in one line."""

import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from pipeline.datasets import pictures
from pipeline.errors import UserError

# Dark at the top left: it tells how a picture is turned.
GREY = np.full((20, 30), 240, np.uint8)
GREY[2:9, 3:12] = 10


@pytest.fixture
def save(tmp_path):
    """Save a picture of Pillow's and return its path."""

    def write(picture, name="picture.png", **options):
        path = tmp_path / name
        picture.save(path, **options)
        return path

    return write


@pytest.mark.parametrize("mode", ["L", "RGB", "P", "CMYK", "I;16", "1", "RGBA", "LA"])
def test_a_picture_of_any_mode_is_its_greys(save, mode):
    picture = Image.fromarray(GREY.astype(np.uint16) << 8) if mode == "I;16" else Image.fromarray(GREY)
    name = "picture.jpg" if mode == "CMYK" else "picture.png"
    read = pictures.read(save(picture.convert(mode), name))
    assert (read.shape, read.dtype) == (GREY.shape, np.uint8)
    slack = 30 if mode in ("CMYK", "1") else 1
    assert abs(int(read[5, 7]) - 10) <= slack
    assert abs(int(read[15, 25]) - 240) <= slack


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "a.gif", "a.bmp"])
def test_every_format_is_read(save, name):
    assert np.abs(pictures.read(save(Image.fromarray(GREY), name)).astype(int) - GREY).mean() < 5


def test_a_photograph_is_turned_as_the_camera_was_held(save):
    exif = Image.Exif()
    exif[0x0112] = 6  # turned clockwise by a quarter
    path = save(Image.fromarray(GREY), "photo.jpg", exif=exif)
    read = pictures.read(path)
    assert read.shape == GREY.T.shape
    assert np.abs(read.astype(int) - np.rot90(GREY, -1)).mean() < 5


@pytest.mark.parametrize(("ink", "ground"), [(0, 255), (255, 0)])
def test_what_is_transparent_is_a_ground_that_the_ink_stands_out_from(save, ink, ground):
    tone = np.full(GREY.shape, ink, np.uint8)
    alpha = np.where(GREY < 128, 255, 0).astype(np.uint8)
    picture = Image.merge("LA", [Image.fromarray(tone), Image.fromarray(alpha)])
    read = pictures.read(save(picture))
    assert (read[5, 7], read[15, 25]) == (ink, ground)


def test_of_a_moving_picture_the_first_is_read(save):
    frames = [Image.fromarray(GREY), Image.fromarray(255 - GREY)]
    path = save(frames[0], "moving.gif", save_all=True, append_images=frames[1:])
    assert np.abs(pictures.read(path).astype(int) - GREY).mean() < 5


@pytest.mark.parametrize("name", ["large.png", "large.jpg"])
def test_a_large_picture_is_shrunk(save, name):
    picture = Image.fromarray(np.kron(GREY, np.ones((200, 200), np.uint8)))  # 6,000×4,000
    height, width = pictures.read(save(picture, name)).shape
    assert max(height, width) <= pictures.LARGEST
    assert width / height == pytest.approx(1.5, rel=0.01)


def claiming(width, height):
    """A PNG of some bytes that says it is so large."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    pixels = chunk(b"IDAT", zlib.compress(b"\0" * 100))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + pixels + chunk(b"IEND", b"")


@pytest.mark.parametrize(("side", "says"), [(8000, "8000×8000 pixels"), (60000, "far too many pixels")])
def test_a_picture_that_claims_too_many_pixels_is_refused_before_it_is_decoded(tmp_path, side, says):
    path = tmp_path / "bomb.png"
    path.write_bytes(claiming(side, side))
    with pytest.raises(UserError, match=f"bomb.png: {says}: at most 50,000,000 are read"):
        pictures.read(path)


def test_a_picture_that_is_cut_short_is_damaged(save):
    noise = np.random.default_rng(0).integers(0, 256, (100, 100), np.uint8)
    for name in ("cut.png", "cut.jpg"):
        path = save(Image.fromarray(noise), name)
        path.write_bytes(path.read_bytes()[:1500])
        with pytest.raises(UserError, match=f"{name}: is damaged"):
            pictures.read(path)


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "picture.png")
    with pytest.raises(UserError, match=r"picture.png: is a pipe"):
        pictures.read(tmp_path / "picture.png")


def test_what_is_no_picture_is_named_with_what_is_read(tmp_path):
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "empty.png").touch()
    for name, says in (
        ("text.png", "is no picture that can be read"),
        ("empty.png", "is no picture that can be read"),
        ("missing.png", "No such file or directory"),
        ("", "Is a directory"),
    ):
        with pytest.raises(UserError, match=f"{says}; PNG, JPEG, WebP, GIF and BMP are read"):
            pictures.read(tmp_path / name)
