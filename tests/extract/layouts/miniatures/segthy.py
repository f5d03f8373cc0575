"""Two volumes of a volunteer."""

TOP = "US_data/US_volunteer_dataset/ground_truth_data/"
FILES = {
    TOP + "US/001_P1_1_left_US.nii": "=gray x2",
    TOP + "US/001_P2_1_right_US.nii": "=gray x2",
    TOP + "US/002_P1_1_left_US.nii": "=gray x2",
    TOP + "US_thyroid_label/001_P1_1_left.nii": "=disk:1 x2",
    TOP + "US_thyroid_label/001_P2_1_right.nii": "=disk:1,2,3 x2",
    TOP + "US_thyroid_label/002_P1_1_left.nii": "=black x2",
}
ROOT = "US_data"
INNER = "US_volunteer_dataset/ground_truth_data"
FRONT = "US_volunteer_dataset/ground_truth_data/US/"
THREE = {"thyroid": 0, "carotid artery": 0, "jugular vein": 0}
EXPECT = {
    FRONT + "001_P1_1_left_US.nii": dict(frames=2, group="a", mask={"thyroid": 290}),
    FRONT + "001_P2_1_right_US.nii": dict(frames=2, group="a", mask=THREE),
    FRONT + "002_P1_1_left_US.nii": dict(frames=2, group="b", mask={}),
}
