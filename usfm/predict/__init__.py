"""Room: let a finished run say something of frames that nobody has labelled."""
