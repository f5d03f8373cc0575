"""The tags that are read at all, by what for; every other data element is passed over unread."""

SHAPE = (
    "Rows Columns SamplesPerPixel BitsAllocated BitsStored HighBit PixelRepresentation PhotometricInterpretation"
    " PlanarConfiguration NumberOfFrames ExtendedOffsetTable ExtendedOffsetTableLengths PixelSpacing"
).split()
INTENSITY = (
    "RescaleSlope RescaleIntercept ModalityLUTSequence WindowCenter WindowWidth VOILUTFunction VOILUTSequence"
    " RedPaletteColorLookupTableDescriptor GreenPaletteColorLookupTableDescriptor"
    " BluePaletteColorLookupTableDescriptor RedPaletteColorLookupTableData GreenPaletteColorLookupTableData"
    " BluePaletteColorLookupTableData SegmentedRedPaletteColorLookupTableData"
    " SegmentedGreenPaletteColorLookupTableData SegmentedBluePaletteColorLookupTableData"
).split()
TIMING = (
    "FrameIncrementPointer FrameTimeVector FrameTime ActualFrameDuration CineRate RecommendedDisplayFrameRate"
).split()
OBJECT = (
    "SOPClassUID Modality SequenceOfUltrasoundRegions SharedFunctionalGroupsSequence"
    " PerFrameFunctionalGroupsSequence BurnedInAnnotation"
).split()
DEVICE = "Manufacturer ManufacturerModelName TransducerType TransducerData".split()
"""What a store may keep as it stands; short texts that name a device."""
IDENTITY = "PatientID StudyInstanceUID".split()
"""What pseudonyms are made of; never stored itself."""
NAMES = "PatientName OtherPatientNames ReferringPhysicianName PerformingPhysicianName OperatorsName".split()
"""Names of people, of which only keyed hashes are ever kept, and only if a user asks for it."""
WANTED = (*SHAPE, *INTENSITY, *TIMING, *OBJECT, *DEVICE, *IDENTITY)
