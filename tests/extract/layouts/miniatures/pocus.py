"""Prefixes of any case, an uncertain clip, patients known in part."""

TOP = "covid19_ultrasound/data/"
FILES = {
    TOP + "pocus_videos/convex/Cov-Atlas-Day+2.mp4": "=gray x2",
    TOP + "pocus_videos/convex/Cov-Atlas-Day+4.avi": "=gray x2",
    TOP + "pocus_videos/linear/reg_nephropoc.mp4": "=gray x2",
    TOP + "pocus_videos/linear/label_uncertain/Vir_or_Pneu_4.mp4": "=gray x2",
    TOP + "pocus_images/convex/Pneu_emdocs_1.png": "=rgb",
    TOP + "pocus_images/convex/logo.png": "=rgb",
    TOP + "dataset_metadata.csv": "Filename,Label,License,Probe,Patient ID / Name\n"
    "Cov-Atlas-Day+2,COVID-19,CC BY-NC 4.0,convex,35\nCov-Atlas-Day+4,COVID-19,CC BY-NC 4.0,convex,35\n"
    "Reg_nephropoc,regular,,linear,\nVir_or_Pneu_4,,,linear,nd\nPneu_emdocs_1,Bacterial pneumonia,,convex,\n",
}
ROOT = "covid19_ultrasound"
INNER = "data"
EXPECT = {
    "data/pocus_videos/convex/Cov-Atlas-Day+2.mp4": dict(label="COVID-19", group="a", licence="CC BY-NC 4.0"),
    "data/pocus_videos/convex/Cov-Atlas-Day+4.avi": dict(label="COVID-19", group="a", probe="convex"),
    "data/pocus_videos/linear/reg_nephropoc.mp4": dict(label="regular", group="", probe="linear"),
    "data/pocus_videos/linear/label_uncertain/Vir_or_Pneu_4.mp4": dict(label="", group=""),
    "data/pocus_images/convex/Pneu_emdocs_1.png": dict(label="bacterial pneumonia"),
}
