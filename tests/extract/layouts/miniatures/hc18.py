"""Nested folder, outline masks, a second scan that repeats the first, numbers that start again in the test set."""

FILES = {
    "training_set/training_set/000_HC.png": "=gray",
    "training_set/training_set/000_HC_Annotation.png": "=ring",
    "training_set/training_set/000_2HC.png": "=copy:training_set/training_set/000_HC.png",
    "training_set/training_set/000_2HC_Annotation.png": "=ring",
    "training_set/training_set/392_HC.png": "=gray",
    "training_set/training_set/392_HC_Annotation.png": "=disk",
    "test_set/000_HC.png": "=gray",
    "training_set_pixel_size_and_HC.csv": "filename,pixel size(mm),head circumference (mm)\n"
    "000_HC.png,0.25,44.3\n000_2HC.png,0.25,45\n392_HC.png,0.5,180.5\n",
    "test_set_pixel_size.csv": "filename,pixel size(mm)\n000_HC.png,0.125\n",
}
ROOT = ""
INNER = "training_set"
HEAD = {"head": 220}
FRONT = "training_set/training_set/"
EXPECT = {
    FRONT + "000_HC.png": dict(split="train", group="a", mask=HEAD, values={"hc_mm": 44.3}, spacing_mm=0.25),
    FRONT + "000_2HC.png": dict(split="train", group="a", mask=HEAD, values={"hc_mm": 45}, spacing_mm=0.25),
    FRONT + "392_HC.png": dict(split="train", group="b", mask={"head": 193}, values={"hc_mm": 180.5}),
    "test_set/000_HC.png": dict(split="test", group="c", mask=None, values={}, spacing_mm=0.125),
}
