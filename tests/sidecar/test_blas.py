"""NumPy's products stay on one thread; in processes of their own, since that is for a whole process."""

import os
import subprocess
import sys

from hybridrank.sidecar.runtime.cpu import usable_cores

CODE = """
import sys, threading, time
import numpy as np
from hybridrank.sidecar.runtime.blas import multiply_on_one_thread
if sys.argv[1] == "one":
    multiply_on_one_thread()
a = np.ones((1500, 1500), dtype=np.float32)
a @ a
own, whole = time.thread_time(), time.process_time()
for _ in range(5):
    a @ a
print((time.process_time() - whole) / (time.thread_time() - own))
"""


def cpu_time_of_all_threads_beside_the_caller(how: str) -> float:
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "4"}
    done = subprocess.run(
        [sys.executable, "-c", CODE, how], capture_output=True, text=True, check=True, env=environment
    )
    return float(done.stdout)


def test_a_product_takes_the_time_of_its_own_thread_alone():
    assert cpu_time_of_all_threads_beside_the_caller("one") < 1.1
    if usable_cores() > 1:  # on one core there is nothing to be kept from
        assert cpu_time_of_all_threads_beside_the_caller("as it comes") > 1.3
