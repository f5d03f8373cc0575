"""The front door: parse, call, print; one small file a command; decides nothing."""
