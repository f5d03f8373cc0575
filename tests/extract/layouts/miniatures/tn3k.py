"""Numbers that start again in the test set, masks as jpg, a fold by index."""

TOP = "Thyroid Dataset/tn3k/"
FILES = {
    TOP + "trainval-image/0000.jpg": "=gray",
    TOP + "trainval-image/0001.jpg": "=gray",
    TOP + "test-image/0000.jpg": "=gray",
    TOP + "trainval-mask/0000.jpg": "=disk",
    TOP + "trainval-mask/0001.jpg": "=noisy",
    TOP + "test-mask/0000.jpg": "=disk",
    TOP + "label4trainval.csv": "ID,CATE\n0000.jpg,0\n0001.jpg,1\n",
    TOP + "label4test.csv": "0000.jpg,1\n",
    TOP + "tn3k-trainval-fold0.json": {"train": [0], "val": [1]},
    TOP + "tn3k-trainval-fold1.json": {"train": [1], "val": [0]},
    TOP + "tn3k-trainval.json": {"train": [0], "val": [1]},
}
ROOT = "Thyroid Dataset/tn3k"
INNER = "trainval-image"
NODULE = {"nodule": 193}
EXPECT = {
    "trainval-image/0000.jpg": dict(label="benign", split="train", mask=NODULE, fold="1"),
    "trainval-image/0001.jpg": dict(label="malignant", split="train", mask=NODULE, fold="0"),
    "test-image/0000.jpg": dict(label="malignant", split="test", mask=NODULE, fold=""),
}
