"""The 2020 place of `maml_rl.samplers.MultiTaskSampler`."""

from maml_rl.lazy import lazy_names

__getattr__ = lazy_names(
    __name__,
    {"MultiTaskSampler": "maml_rl.compat.samplers"},
    gone={"SamplerWorker": "workers are maml_rl.samplers.worker.SamplerWorker, in processes of the backend"},
)
