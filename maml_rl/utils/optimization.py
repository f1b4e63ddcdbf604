"""The 2020 name of conjugate gradient, which is gone: importing it says what replaces it."""

from maml_rl.lazy import lazy_names

__getattr__ = lazy_names(
    __name__,
    {},
    gone={"conjugate_gradient": "use maml_rl.optim.conjugate_gradient, whose result has x and the residual"},
)
