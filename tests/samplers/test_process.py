"""What a worker's process does to itself before it works."""

import platform
import subprocess
import sys

import pytest

COUNT_PAGE_FAULTS = """
import resource

import torch

from maml_rl.samplers.process import _keep_freed_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(5):
        tensors = [torch.ones(1 << 20) for _ in range(16)]
        del tensors
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

freed = faults()
_keep_freed_memory()
faults()
print(freed, faults())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="elsewhere nothing is changed")
def test_freed_memory_is_used_again_without_page_faults() -> None:
    answer = subprocess.run(
        [sys.executable, "-c", COUNT_PAGE_FAULTS], check=True, capture_output=True, text=True
    )
    freed, kept = map(int, answer.stdout.split())
    assert freed >= 5 * 16 * 2  # Two huge pages each, if the kernel gives them.
    assert kept < freed / 10
