"""Numbers that start again; a second reader beside."""

TOP = "Micro_Ultrasound_Prostate_Segmentation_Dataset/"
FILES = {}
for split in ("train", "test"):
    FILES |= {
        TOP + f"{split}/micro_ultrasound_scans/microUS_{split}_01.nii.gz": "=gray x2",
        TOP + f"{split}/expert_annotations/expert_annotation_{split}_01.nii.gz": "=disk:1 x2",
    }
FILES[TOP + "test/clinician_annotations/clinician_annotation_test_01.nii.gz"] = "=black x2"
ROOT = TOP
INNER = "train"
EXPECT = {
    "train/micro_ultrasound_scans/microUS_train_01.nii.gz": dict(
        frames=2, split="train", group="a", mask={"prostate": 290}
    ),
    "test/micro_ultrasound_scans/microUS_test_01.nii.gz": dict(
        frames=2, split="test", group="b", mask={"prostate": 290}
    ),
}
