"""Volumes and tracked sequences: MetaImage, NRRD and NIfTI, cut into planes; one intensity rule for a whole volume."""
