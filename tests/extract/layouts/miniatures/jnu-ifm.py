"""Two clips, classes by frame, masks that look black."""

TOP = "us_data/20190830T115515/"
OTHER = "us_data/20190909T084854/"
FILES = {
    TOP + "image/20190830T115515_63.png": "=rgb",
    TOP + "image/20190830T115515_108.png": "=rgb",
    TOP + "mask/20190830T115515_63_mask.png": "=disk:8,7",
    TOP + "mask/20190830T115515_108_mask.png": "=black",
    TOP + "mask_enhance/20190830T115515_63_mask.png": "=disk",
    TOP + "frame_label.csv": "frame_id,frame_label\n63,6\n108,3\n",
    OTHER + "image/20190909T084854_63.png": "=rgb",
    OTHER + "mask/20190909T084854_63_mask.png": "=disk:8",
    OTHER + "frame_label.csv": "frame_id,frame_label\n20190909T084854_63,5\n",
}
ROOT = ""
INNER = "us_data"
EXPECT = {
    TOP + "image/20190830T115515_63.png": dict(label="both", group="a", mask={"pubic symphysis": 0, "fetal head": 0}),
    TOP + "image/20190830T115515_108.png": dict(label="none", group="a", mask={}),
    OTHER + "image/20190909T084854_63.png": dict(label="head only", group="b", mask={"fetal head": 193}),
}
