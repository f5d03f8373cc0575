"""Room 3: pretrain an encoder on a store by masked image modelling (store -> run)."""
