"""Contact sheets of frames, and masks drawn over a frame."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from usfm.escape import shown

Colour = tuple[int, int, int]

AMBER: Colour = (255, 176, 0)
CYAN: Colour = (0, 190, 220)
GREEN: Colour = (60, 200, 110)
RED: Colour = (235, 70, 70)

_BACKGROUND = (24, 26, 30)
_INK = (222, 226, 232)
_GAP_PX = 4
_LINE_PX = 15


def to_rgb(image: np.ndarray) -> np.ndarray:
    """Turn a gray or RGB picture into RGB bytes.

    Args:
        image: (H, W) or (H, W, 3); uint8, bool, or float in 0..1 (clipped).

    Returns:
        (H, W, 3) uint8.

    >>> to_rgb(np.array([[0.0, 1.0]])).tolist()
    [[[0, 0, 0], [255, 255, 255]]]
    """
    image = np.asarray(image)
    if image.dtype == bool:
        image = image.astype(np.uint8) * 255
    elif image.dtype != np.uint8:
        image = np.rint(np.clip(np.nan_to_num(image), 0.0, 1.0) * 255).astype(np.uint8)
    return np.repeat(image[..., None], 3, axis=2) if image.ndim == 2 else image


def save(image: np.ndarray, path: str | Path) -> None:
    """Write a picture to disk; the suffix of `path` chooses the format (png, jpg).

    Args:
        image: uint8 (H, W) or (H, W, 3).
        path: of the file.
    """
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(to_rgb(image)).save(path)


def fit(image: np.ndarray, height_px: int, width_px: int) -> np.ndarray:
    """Scale a picture into a box without changing its aspect, centred on the sheet's background.

    Args:
        image: (H, W) or (H, W, 3).
        height_px: height of the box.
        width_px: width of the box.

    Returns:
        (height_px, width_px, 3) uint8.
    """
    rgb = to_rgb(image)
    height, width = rgb.shape[:2]
    scale = min(height_px / height, width_px / width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    filter_ = Image.Resampling.NEAREST if scale >= 4 else Image.Resampling.BICUBIC
    small = np.asarray(Image.fromarray(rgb).resize(size, filter_))
    box = np.empty((height_px, width_px, 3), np.uint8)
    box[:] = _BACKGROUND
    top, left = (height_px - size[1]) // 2, (width_px - size[0]) // 2
    box[top : top + size[1], left : left + size[0]] = small
    return box


def contact_sheet(
    images: Sequence[np.ndarray],
    captions: Sequence[str] | None = None,
    columns: int = 8,
    cell_px: int = 160,
    path: str | Path | None = None,
    borders: Sequence[Colour | None] | None = None,
    title: str = "",
) -> np.ndarray:
    """Lay pictures out in rows of equal cells, each with its caption below.

    Args:
        images: pictures of any size, (H, W) or (H, W, 3); each is scaled to fit its cell.
        captions: one text a picture (a line feed starts a new line; too long lines are cut with an ellipsis).
        columns: cells in a row (fewer when there are fewer pictures).
        cell_px: side of a cell.
        path: also write the sheet there.
        borders: a frame colour a picture, None for none.
        title: lines of text above the pictures, such as what the columns mean; too long lines are wrapped.

    Returns:
        (rows * cell height, columns * cell width, 3) uint8, and the title's lines on top; one empty cell when there
        is nothing to show.
    """
    captions, title = [shown(text).expandtabs(4) for text in captions or ()], shown(title).expandtabs(4)
    columns = max(1, min(columns, len(images)))
    rows = max(1, -(-len(images) // columns))
    lines = max((text.count("\n") + 1 for text in captions), default=0)
    step_x, step_y = cell_px + _GAP_PX, cell_px + _GAP_PX + lines * _LINE_PX
    sheet = np.empty((rows * step_y + _GAP_PX, columns * step_x + _GAP_PX, 3), np.uint8)
    sheet[:] = _BACKGROUND
    corners = [(_GAP_PX + (k // columns) * step_y, _GAP_PX + (k % columns) * step_x) for k in range(len(images))]
    for k, (image, (top, left)) in enumerate(zip(images, corners, strict=True)):
        cell = fit(image, cell_px, cell_px)
        if borders is not None and borders[k] is not None:
            for edge in (cell[:3], cell[-3:], cell[:, :3], cell[:, -3:]):
                edge[:] = borders[k]
        sheet[top : top + cell_px, left : left + cell_px] = cell
    if captions:
        canvas = Image.fromarray(sheet)
        draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(size=11)
        for text, (top, left) in zip(captions, corners, strict=False):
            for line, words in enumerate(text.split("\n")):
                words = _shorten(words, font, cell_px)
                draw.text((left + 1, top + cell_px + 1 + line * _LINE_PX), words, fill=_INK, font=font)
        sheet = np.asarray(canvas)
    if title:
        sheet = np.concatenate([_heading(title, sheet.shape[1]), sheet])
    if path is not None:
        save(sheet, path)
    return sheet


def _heading(title: str, width_px: int) -> np.ndarray:
    """Draw lines of text on the sheet's background, wrapped to its width: (lines * line height, width, 3) uint8."""
    font, lines = ImageFont.load_default(size=11), []
    for line in title.split("\n"):
        lines.append("")
        for word in line.split(" "):
            longer = f"{lines[-1]} {word}".strip()
            if lines[-1] and font.getlength(longer) > width_px - 2 * _GAP_PX:
                lines.append(word)
            else:
                lines[-1] = longer
    canvas = Image.new("RGB", (width_px, len(lines) * _LINE_PX + _GAP_PX), _BACKGROUND)
    draw = ImageDraw.Draw(canvas)
    for number, line in enumerate(lines):
        draw.text((_GAP_PX + 1, _GAP_PX + number * _LINE_PX), line, fill=_INK, font=font)
    return np.asarray(canvas)


def mask_over(frame: np.ndarray, mask: np.ndarray, colour: Colour = AMBER, alpha: float = 0.4) -> np.ndarray:
    """Tint the masked pixels of a frame.

    Args:
        frame: (H, W) or (H, W, 3) uint8.
        mask: (H, W) bool.
        colour: RGB of the tint.
        alpha: 0 leaves the frame, 1 paints it over.

    Returns:
        (H, W, 3) uint8; pixels outside the mask are untouched.
    """
    rgb = to_rgb(frame).copy()
    tint = (1 - alpha) * rgb[mask] + alpha * np.asarray(colour, np.float32)
    rgb[mask] = np.rint(tint).astype(np.uint8)
    return rgb


def outline(frame: np.ndarray, mask: np.ndarray, colour: Colour = CYAN, width_px: int = 2) -> np.ndarray:
    """Draw the border of a mask, just inside it.

    Args:
        frame: (H, W) or (H, W, 3) uint8.
        mask: (H, W) bool.
        colour: RGB of the line.
        width_px: thickness of the line.

    Returns:
        (H, W, 3) uint8.
    """
    inside = np.pad(mask, 1)
    core = inside.copy()
    for _ in range(width_px):
        shrunk = core.copy()
        shrunk[1:] &= core[:-1]
        shrunk[:-1] &= core[1:]
        shrunk[:, 1:] &= core[:, :-1]
        shrunk[:, :-1] &= core[:, 1:]
        core = shrunk
    rgb = to_rgb(frame).copy()
    rgb[(inside & ~core)[1:-1, 1:-1]] = colour
    return rgb


def _shorten(text: str, font, width_px: int) -> str:
    if font.getlength(text) <= width_px:
        return text
    while text and font.getlength(text + "…") > width_px:
        text = text[:-1]
    return text + "…"
