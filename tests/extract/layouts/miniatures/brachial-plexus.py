"""Masks frame by frame, the odd folder, boxes line by line, a needle."""

TOP = "brachial_plexus/"
FILES = {
    TOP + "data/Butterfly/videos/b_001_1.mp4": "=gray x3",
    TOP + "data/Butterfly/ac_masks/b_001_1/b_001_1_000.jpg": "=disk",
    TOP + "data/Butterfly/ac_masks/b_001_1/b_001_1_002.jpg": "=disk",
    TOP + "data/Butterfly/needle/needle_masks/b_001_1/b_001_1_002.jpg": "=black",
    TOP + "data/Butterfly/bb_annotations/b_001_1.txt": '{"bounding_boxes": [12, 8, 16, 16]}\n\n'
    '{"bounding_boxes": [[12, 8, 16, 16]]}\n',
    TOP + "data/eSaote/videos/P_021_09.mp4": "=gray x3",
    TOP + "data/eSaote/ac_masks/P_021_09_masks/P_021_09_000.jpg": "=disk",
    TOP + "data/subjects_data.csv": "vid_name,nerve,frame_cnt,needle,gac_iter\nb_001_1,ISC,3,1,9\nP_021_09,SCB,3,0,9\n",
}
ROOT = "brachial_plexus"
INNER = "data"
EXPECT = {
    "data/Butterfly/videos/b_001_1.mp4": dict(
        frames=3, at=2, group="a", mask={"nerve": 193}, boxes=[("nerve", (12, 8, 28, 24))], nerve="ISC"
    ),
    "data/eSaote/videos/P_021_09.mp4": dict(frames=3, group="b", mask={"nerve": 193}, boxes=None, device="eSaote"),
}
