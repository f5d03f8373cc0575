"""An empty mask; the test folder has numbers only."""

FILES = {
    "bp/train/1_1.tif": "=gray",
    "bp/train/1_1_mask.tif": "=disk",
    "bp/train/1_2.tif": "=gray",
    "bp/train/1_2_mask.tif": "=black",
    "bp/train/12_7.tif": "=gray",
    "bp/train/12_7_mask.tif": "=disk",
    "bp/test/1.tif": "=gray",
    "bp/train_masks.csv": "subject,img,pixels\n1,1,1 2\n",
}
ROOT = "bp"
INNER = "train"
EXPECT = {
    "train/1_1.tif": dict(split="train", group="a", mask={"nerve": 193}),
    "train/1_2.tif": dict(split="train", group="a", mask={}),
    "train/12_7.tif": dict(split="train", group="b", mask={"nerve": 193}),
    "test/1.tif": dict(split="test", group="", mask=None),
}
