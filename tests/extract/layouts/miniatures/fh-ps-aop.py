"""Three equal channels are one picture."""

TOP = "Pubic Symphysis-Fetal Head Segmentation and Angle of Progression/"
FILES = {
    TOP + "image_mha/00001.mha": "=gray x3",
    TOP + "image_mha/00002.mha": "=gray x3",
    TOP + "label_mha/00001.mha": "=disk:2,1",
    TOP + "label_mha/00002.mha": "=black",
}
ROOT = TOP
INNER = "image_mha"
EXPECT = {
    "image_mha/00001.mha": dict(mask={"pubic symphysis": 0, "fetal head": 0}, group=""),
    "image_mha/00002.mha": dict(mask={}),
}
