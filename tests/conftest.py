"""Before numpy is imported: two workers with two threads each would wait for one another."""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
