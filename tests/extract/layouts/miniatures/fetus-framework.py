"""Twice the same folder, boxes in rows and columns of an xlsx file, several a picture."""

TOP = "Dataset for Fetus Framework/Dataset for Fetus Framework/"
FILES = {
    TOP + "Set1-Training&Validation Sets CNN/Standard/1.png": "=gray",
    TOP + "Set2-Training&Validation Sets ANN Scoring system/Non-standard/7.png": "=gray",
    TOP + "Internal Test Set/Standard/12.png": "=gray",
    TOP + "External Test Set/Non-standard/20.png": "=gray",
    TOP + "ObjectDetection.xlsx": [
        ["fname", "structure", "h_min", "w_min", "h_max", "w_max"],
        ["1.png", "NT", 4, 6, 10, 20],
        ["1.png", "thalami", 12, 8, 30, 38],
        ["12.png", "NT", 1, 2, 3, 4],
    ],
}
ROOT = "Dataset for Fetus Framework/Dataset for Fetus Framework"
INNER = "Internal Test Set"
EXPECT = {
    "Set1-Training&Validation Sets CNN/Standard/1.png": dict(
        label="standard", split="train", boxes=[("NT", (6, 4, 20, 10)), ("thalami", (8, 12, 38, 30))]
    ),
    "Set2-Training&Validation Sets ANN Scoring system/Non-standard/7.png": dict(
        label="non-standard", split="train", boxes=None
    ),
    "Internal Test Set/Standard/12.png": dict(label="standard", split="test", boxes=[("NT", (2, 1, 4, 3))]),
    "External Test Set/Non-standard/20.png": dict(label="non-standard", split="test", boxes=None),
}
