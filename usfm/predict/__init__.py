"""Room: let a finished run score frames that nobody has labelled."""
