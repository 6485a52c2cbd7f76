"""`python -m eventbraid.serving`."""

import sys

from eventbraid.serving.process import main

sys.exit(main())
