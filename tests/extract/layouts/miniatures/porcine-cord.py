"""Nine colours, one of them gray."""

FILES = {
    "cord/train_images/a.png": "=gray",
    "cord/train_masks/a.png": "=disk:#800000,#000080",
    "cord/val_images/a.png": "=gray",
    "cord/val_masks/a.png": "=disk:#808080",
    "cord/test_images/b.png": "=gray",
    "cord/test_masks/b.png": "=disk:#800080",
}
ROOT = "cord"
INNER = "train_images"
EXPECT = {
    "train_images/a.png": dict(split="train", mask={"dura": 0, "spinal cord": 0}, group=""),
    "val_images/a.png": dict(split="val", mask={"ventral space": 193}),
    "test_images/b.png": dict(split="test", mask={"dorsal space": 193}),
}
