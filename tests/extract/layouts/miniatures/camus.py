"""Volumes with masks of three classes, settings by view, three lists."""

FILES, EXPECT = {}, {}
for patient, split, name in (("patient0001", "train", "training"), ("patient0002", "test", "testing")):
    front = f"CAMUS_public/database_nifti/{patient}/{patient}"
    FILES |= {
        f"{front}_2CH_ED.nii.gz": "=gray x1",
        f"{front}_2CH_ED_gt.nii.gz": "=disk:2,1,3 x1",
        f"{front}_4CH_half_sequence.nii.gz": "=gray x3",
        f"{front}_4CH_half_sequence_gt.nii.gz": "=disk:2,1,3 x3",
        f"CAMUS_public/database_nifti/{patient}/Info_2CH.cfg": "ED: 1\nES: 9\nEF: 56\nImageQuality: Good\nSex: F\n",
        f"CAMUS_public/database_nifti/{patient}/Info_4CH.cfg": "ED: 1\nES: 9\nEF: 57.5\nImageQuality: Poor\nSex: F\n",
        f"CAMUS_public/database_split/subgroup_{name}.txt": f"{patient}\n",
    }
    masks = {"left ventricle": 0, "myocardium": 0, "left atrium": 0}
    path = f"database_nifti/{patient}/{patient}"
    EXPECT |= {
        f"{path}_2CH_ED.nii.gz": dict(
            split=split, group=patient, mask=masks, values={"ef_percent": 56}, image_quality="Good", frames=1
        ),
        f"{path}_4CH_half_sequence.nii.gz": dict(
            split=split, group=patient, mask=masks, values={"ef_percent": 57.5}, image_quality="Poor", frames=3
        ),
    }
FILES["CAMUS_public/database_split/subgroup_validation.txt"] = "patient0009\n"
ROOT = "CAMUS_public"
INNER = "database_nifti"
