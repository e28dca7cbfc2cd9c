"""`python -m whodid` is the command line."""

import sys

from whodid.cli import main

sys.exit(main())
