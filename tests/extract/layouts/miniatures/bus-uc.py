"""All repeats both; a mask is twice as large."""

FILES = {"BUS_UC/All/images/1.png": "=copy:BUS_UC/Benign/images/1.png", "BUS_UC/All/masks/1.png": "=disk"}
FILES |= {
    "BUS_UC/Benign/images/1.png": "=gray",
    "BUS_UC/Benign/masks/1.png": "=disk @64,80",
    "BUS_UC/Malignant/images/1.png": "=gray",
    "BUS_UC/Malignant/masks/1.png": "=disk",
}
ROOT = "BUS_UC"
INNER = "Benign"
EXPECT = {
    "Benign/images/1.png": dict(label="benign", mask={"lesion": 193}, group=""),
    "Malignant/images/1.png": dict(label="malignant", mask={"lesion": 193}),
}
