"""Upper-case suffixes."""

FILES = {
    "TNSCUI2020_train/image/1.PNG": "=gray",
    "TNSCUI2020_train/image/22.PNG": "=gray",
    "TNSCUI2020_train/mask/1.PNG": "=disk",
    "TNSCUI2020_train/mask/22.PNG": "=disk",
    "TNSCUI2020_train/train.csv": "ID,CATE\n1.PNG,1\n22.PNG,0\n",
}
ROOT = "TNSCUI2020_train"
INNER = "image"
EXPECT = {
    "image/1.PNG": dict(label="1", mask={"nodule": 193}),
    "image/22.PNG": dict(label="0", mask={"nodule": 193}),
}
