"""Names of masks end in ' G man'."""

FILES = {
    "105/105 US Images/001.png": "=rgb",
    "105/105 US Images/002.png": "=rgb @24,48",
    "105/105 US Masks/001 G man.png": "=noisy",
    "105/105 US Masks/002 G man.png": "=disk @24,48",
}
ROOT = "105"
INNER = "105 US Images"
EXPECT = {
    "105 US Images/001.png": dict(mask={"lesion": 193}, group=""),
    "105 US Images/002.png": dict(mask={"lesion": 0}),
}
