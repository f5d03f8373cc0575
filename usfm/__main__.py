"""Run as ``python -m usfm``."""

from usfm.cli.main import main

if __name__ == "__main__":
    main()
