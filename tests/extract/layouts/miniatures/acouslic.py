"""Volumes with nearly empty masks, two of one subject."""

FILES = {
    "images/stacked_fetal_ultrasound/aa-1.mha": "=gray x3",
    "images/stacked_fetal_ultrasound/bb-2.mha": "=gray x2",
    "masks/stacked_fetal_abdomen/aa-1.mha": "=disk:2,1 x3",
    "masks/stacked_fetal_abdomen/bb-2.mha": "=black x2",
    "circumferences/fetal_abdominal_circumferences_per_sweep.csv": "uuid,subject_id,sweep_1_ac_mm,sweep_2_ac_mm,"
    "sweep_3_ac_mm,sweep_4_ac_mm,sweep_5_ac_mm,sweep_6_ac_mm\naa-1,7,,204.5,,,,\nbb-2,7,,,,,,\n",
}
ROOT = ""
INNER = "images/stacked_fetal_ultrasound"
FRONT = "images/stacked_fetal_ultrasound/"
EXPECT = {
    FRONT + "aa-1.mha": dict(
        frames=3,
        group="a",
        sweep_2_ac_mm="204.5",
        mask={"abdomen, optimal plane": 0, "abdomen, suboptimal plane": 0},
    ),
    FRONT + "bb-2.mha": dict(frames=2, group="a", sweep_1_ac_mm="", mask={}),
}
