"""A copy without the folders of classes."""

FILES = {
    "copy/Train & Val/1.png": "=gray",
    "copy/Test/12.png": "=gray",
    "copy/ObjectDetection.xlsx": [
        ["fname", "structure", "h_min", "w_min", "h_max", "w_max"],
        ["1.png", "NT", 4, 6, 10, 20],
    ],
}
ROOT = "copy"
INNER = "Test"
EXPECT = {
    "Train & Val/1.png": dict(split="train", boxes=[("NT", (6, 4, 20, 10))]),
    "Test/12.png": dict(split="test", boxes=None),
}
