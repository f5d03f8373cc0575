"""As unpacked: folders of the archives; lists of a folder that is not shipped."""

TOP = "Fast-U-Net/Dataset/"
FILES = {
    TOP + "AC/AC_image1/0039.png": "=gray",
    TOP + "AC/AC_image2/fa_0091.png": "=gray",
    TOP + "AC/AC_mask/0039.png": "=disk",
    TOP + "AC/AC_mask/fa_0091.png": "=disk",
    TOP + "AC/train.txt": "resized_data/image/0039.png resized_data/mask/0039.png\n",
    TOP + "AC/val.txt": "resized_data/image/fa_0091.png resized_data/mask/fa_0091.png\n",
    TOP + "HC/HC_image1/514_HC.png": "=gray",
    TOP + "HC/HC_mask/514_HC_Annotation.png": "=ring",
    TOP + "HC/train.txt": "resized_data/image/514_HC.png resized_data/mask/514_HC_Annotation.png\n",
    TOP + "HC/val.txt": "",
}
ROOT = TOP
INNER = "AC"
EXPECT = {
    "AC/AC_image1/0039.png": dict(label="abdomen", split="train", mask={"abdomen": 193}, group=""),
    "AC/AC_image2/fa_0091.png": dict(label="abdomen", split="val", mask={"abdomen": 193}),
    "HC/HC_image1/514_HC.png": dict(label="head", split="train", mask={"head": 220}, group="a"),
}
