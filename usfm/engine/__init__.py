"""What every training shares: batches from a store, augmentation on the device, optimiser, schedule, the loop."""
