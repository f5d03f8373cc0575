"""Public collections as downloaded: a TOML file each, whose name is the layout's, and the functions that read them."""
