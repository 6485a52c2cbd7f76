"""`python -m eventbraid.serving`."""

import sys

from eventbraid.serving.embedded.process import main

sys.exit(main())
