"""``python -m fungrad``: see ``fungrad.cli``."""

from fungrad.cli import main
from fungrad.core.programs import finish

if __name__ == "__main__":
    finish(main)
