"""The first of two readers; capsule below regions."""

LABELS = "kidneyUS/labels/"
FILES = {
    "kidneyUS/kidneyUS_images_14_june_2022/1_IM-0001-0059_anon.png": "=gray",
    "kidneyUS/kidneyUS_images_14_june_2022/22_IM-0002-0001-0003_anon.png": "=gray",
    LABELS + "reviewed_masks_1/capsule/1_IM-0001-0059_anon.png": "=disk:1",
    LABELS + "reviewed_masks_1/regions/1_IM-0001-0059_anon.png": "=disk:0,3,2,1",
    LABELS + "reviewed_masks_1/capsule/22_IM-0002-0001-0003_anon.png": "=disk:1",
    LABELS + "reviewed_masks_1/regions/22_IM-0002-0001-0003_anon.png": "=black",
    LABELS + "reviewed_masks_2/capsule/1_IM-0001-0059_anon.png": "=black",
}
ROOT = "kidneyUS"
INNER = "kidneyUS_images_14_june_2022"
FRONT = "kidneyUS_images_14_june_2022/"
EXPECT = {
    FRONT + "1_IM-0001-0059_anon.png": dict(
        group="a", mask={"capsule": 0, "cortex": 0, "medulla": 0, "central echo complex": 0}
    ),
    FRONT + "22_IM-0002-0001-0003_anon.png": dict(group="b", mask={"capsule": 193}),
}
