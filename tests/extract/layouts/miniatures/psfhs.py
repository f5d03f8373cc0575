"""Other names than FH-PS-AOP has."""

FILES = {
    "PSFHS/image_mha/3744.mha": "=gray x3",
    "PSFHS/label_mha/3744.mha": "=disk:2,1",
}
ROOT = "PSFHS"
INNER = "image_mha"
EXPECT = {"image_mha/3744.mha": dict(mask={"pubic symphysis": 0, "fetal head": 0}, group="")}
