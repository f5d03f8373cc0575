"""Numbers without zeros in the table."""

FILES = {
    "BUS/DatasetB.xlsx": [["Image", "Type"], [1, "Benign"], [7, "Malignant"]],
    "BUS/BUS/original/000001.png": "=gray",
    "BUS/BUS/original/000007.png": "=gray",
    "BUS/BUS/GT/000001.png": "=disk",
    "BUS/BUS/GT/000007.png": "=noisy",
}
ROOT = "BUS"
INNER = "BUS"
EXPECT = {
    "BUS/original/000001.png": dict(label="benign", mask={"lesion": 193}, group=""),
    "BUS/original/000007.png": dict(label="malignant", mask={"lesion": 193}),
}
