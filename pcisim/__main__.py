"""``python -m pcisim``."""

import sys

from pcisim.cli import main

sys.exit(main())
