"""Masks of two names."""

FILES = {
    "OTU_3d/images/1.JPG": "=rgb",
    "OTU_3d/images/2.JPG": "=rgb",
    "OTU_3d/annotations/1_binary.PNG": "=disk",
    "OTU_3d/annotations/2_binary_binary.PNG": "=disk",
    "OTU_3d/train.txt": "1\n",
    "OTU_3d/val.txt": "2\n",
    "OTU_3d/val_cls.txt": "2.JPG  0\n",
}
ROOT = "OTU_3d"
INNER = "images"
EXPECT = {
    "images/1.JPG": dict(split="train", mask={"tumour": 193}, group=""),
    "images/2.JPG": dict(split="val", mask={"tumour": 193}),
}
