"""A copy with folders of pictures and masks."""

FILES = {
    "data/benign/image/benign (1).png": "=rgb",
    "data/benign/mask/benign (1)_mask.png": "=disk",
    "data/normal/image/normal (2).png": "=rgb",
    "data/normal/mask/normal (2)_mask.png": "=black:rgb",
}
ROOT = "data"
INNER = "benign"
EXPECT = {
    "benign/image/benign (1).png": dict(label="benign", mask={"lesion": 193}, group=""),
    "normal/image/normal (2).png": dict(label="normal", mask={}),
}
