"""Two nodules in one file; the first comes again behind the second."""

import io

import h5py
import numpy as np

RNG = np.random.default_rng(0)
MASK = np.zeros((7, 32, 40), np.uint8)
MASK[1:3, 10:20, 10:20] = 255
FILE = io.BytesIO()
with h5py.File(FILE, "w") as file:
    file["annot_id"] = np.array(["103_", "103_", "103_", "7_", "7_", "103_", "103_"], h5py.string_dtype())
    file["frame_num"] = np.array([0, 1, 2, 0, 1, 3, 4])
    file.create_dataset("image", data=RNG.integers(0, 200, (7, 32, 40), np.uint8), chunks=(1, 32, 40))
    file.create_dataset("mask", data=MASK, chunks=(1, 32, 40), compression="gzip")
FILES = {
    "cine/dataset.hdf5": FILE.getvalue(),
    "cine/metadata.csv": "annot_id,age,sex,ti-rads_level,histopath_diagnosis\n103_,50,F,4,Benign\n7_,40,M,5,PTC\n",
}
ROOT = "cine"
INNER = ""
EXPECT = {
    "dataset.hdf5:/103": dict(
        label="TI-RADS 4", group="a", frames=3, at=2, mask={"nodule": 100}, histopathology="Benign"
    ),
    "dataset.hdf5:/103~2": dict(label="TI-RADS 4", group="a", frames=2, mask={}),
    "dataset.hdf5:/7": dict(label="TI-RADS 5", group="b", frames=2, mask={}),
}
