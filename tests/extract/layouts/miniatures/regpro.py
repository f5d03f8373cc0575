"""Labels of several landmarks; MR beside; numbers that start again."""

FILES = {}
for split in ("train", "val"):
    FILES |= {
        f"regpro/{split}/us_images/case000000.nii.gz": "=gray x3",
        f"regpro/{split}/us_labels/case000000.nii.gz": "=disk:1 x3 landmarks",
        f"regpro/{split}/mr_images/case000000.nii.gz": "=gray x3",
    }
ROOT = "regpro"
INNER = "train"
EXPECT = {
    "train/us_images/case000000.nii.gz": dict(frames=3, split="train", group="a", mask={"prostate": 290}),
    "val/us_images/case000000.nii.gz": dict(frames=3, split="val", group="b", mask={"prostate": 290}),
}
