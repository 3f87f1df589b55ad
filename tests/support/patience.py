"""How long tests wait for what a real process does."""

import os

#: So many times as long as alone, where other tests run on the same processors: a busy machine is no failure.
TIMES = 3.0 if "PYTEST_XDIST_WORKER" in os.environ else 1.0
