"""A clip on both sides of the split."""

FILES = {
    "data/train/images/L1_clip3-F10.png": "=gray",
    "data/train/masks/L1_clip3-F10.png": "=disk:1,4",
    "data/test/images/L1_clip3-F55.png": "=gray",
    "data/test/masks/L1_clip3-F55.png": "=disk:5",
}
ROOT = "data"
INNER = "train"
EXPECT = {
    "train/images/L1_clip3-F10.png": dict(split="train", group="a", mask={"rib": 0, "B-line": 0}),
    "test/images/L1_clip3-F55.png": dict(split="test", group="a", mask={"confluent B-line": 193}),
}
