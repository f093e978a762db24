"""What holds for the tests of models: they reckon on one thread.

So small a problem is no quicker on a second one, which only turns round waiting and takes the processor from another
worker of pytest.
"""

import os

# read by OpenBLAS and OpenMP when numpy, scikit-learn and torch load them
for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(name, "1")
