"""Gymnasium's `make`, `make_vec` and `register` without types.

Theirs know nothing of tasks, models and keyword arguments.
"""

from typing import Any

import gymnasium as gym

create: Any = gym.make
create_vec: Any = gym.make_vec
register: Any = gym.register
