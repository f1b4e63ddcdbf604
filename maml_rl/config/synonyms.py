"""Names that keys have in other code, for hints: see docs/names-elsewhere.md."""

from collections.abc import Container

SYNONYMS: dict[str, tuple[str, ...]] = {
    "env-name": ("env", "environment", "env-id"),
    "gamma": ("discount", "discount-factor"),
    "gae-lambda": ("tau", "lambda", "lam"),
    "hidden-sizes": ("hiddens",),
    "nonlinearity": ("activation", "hidden-nonlinearity"),
    "fast-batch-size": ("batch-size", "adapt-bsz", "rollouts-per-meta-task", "episodes-per-task"),
    "meta-batch-size": ("meta-bsz", "tasks-per-batch"),
    "num-steps": ("adapt-steps", "inner-steps", "num-grad-updates", "num-inner-grad-steps"),
    "num-batches": ("n-itr", "num-iterations", "iterations", "n-epochs"),
    "fast-lr": ("alpha", "inner-lr", "adapt-lr", "grad-step-size"),
    "first-order": ("stop-grad", "fomaml"),
    "learning-rate": ("meta-lr", "outer-lr", "lr"),
    "adam-steps": ("num-ppo-steps", "num-promp-steps"),
    "clip": ("clip-eps",),
    "inner-kl": ("init-inner-kl-penalty",),
    "inner-kl-target": ("target-inner-step",),
    "max-kl": ("max-kl-step",),
    "cg-damping": ("damping", "reg-coeff", "hvp-reg-coeff"),
    "ls-max-steps": ("max-backtracks",),
    "ls-backtrack-ratio": ("backtrack-ratio", "backtrack-factor"),
}
"""Each key's names elsewhere, none of them another key's."""
KEYS = {other: key for key, others in SYNONYMS.items() for other in others}


def key_elsewhere(name: str, known: Container[str]) -> str | None:
    """Return the key among ``known`` that other code calls ``name``, with dashes; None if there is none."""
    key = KEYS.get(name.casefold())
    return key if key in known else None
