"""2020 names, all of them gone: importing one says what replaces it."""

from maml_rl.lazy import lazy_names

__getattr__ = lazy_names(
    __name__,
    {},
    gone={
        "weighted_mean": "weight the steps with maml_rl.advantages.step_weights, and sum",
        "weighted_normalize": "use maml_rl.advantages.normalize, with the weights of step_weights",
        "detach_distribution": "call the policy under torch.no_grad()",
        "to_numpy": "use tensor.numpy(force=True)",
        "vector_to_parameters": "use policy.set_vector, or torch.nn.utils.vector_to_parameters",
    },
)
