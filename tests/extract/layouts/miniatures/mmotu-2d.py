"""Upper-case suffixes, each mask twice, lists with two spaces."""

FILES = {
    "OTU_2d/images/1.JPG": "=rgb",
    "OTU_2d/images/12.JPG": "=rgb",
    "OTU_2d/images/30.JPG": "=rgb",
    "OTU_2d/annotations/1.PNG": "=disk:#400000",
    "OTU_2d/annotations/1_binary.PNG": "=disk",
    "OTU_2d/annotations/12.PNG": "=disk:#404040",
    "OTU_2d/annotations/12_binary.PNG": "=disk",
    "OTU_2d/annotations/30.PNG": "=disk:#000040",
    "OTU_2d/annotations/30_binary.PNG": "=disk",
    "OTU_2d/train.txt": "1\n30\n",
    "OTU_2d/val.txt": "12\n",
    "OTU_2d/train_cls.txt": "1.JPG  0\n30.JPG  2\n",
    "OTU_2d/val_cls.txt": "12.JPG  5\n",
}
ROOT = "OTU_2d"
INNER = "images"
EXPECT = {
    "images/1.JPG": dict(label="chocolate cyst", split="train", mask={"chocolate cyst": 193}),
    "images/12.JPG": dict(label="normal ovary", split="val", mask={"normal ovary": 193}),
    "images/30.JPG": dict(label="teratoma", split="train", mask={"teratoma": 193}),
}
