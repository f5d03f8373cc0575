"""Two clips of one patient, a cell with a space."""

FILES = {
    "COVID-BLUES/lus_videos/patient_3_R2.mp4": "=gray x3",
    "COVID-BLUES/lus_videos/patient_3_R2_2.mp4": "=gray x3",
    "COVID-BLUES/lus_videos/patient_12_L1.mp4": "=gray x3",
    "COVID-BLUES/clinical_variables.csv": "patient_id,cov_test,pat_age\n3,1,80\n12,0,61\n",
    "COVID-BLUES/severity.csv": "video_file,Severity Score,A-lines,B-lines,comments\n"
    'patient_3_R2,2.0,no,yes ,\npatient_3_R2_2,2.0,no,yes ,"a, b"\npatient_12_L1,0.0,yes,no,\n',
}
ROOT = "COVID-BLUES"
INNER = "lus_videos"
EXPECT = {
    "lus_videos/patient_3_R2.mp4": dict(label="COVID-19", group="a", values={"severity": 2}, b_lines="yes", point="R2"),
    "lus_videos/patient_3_R2_2.mp4": dict(label="COVID-19", group="a", values={"severity": 2}),
    "lus_videos/patient_12_L1.mp4": dict(label="no COVID-19", group="b", values={"severity": 0}, a_lines="yes"),
}
