"""DICOM: ultrasound stills, clips and volumes, frame by frame, in every transfer syntax with a permissive decoder."""
