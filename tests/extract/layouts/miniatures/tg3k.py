"""Frames of clips, split by index."""

FILES = {
    "tg3k/thyroid-image/0000.jpg": "=gray",
    "tg3k/thyroid-image/0001.jpg": "=gray",
    "tg3k/thyroid-mask/0000.jpg": "=disk",
    "tg3k/thyroid-mask/0001.jpg": "=disk",
    "tg3k/tg3k-trainval.json": {"train": [1], "val": [0]},
}
ROOT = "tg3k"
INNER = "thyroid-image"
EXPECT = {
    "thyroid-image/0000.jpg": dict(split="val", mask={"thyroid": 193}),
    "thyroid-image/0001.jpg": dict(split="train", mask={"thyroid": 193}),
}
