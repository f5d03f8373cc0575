"""Masks of other sizes with many gray levels."""

FILES = {
    "STU-Hospital/Hospital/Test_Image_1.png": "=gray",
    "STU-Hospital/Hospital/mask_1.png": "=noisy @96,120",
    "STU-Hospital/Hospital/Test_Image_2.png": "=gray",
    "STU-Hospital/Hospital/mask_2.png": "=noisy",
}
ROOT = "STU-Hospital"
INNER = "Hospital"
EXPECT = {
    "Hospital/Test_Image_1.png": dict(mask={"lesion": 193}, group=""),
    "Hospital/Test_Image_2.png": dict(mask={"lesion": 193}),
}
