"""``python -m web``."""

import sys

from web.command import main

sys.exit(main())
