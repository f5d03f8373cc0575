"""A copy: folders in the training set, filled masks of another name."""

FILES = {
    "HC18/training_set/Train1/010_HC.png": "=gray",
    "HC18/training_set/Train1/010_HC_Mask.png": "=disk",
    "HC18/training_set/Test/010_2HC.png": "=gray",
    "HC18/training_set/Test/010_2HC_Mask.png": "=disk",
    "HC18/training_set_pixel_size_and_HC.csv": "filename,pixel size(mm),head circumference (mm)\n"
    "010_HC.png,0.1,90\n010_2HC.png,0.1,91\n",
}
ROOT = "HC18"
INNER = "training_set"
EXPECT = {
    "training_set/Train1/010_HC.png": dict(split="train", group="a", mask={"head": 193}, values={"hc_mm": 90}),
    "training_set/Test/010_2HC.png": dict(split="train", group="a", mask={"head": 193}),
}
