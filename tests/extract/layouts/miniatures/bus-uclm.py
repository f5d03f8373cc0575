"""Classes by the colour of the mask; a test patient."""

TOP = "BUS-UCLM Breast ultrasound lesion segmentation dataset/BUS-UCLM/"
FILES = {
    TOP + "images/ANFO_005.png": "=rgb",
    TOP + "images/VITR_001.png": "=rgb",
    TOP + "images/VITR_002.png": "=rgb",
    TOP + "masks/ANFO_005.png": "=disk:#ff0000",
    TOP + "masks/VITR_001.png": "=disk:#00ff00",
    TOP + "masks/VITR_002.png": "=black:rgb",
}
ROOT = "BUS-UCLM Breast ultrasound lesion segmentation dataset/BUS-UCLM"
INNER = "images"
EXPECT = {
    "images/ANFO_005.png": dict(label="malignant", split="test", group="a", mask={"malignant": 193}),
    "images/VITR_001.png": dict(label="benign", split="train", group="b", mask={"benign": 193}),
    "images/VITR_002.png": dict(label="normal", split="train", group="b", mask={}),
}
