from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

from tests.places import ROOT

SCRIPT = """
import resource, sys
from vcam.train.heap import keep_freed
if sys.argv[1] == "keep":
    keep_freed()
bytearray(40 << 20)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(8):
    bytearray(40 << 20)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc")
def test_what_is_freed_is_kept_for_what_comes_next():
    def faults(word):
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT, word], env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True,
            text=True, check=True,
        )  # fmt: skip
        return int(done.stdout)

    # 40 MiB are more than glibc keeps by itself: 10,240 small pages or 20 huge ones, each of eight times
    assert 4 * faults("keep") < faults("leave")
