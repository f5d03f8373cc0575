"""A picture with two lesions, a normal one with a black mask, the twin across classes, a mask with alpha."""

TOP = "Dataset_BUSI_with_GT/"
FILES = {
    TOP + "benign/benign (1).png": "=rgb",
    TOP + "benign/benign (1)_mask.png": "=disk",
    TOP + "benign/benign (1)_mask_1.png": "=disk @32,40",
    TOP + "benign/benign (433).png": "=rgb",
    TOP + "benign/benign (433)_mask.png": "=disk",
    TOP + "malignant/malignant (145).png": "=copy:" + TOP + "benign/benign (433).png",
    TOP + "malignant/malignant (145)_mask.png": "=disk",
    TOP + "normal/normal (1).png": "=rgb",
    TOP + "normal/normal (1)_mask.png": "=black:rgb",
}
ROOT = "Dataset_BUSI_with_GT"
INNER = "benign"
EXPECT = {
    "benign/benign (1).png": dict(label="benign", group="", mask={"lesion": 193}),
    "benign/benign (433).png": dict(label="benign", mask={"lesion": 193}),
    "malignant/malignant (145).png": dict(label="malignant", mask={"lesion": 193}),
    "normal/normal (1).png": dict(label="normal", mask={}),
}
