"""``python -m producer COMMAND`` is ``heavy-rotation COMMAND``."""

import sys

from heavy_rotation import main

__all__ = ["main"]

if __name__ == "__main__":
    sys.exit(main())
