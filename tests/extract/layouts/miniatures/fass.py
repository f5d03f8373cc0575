"""Pickled dicts; one asks for code, which is refused."""

import io
import os

import numpy as np


def pickled(value):
    file = io.BytesIO()
    np.save(file, value, allow_pickle=True)
    return file.getvalue()


class Code:
    def __reduce__(self):
        return os.mkdir, ("code-was-run",)


def area(rows):
    mask = np.zeros((32, 40), np.uint8)
    mask[rows] = 1
    return mask


FILES = {
    "FASS/IMAGES/P01_IMG1.png": "=gray",
    "FASS/IMAGES/P01_IMG2.png": "=gray",
    "FASS/IMAGES/P02_IMG1.png": "=gray",
    "FASS/ARRAY_FORMAT/P01_IMG1.npy": pickled(
        {"image": area(slice(0, 9)), "structures": {"liver": area(slice(0, 10)), "vein": area(slice(12, 14))}}
    ),
    "FASS/ARRAY_FORMAT/P01_IMG2.npy": pickled({"image": area(0), "structures": {"artery": area(slice(3, 4))}}),
    "FASS/ARRAY_FORMAT/P02_IMG1.npy": pickled({"structures": {"liver": Code()}}),
}
ROOT = "FASS"
INNER = "IMAGES"
LEFT_OUT = {"array file that is not read (it asks for posix.mkdir)": 1}
EXPECT = {
    "IMAGES/P01_IMG1.png": dict(group="a", mask={"liver": 400, "vein": 80}),
    "IMAGES/P01_IMG2.png": dict(group="a", mask={"artery": 40}),
    "IMAGES/P02_IMG1.png": dict(group="b", mask=None),
}
