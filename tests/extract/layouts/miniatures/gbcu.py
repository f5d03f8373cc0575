"""Lists with classes, boxes by name of the picture, boxes that a model predicted."""

FILES = {
    "GBCU/imgs/im00335.jpg": "=rgb",
    "GBCU/imgs/im01000.jpg": "=rgb",
    "GBCU/train.txt": "im00335.jpg,2\n",
    "GBCU/test.txt": "im01000.jpg,0\n",
    "GBCU/bbox_annot.json": {
        "im00335.jpg": {"dim": [40, 32], "bbs": [["malg", [5, 6, 20, 22]], ["stn", [1, 1, 4, 4]]]},
        "im01000.jpg": {"dim": [40, 32], "bbs": [["nml", [2, 3, 30, 28]]]},
    },
    "GBCU/roi_pred.json": {"im00335.jpg": {"Boxes": [[0, 0, 9, 9]]}},
}
ROOT = "GBCU"
INNER = "imgs"
EXPECT = {
    "imgs/im00335.jpg": dict(label="malignant", split="train", boxes=[("malg", (5, 6, 20, 22)), ("stn", (1, 1, 4, 4))]),
    "imgs/im01000.jpg": dict(label="normal", split="test", boxes=[("nml", (2, 3, 30, 28))]),
}
