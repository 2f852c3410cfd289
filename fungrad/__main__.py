"""``python -m fungrad``: see ``fungrad.cli``."""

import sys

from fungrad.cli import main

if __name__ == "__main__":
    sys.exit(main())
