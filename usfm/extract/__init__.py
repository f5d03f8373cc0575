"""Room: turn videos, DICOM files, volumes and images into a store."""
