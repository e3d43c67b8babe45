"""What images are let in, and what happens to them on the way (ecosystem D.2)."""

from __future__ import annotations

import contextlib
import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from gifthorse import gates
from gifthorse.errors import GifthorseError, HostileFile, InputError
from gifthorse.gates import GREY, Limits, image


def drawn(width: int = 12, height: int = 8) -> Image.Image:
    values = np.arange(width * height * 3, dtype=np.uint32).reshape(height, width, 3) * 7 % 256
    return Image.fromarray(values.astype(np.uint8), "RGB")


def encoded(picture: Image.Image, format: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format, **options)
    return buffer.getvalue()


def header_only_png(width: int, height: int, depth: int = 8, colour: int = 2) -> bytes:
    """A PNG that claims a size and holds next to nothing."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 64)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.parametrize("format", ["PNG", "WEBP"])
def test_a_plain_image_passes_unchanged(tmp_path: Path, format: str) -> None:
    path = tmp_path / "plain.jpg"
    path.write_bytes(encoded(drawn(), format, lossless=True))
    admitted = image(path)
    assert admitted.notes == ()
    assert admitted.pixels.dtype == np.uint8
    assert (admitted.pixels == np.asarray(drawn())).all()


def test_jpeg_passes(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpeg"
    path.write_bytes(encoded(drawn(), "JPEG"))
    assert image(path).pixels.shape == (8, 12, 3)


@pytest.mark.parametrize("format", ["GIF", "BMP", "TIFF", "PPM", "EPS"])
def test_other_formats_are_refused_whatever_their_name(tmp_path: Path, format: str) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(encoded(drawn(), format))
    with pytest.raises(HostileFile, match=r"photo\.jpg is not a JPEG, PNG or WebP") as caught:
        image(path)
    assert "try: " in str(caught.value)


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_truncated_files_are_refused_by_name(tmp_path: Path, format: str, share: float) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    data = encoded(Image.fromarray(noise), format)
    path = tmp_path / "half.png"
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(HostileFile, match=r"half\.png") as caught:
        image(path)
    assert "copy it again" in caught.value.remedy or "convert" in caught.value.remedy


@pytest.mark.parametrize("data", [b"", b"\0", b"hello", b"<html></html>" * 9, b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"])
def test_files_that_are_no_images_are_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "no.png"
    path.write_bytes(data)
    with pytest.raises(HostileFile, match=r"no\.png"):
        image(path)


@pytest.mark.parametrize(
    ("width", "height", "words"),
    [
        (12_000, 12_000, "pixels are let in"),
        (60_000, 60_000, "more pixels than are let in"),
        (3_000, 1, "longer than 20 times"),
        (1, 60_000, "longer than 20 times"),
    ],
)
def test_sizes_are_judged_from_the_header(tmp_path: Path, width: int, height: int, words: str) -> None:
    path = tmp_path / "claims.png"
    path.write_bytes(header_only_png(width, height))
    with pytest.raises(HostileFile, match=words):
        image(path)


def test_a_large_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    path.write_bytes(encoded(drawn()) + b"\0" * 5000)
    with pytest.raises(HostileFile, match="bytes, and 5000 are let in"):
        image(path, Limits(bytes=5000))


def test_a_side_too_short_for_its_use_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "small.png"
    path.write_bytes(encoded(drawn(12, 8)))
    assert image(path, Limits(side=8)).pixels.shape == (8, 12, 3)
    with pytest.raises(HostileFile, match="must have 9"):
        image(path, Limits(side=9))


@pytest.mark.parametrize(
    ("turn", "seen"),
    [
        (2, lambda p: p[:, ::-1]),
        (3, lambda p: p[::-1, ::-1]),
        (6, lambda p: np.rot90(p, -1)),
        (8, lambda p: np.rot90(p, 1)),
    ],
)
def test_exif_orientation_is_applied(tmp_path: Path, turn: int, seen: object) -> None:
    exif = Image.Exif()
    exif[0x0112] = turn
    path = tmp_path / "turned.png"
    path.write_bytes(encoded(drawn(), exif=exif))
    admitted = image(path)
    assert callable(seen)
    assert (admitted.pixels == seen(np.asarray(drawn()))).all()
    assert admitted.notes == (f"turned as its EXIF orientation {turn} says",)


def test_sixteen_bits_are_scaled_not_clipped(tmp_path: Path) -> None:
    deep = np.linspace(0, 65535, 96).astype(np.uint16).reshape(8, 12)
    path = tmp_path / "deep.png"
    path.write_bytes(encoded(Image.fromarray(deep)))
    admitted = image(path)
    assert admitted.notes == ("16 bits scaled to 8",)
    assert np.abs(admitted.pixels[..., 0].astype(float) - deep / 257).max() <= 0.5
    assert admitted.pixels.max() == 255
    assert admitted.pixels.min() == 0


def test_transparent_pixels_lie_on_grey(tmp_path: Path) -> None:
    values = np.zeros((8, 12, 4), np.uint8)
    values[..., 0] = 255
    values[:, 6:, 3] = 255
    path = tmp_path / "clear.png"
    path.write_bytes(encoded(Image.fromarray(values, "RGBA")))
    admitted = image(path)
    assert admitted.notes == ("transparency laid on mid grey",)
    assert (admitted.pixels[:, :6] == GREY).all()
    assert (admitted.pixels[:, 6:] == (255, 0, 0)).all()


def test_a_drawing_keeps_its_transparency(tmp_path: Path) -> None:
    picture = np.zeros((4, 6, 4), np.uint8)
    picture[1, 2] = (200, 30, 90, 128)
    Image.fromarray(picture).save(tmp_path / "a.png")
    admitted = gates.drawing(tmp_path / "a.png")
    assert np.array_equal(admitted.pixels, picture)
    assert admitted.notes == ()
    Image.new("RGB", (3, 3), (1, 2, 3)).save(tmp_path / "b.png")
    assert gates.drawing(tmp_path / "b.png").pixels[0, 0].tolist() == [1, 2, 3, 255]
    Image.fromarray(np.full((3, 3), 257 * 9, np.uint16)).save(tmp_path / "c.png")
    assert gates.drawing(tmp_path / "c.png").pixels[0, 0].tolist() == [9, 9, 9, 255]


def test_bytes_at_hand_are_held_to_the_same_limits() -> None:
    with pytest.raises(HostileFile, match="a name has 0 bytes"):
        gates.decoded(b"", "a name", gates.Limits())
    with pytest.raises(HostileFile, match="a name is not a JPEG, PNG or WebP"):
        gates.decoded(b"GIF89a", "a name", gates.Limits())


def test_palettes_with_transparency_lie_on_grey_too(tmp_path: Path) -> None:
    picture = Image.new("P", (12, 8), 0)
    picture.putpalette([255, 0, 0, 0, 255, 0])
    path = tmp_path / "palette.png"
    path.write_bytes(encoded(picture, transparency=0))
    admitted = image(path)
    assert (admitted.pixels == GREY).all()
    assert admitted.notes == ("transparency laid on mid grey",)


def test_grey_and_one_bit_become_rgb(tmp_path: Path) -> None:
    for mode in ("L", "1"):
        path = tmp_path / f"{mode}.png"
        path.write_bytes(encoded(drawn().convert(mode)))
        admitted = image(path)
        assert admitted.pixels.shape == (8, 12, 3)
        assert (admitted.pixels[..., 0] == np.asarray(drawn().convert(mode).convert("L"))).all()


def test_animations_give_their_first_frame_with_a_note(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (12, 8), colour) for colour in ("red", "blue", "green")]
    path = tmp_path / "moving.webp"
    path.write_bytes(encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True))
    admitted = image(path)
    assert admitted.notes == ("the first of 3 frames",)
    assert (admitted.pixels == (255, 0, 0)).all()


def test_cmyk_is_converted_with_a_note(tmp_path: Path) -> None:
    path = tmp_path / "print.jpg"
    path.write_bytes(encoded(drawn().convert("CMYK"), "JPEG"))
    assert image(path).notes == ("converted from CMYK without its profile",)


def test_what_cannot_be_read_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"absent\.png cannot be read"):
        image(tmp_path / "absent.png")
    with pytest.raises(InputError, match="not a regular file"):
        image(tmp_path)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(["PNG", "JPEG", "WEBP"]), st.data())
def test_damage_raises_nothing_but_our_errors(tmp_path: Path, format: str, data: st.DataObject) -> None:
    broken = bytearray(encoded(drawn(), format))
    for _ in range(data.draw(st.integers(1, 8))):
        broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "fuzzed.png"
    path.write_bytes(broken)
    with contextlib.suppress(GifthorseError):
        assert image(path).pixels.ndim == 3


@pytest.mark.parametrize(("least", "side"), [(None, 256), (200, 256), (128, 128), (127, 128), (64, 64), (1, 32)])
def test_a_jpeg_is_decoded_as_large_as_is_enough(tmp_path: Path, least: int | None, side: int) -> None:
    ramp = np.linspace(0, 255, 256, dtype=np.uint8)
    pixels = np.stack(
        [np.broadcast_to(ramp, (256, 256)), np.broadcast_to(ramp[:, None], (256, 256)), np.full((256, 256), 90)], 2
    )
    Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / "a.jpg", quality=95)
    found = gates.image(tmp_path / "a.jpg", least=least)
    assert found.pixels.shape == (side, side, 3)
    assert found.notes == ()
    whole = np.asarray(
        Image.fromarray(gates.image(tmp_path / "a.jpg").pixels).resize((side, side), Image.Resampling.BOX), float
    )
    assert np.abs(found.pixels - whole).mean() < 1.5, "as if it were decoded whole and made smaller"
    again = gates.seen((tmp_path / "a.jpg").read_bytes(), "a", gates.Limits(), least=least)
    np.testing.assert_array_equal(again.pixels, found.pixels)


def test_only_a_jpeg_is_decoded_smaller(tmp_path: Path) -> None:
    Image.new("RGB", (256, 200), (9, 8, 7)).save(tmp_path / "a.png")
    assert gates.image(tmp_path / "a.png", least=10).pixels.shape == (200, 256, 3)


def test_what_is_seen_of_bytes_lies_on_grey() -> None:
    made = io.BytesIO()
    Image.new("RGBA", (4, 4), (255, 0, 0, 0)).save(made, "PNG")
    assert (gates.seen(made.getvalue(), "a", gates.Limits()).pixels == gates.GREY).all()
    with pytest.raises(HostileFile, match="0 bytes"):
        gates.seen(b"", "a", gates.Limits())
