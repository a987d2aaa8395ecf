"""Before numpy is imported: two workers with two threads each would wait for one another. No deadlines."""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from hypothesis import settings

# A deadline is one of wall time: a busy machine would fail a test that is right.
settings.register_profile("no_deadline", deadline=None)
settings.load_profile("no_deadline")
