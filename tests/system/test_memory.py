"""What processes keep of freed memory, and hand back."""

import platform
import subprocess
import sys

import pytest

COUNT_PAGE_FAULTS = """
import resource

import torch

from maml_rl._system.memory import hand_back_free_memory, keep_freed_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(5):
        tensors = [torch.ones(1 << 20) for _ in range(16)]
        del tensors
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

freed = faults()
keep_freed_memory()
faults()
kept = faults()
hand_back_free_memory()
print(freed, kept, faults())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="elsewhere nothing is changed")
def test_freed_memory_is_used_again_until_it_is_handed_back() -> None:
    answer = subprocess.run(
        [sys.executable, "-c", COUNT_PAGE_FAULTS], check=True, capture_output=True, text=True
    )
    freed, kept, handed_back = map(int, answer.stdout.split())
    assert freed >= 5 * 16 * 2  # Two huge pages each, if the kernel gives them.
    assert kept < freed / 10
    assert handed_back > 2 * kept + 16
