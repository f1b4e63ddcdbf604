"""A check of task distributions: what they promise, tried out.

After Stable-Baselines3's `check_env`. Episodes are compared to the bit.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Set
from contextlib import closing, suppress
from functools import partial
from typing import Any, TypeAlias

from gymnasium.envs.registration import EnvSpec

from maml_rl._system.elsewhere import ElsewhereError, in_another_process
from maml_rl._system.kept import noticing, process_settings_kept
from maml_rl._system.own_code import failure
from maml_rl.envs.checks.batched import batched
from maml_rl.envs.checks.repeats import generators, repeats, shares, travels
from maml_rl.envs.checks.tasks import differs, draws, notes, plain
from maml_rl.envs.checks.trial import Finding, Trial
from maml_rl.envs.checks.values import ends, outside, values
from maml_rl.envs.registry import find_spec, is_shipped
from maml_rl.errors import UsageError

Check: TypeAlias = Callable[[Trial], Iterator[Finding]]

QUICK: tuple[Check, ...] = (
    notes,
    plain,
    values,
    draws,
    repeats,
    differs,
    shares,
    generators,
    batched,
    outside,
)
"""Those that take little time, in an order in which what one finds explains what the next ones would."""
QUICK_STEPS, STEPS = 20, 300
"""Time steps of the episodes that are compared, in the quick part and in the whole."""
QUICK_SECONDS = 0.5


def check_env(
    env: str | EnvSpec, env_kwargs: Mapping[str, Any] | None = None, env_copies: int | None = None
) -> list[Finding]:
    """Check that a task distribution keeps what samplers rely on; return what does not hold.

    Args:
        env: a registered id, or ``package.module:EnvClass``.
        env_kwargs: of the environment.
        env_copies: copies that a process is to hold at most, as the config key has it.

    Raises:
        UsageError: it cannot be made, is no task distribution, has spaces that no policy fits, or has a
            batched version and ``env_copies`` is given.
    """
    with noticing() as put_back:
        trial = _trial(env, env_kwargs or {}, STEPS, env_copies)
    told = [*_of_making(put_back)]
    if isinstance(trial, Finding):
        return [*told, trial]
    with process_settings_kept(), closing(trial):
        # What fails may fail twice.
        found = [*_as_findings(try_out(trial)), *_as_findings(ends(trial))]
        findings = [*told, *dict.fromkeys(found)]
        if not any(finding.breaks for finding in findings):
            findings += travels(trial)
        return findings


def quick_findings(env: str, env_kwargs: Mapping[str, Any], env_copies: int | None = None) -> list[Finding]:
    """Return what a check finds in half a second, or so.

    Not checked are the environments that ship with maml_rl, and those of which a copy takes as long to make.
    Of what has one copy in a process, another process makes the one that is checked.

    Raises:
        UsageError: as `check_env`.
    """
    with noticing() as put_back:
        spec = find_spec(env)
    if is_shipped(spec):
        return []
    find = partial(_quick_findings, spec, env_kwargs, env_copies, put_back)
    if env_copies != 1:
        return find()
    with suppress(ElsewhereError):  # It will be said where the environment is made.
        return in_another_process(find)
    return [*_of_making(put_back)]


def _quick_findings(
    spec: EnvSpec, env_kwargs: Mapping[str, Any], env_copies: int | None, put_back: set[str]
) -> list[Finding]:
    """Return what is found.

    Args:
        put_back: settings of the process that the import changed.
    """
    started = time.perf_counter()
    with noticing() as by_making:
        trial = _trial(spec, env_kwargs, QUICK_STEPS, env_copies)
    findings = [*_of_making(put_back | by_making)]
    if isinstance(trial, Finding):
        return findings  # What fails here will fail in a worker, with its traceback.
    with process_settings_kept(), closing(trial):
        if time.perf_counter() - started > QUICK_SECONDS:
            return findings
        try:
            findings.extend(try_out(trial, QUICK_SECONDS))
        except UsageError as error:
            findings.append(Finding(True, str(error)))
        except (Exception, SystemExit):
            pass  # Likewise.
        return findings


def _trial(*arguments: Any) -> Trial | Finding:
    """Return a `Trial`, or what the environment itself raises meanwhile as a finding."""
    try:
        return Trial(*arguments)
    except UsageError:
        raise
    except (Exception, SystemExit) as error:
        return _failing(error)


def try_out(trial: Trial, seconds: float = math.inf) -> Iterator[Finding]:
    """Yield what `QUICK` finds, up to the first check that finds a promise broken.

    Args:
        seconds: after which no other check begins.
    """
    started = time.perf_counter()
    for check in QUICK:
        with process_settings_kept() as changed:
            findings = [*check(trial)] if time.perf_counter() - started < seconds else []
        if changed:
            names = " and ".join(sorted(changed))
            findings.append(Finding(True, f"it changes {names} while it runs: restore that before returning"))
        yield from findings
        if any(found.breaks for found in findings):  # What follows would find the same once more.
            return


def _of_making(put_back: Set[str]) -> Iterator[Finding]:
    """Yield what there is to say of settings that were put back when the environment had been made."""
    if put_back:
        names = " and ".join(sorted(put_back))
        yield Finding(
            False,
            f"importing or making it changes {names}: maml_rl puts that back, so that it runs without; "
            "change it where it is needed, and restore it",
        )


def _as_findings(findings: Iterator[Finding]) -> Iterator[Finding]:
    """Yield the findings, and an exception of the environment's as one more."""
    try:
        yield from findings
    except UsageError as error:
        yield Finding(True, str(error))
    except (Exception, SystemExit) as error:
        yield _failing(error)


def _failing(error: BaseException) -> Finding:
    """Return what somebody's environment raises, whatever it is, as a finding."""
    return Finding(True, f"it fails: {failure(error)}")
