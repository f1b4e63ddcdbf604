"""Calls of a function in a fresh process."""

import pickle
import subprocess
import sys
from collections.abc import Callable
from typing import TypeVar

import cloudpickle

T = TypeVar("T")

LONGEST = 120.0
"""Seconds that a call may take."""
# What the function prints goes to standard error, so that standard output is the answer alone.
CHILD = """
import os, pickle, sys
answer = os.fdopen(os.dup(1), "wb")
os.dup2(2, 1)
path, payload = pickle.load(sys.stdin.buffer)
sys.path[:] = path
from maml_rl._system.own_code import failure
try:
    result = (True, pickle.loads(payload)())
except Exception as error:
    result = (False, failure(error))
answer.write(pickle.dumps(result))
answer.close()
"""


class ElsewhereError(RuntimeError):
    """The call failed there; the message says how."""


def in_another_process(function: Callable[[], T]) -> T:
    """Return what ``function`` returns in a process that has imported nothing yet.

    Modules are looked for where this process does; what is defined in a script travels by value.

    Raises:
        ElsewhereError: it raised there, took too long, or ended the process.
    """
    payload = pickle.dumps((sys.path, cloudpickle.dumps(function)))
    try:
        done = subprocess.run(
            [sys.executable, "-c", CHILD], input=payload, capture_output=True, timeout=LONGEST, check=True
        )
    except subprocess.TimeoutExpired:
        raise ElsewhereError(f"no answer in {LONGEST:g} s") from None
    except subprocess.CalledProcessError as error:
        raise ElsewhereError(f"the process ended with {error.returncode}") from None
    succeeded, answer = pickle.loads(done.stdout)
    if not succeeded:
        raise ElsewhereError(answer)
    result: T = answer
    return result
