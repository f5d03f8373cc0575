"""Rest and Valsalva of one patient; sparse masks."""

FILES = {
    "EchoCP_dataset/001_r_image.nii.gz": "=gray x2",
    "EchoCP_dataset/001_r_label.nii.gz": "=disk:1,2,3,4 x2",
    "EchoCP_dataset/001_v_image.nii.gz": "=gray x2",
    "EchoCP_dataset/001_v_label.nii.gz": "=black x2",
    "EchoCP_dataset/echoCP_diagnosis_label.xlsx": [["Idx", "Action", "PFO level"], [1, "rest", 0]],
}
ROOT = "EchoCP_dataset"
INNER = ""
EXPECT = {
    "001_r_image.nii.gz": dict(frames=2, label="rest", group="a", mask={f"structure {n}": 0 for n in range(1, 5)}),
    "001_v_image.nii.gz": dict(frames=2, label="Valsalva", group="a", mask=None),
}
