"""Colour spaces of DICOM pixels to RGB, each exactly once; and what pixels themselves say about their colour space."""

import numpy as np

RGB, FULL, PARTIAL = "rgb", "ybr", "ybr-partial"
SPACES = {
    "RGB": RGB,
    "YBR_ICT": RGB,  # the codestream turns these back itself
    "YBR_RCT": RGB,
    "YBR_FULL": FULL,
    "YBR_FULL_422": FULL,
    "YBR_PARTIAL_422": PARTIAL,
    "YBR_PARTIAL_420": PARTIAL,
}
"""What the samples of a frame are, by photometric interpretation."""
DARK, NEUTRAL = 24, 12
"""Below DARK is background; differences of colour of a gray pixel lie within NEUTRAL of the middle."""
SHARE = 0.2
"""Of all pixels: so many that a colour space makes no sense of prove that it is the wrong one."""


def settled(values: np.ndarray, claimed: str) -> str:
    """Return the colour space of samples of which a header claims one, on the evidence of the pixels.

    Every ultrasound picture has dark background. Read as luminance and differences of colour, the black of RGB would
    be a green that no screen can show; read as RGB, the black of YBR would be a dark teal. Where a good part of the
    picture is so, the header is wrong: files that were decompressed by careless tools are.

    Args:
        values: uint8 (H, W, 3), as they lie in the file.
        claimed: One of rgb, ybr, ybr-partial.

    Returns:
        One of rgb, ybr, ybr-partial.

    Example:
        >>> import numpy as np
        >>> settled(np.zeros((4, 4, 3), np.uint8), "ybr"), settled(np.full((4, 4, 3), (0, 128, 128), np.uint8), "rgb")
        ('rgb', 'ybr')
    """
    if values.dtype != np.uint8:
        return claimed
    step = max(int((values.shape[0] * values.shape[1] / 60_000) ** 0.5), 1)
    first, second, third = (values[::step, ::step, channel].astype(np.int16) for channel in range(3))
    dark = first < DARK
    if claimed == RGB:
        teal = dark & (abs(second - 128) < NEUTRAL) & (abs(third - 128) < NEUTRAL)
        return FULL if teal.mean() > SHARE else RGB
    green = dark & (second < DARK) & (third < DARK)
    return RGB if green.mean() > SHARE else claimed


def to_rgb(values: np.ndarray, space: str) -> np.ndarray:
    """Convert samples to RGB.

    Source: DICOM PS3.3, C.7.6.3.1.2.

    Args:
        values: uint8 (H, W, 3).
        space: What they are: rgb, ybr (ITU-R BT.601 of full range) or ybr-partial (16..235 and 16..240).

    Returns:
        uint8 (H, W, 3).

    Example:
        >>> import numpy as np
        >>> to_rgb(np.array([[[76, 85, 255]]], np.uint8), "ybr").tolist()
        [[[254, 0, 0]]]
    """
    if space == RGB:
        return values
    if space == FULL:
        from PIL import Image

        return np.asarray(Image.fromarray(np.ascontiguousarray(values), "YCbCr").convert("RGB"))
    luminance = (values[..., 0].astype(np.float32) - 16) * (255 / 219)
    blue, red = ((values[..., channel].astype(np.float32) - 128) * (255 / 224) for channel in (1, 2))
    green = luminance - 0.344136 * blue - 0.714136 * red
    rgb = np.stack([luminance + 1.402 * red, green, luminance + 1.772 * blue], -1)
    return np.clip(np.rint(rgb), 0, 255).astype(np.uint8)


def widened_422(data: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Bring two pixels in four samples (Y Y Cb Cr) to (rows, columns, 3).

    Args:
        data: 2 * rows * columns samples.
        rows: Height.
        columns: Width, even.

    Returns:
        (rows, columns, 3), in the dtype that came in.
    """
    four = data.reshape(rows, columns // 2, 4)
    wide = np.empty((rows, columns, 3), data.dtype)
    wide[:, 0::2, 0], wide[:, 1::2, 0] = four[..., 0], four[..., 1]
    for channel in (1, 2):
        wide[..., channel] = np.repeat(four[..., channel + 1], 2, axis=1)
    return wide


def widened_420(data: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Bring planes of luminance and of differences of colour at half its resolution to (rows, columns, 3).

    Args:
        data: 1.5 * rows * columns samples, one plane after another.
        rows: Height, even.
        columns: Width, even.

    Returns:
        (rows, columns, 3), in the dtype that came in.
    """
    half_rows, half_columns = rows // 2, columns // 2
    luminance = data[: rows * columns].reshape(rows, columns)
    rest = data[rows * columns : rows * columns + 2 * half_rows * half_columns].reshape(2, half_rows, half_columns)
    blue, red = (one.repeat(2, axis=0).repeat(2, axis=1) for one in rest)
    return np.stack([luminance, blue, red], -1)


def smoothed(plane: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Bring a difference of colour of half the resolution to the whole one as libjpeg does: linearly between centres.

    Args:
        plane: Whole numbers, with half of the rows, of the columns, or of both.
        rows: Height to bring it to.
        columns: Width to bring it to.

    Returns:
        (rows, columns), in the dtype that came in.

    Example:
        >>> smoothed(np.array([[0, 40, 80]]), 1, 6).tolist()
        [[0, 10, 30, 50, 70, 80]]
    """
    for size in (rows, columns):  # each time the first axis, which becomes the second one then
        if len(plane) < size:
            edged = np.pad(plane.astype(np.int64), ((1, 1), (0, 0)), "edge")
            near = 3 * edged[1:-1]
            between = np.stack([near + edged[:-2] + 1, near + edged[2:] + 2], 1) >> 2
            plane = between.reshape(-1, plane.shape[1])[:size].astype(plane.dtype)
        plane = plane.T
    return np.ascontiguousarray(plane)
