"""The pack that comes with TN3K: raw pictures are read, their preprocessed copies are not."""

FILES = {
    "DDTI/1_or_data/image/0000.PNG": "=rgb",
    "DDTI/1_or_data/image/0001.PNG": "=rgb",
    "DDTI/1_or_data/mask/0000.PNG": "=disk",
    "DDTI/1_or_data/mask/0001.PNG": "=disk",
    "DDTI/1_or_data/category.csv": "ID,CATE\n0000.PNG,0\n0001.PNG,1\n",
    "DDTI/2_preprocessed_data/stage1/p_image/0000.PNG": "=gray",
    "DDTI/2_preprocessed_data/stage1/p_mask/0000.PNG": "=disk",
    "DDTI/2_preprocessed_data/train.csv": "ID,CATE\n0000.PNG,0\n",
}
ROOT = "DDTI"
INNER = "1_or_data"
EXPECT = {
    "1_or_data/image/0000.PNG": dict(label="benign", mask={"nodule": 193}),
    "1_or_data/image/0001.PNG": dict(label="malignant", mask={"nodule": 193}),
}
