"""Room: pretrain an encoder on a sector store by masked image modelling."""
