"""Sparse masks, the same number at two sites, a folder of outlines."""

FILES = {
    "udc/Site_G_20/patient-1-4_image.nii.gz": "=gray x2",
    "udc/Site_G_20/patient-1-4_label.nii.gz": "=disk:1,2 x2",
    "udc/Site_R_52/patient-1-4_image.nii.gz": "=gray x2",
    "udc/Site_R_52/patient-1-4_label.nii.gz": "=black x2",
    "udc/Site_R_73/normal-2-1_image.nii.gz": "=gray x2",
    "udc/label_all_frame/patient-1-4_image.nii.gz": "=ring x2",
}
ROOT = "udc"
INNER = "Site_G_20"
EXPECT = {
    "Site_G_20/patient-1-4_image.nii.gz": dict(
        frames=2, label="patient", group="a", mask={"structure 1": 0, "structure 2": 0}
    ),
    "Site_R_52/patient-1-4_image.nii.gz": dict(frames=2, label="patient", group="b", mask=None),
    "Site_R_73/normal-2-1_image.nii.gz": dict(frames=2, label="normal", group="c", mask=None, site="Site_R_73"),
}
