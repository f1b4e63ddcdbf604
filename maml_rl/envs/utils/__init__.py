"""The 2020 wrappers, which are gone: importing them says what replaces them."""

raise ImportError(
    "maml_rl.envs.utils of 2020 is gone: maml_rl.envs.make_task_vector_env steps many environments as one, "
    "normalization_scale and max_episode_steps are env-kwargs; see docs/from-2020.md"
)
