"""Floor: the store, the only code that touches HDF5; read with `reader.Store`, write with `writer.PartWriter`."""
