"""Sample on two nodes, of which one goes and another comes; print ``same`` if no bit has changed.

A process of its own, for it can be connected to one cluster alone.
"""

import os
import signal
from typing import Any

from ray._private.state import actors
from ray.cluster_utils import Cluster

from maml_rl.samplers.backends.ray_cluster import RayCluster
from tests.samplers.helpers import fragile_registered, identical, make_sampler, pool_of, process_id
from tests.waiting import wait_until

TASKS = 12
SLOW = {"step_seconds": 0.05}


def main() -> None:
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    second = cluster.add_node(num_cpus=1)
    disconnect = RayCluster(cluster.address).connect(cpus=2)
    try:
        with fragile_registered() as name:
            disturbed = sample(cluster, second, name)
            with make_sampler(0, name, tasks_per_item=1) as sampler:
                tasks = sampler.sample_tasks(TASKS)
                assert identical(disturbed, sampler.sample(tasks, fast_lr=0.3, num_steps=2))
    finally:
        disconnect()
        cluster.shutdown()
    print("same")


def sample(cluster: Cluster, second: object, name: str) -> Any:
    with make_sampler(2, name, SLOW, tasks_per_item=1, backend="ray") as sampler:
        tasks = sampler.sample_tasks(TASKS)
        futures = sampler.sample_async(tasks, fast_lr=0.3, num_steps=2)
        valid = futures[1]
        wait_until(lambda: sum(f.done() for f in valid) >= 1, "the first task")
        nodes = {node_of(worker) for worker in pool_of(sampler)._workers}
        assert len(nodes) == 2, nodes
        os.kill(process_id(pool_of(sampler)._workers[0]), signal.SIGKILL)
        wait_until(lambda: sampler.restarts == 1, "another actor")
        cluster.remove_node(second, allow_graceful=False)
        wait_until(lambda: sampler.restarts >= 2, "the loss of the node to be noticed")
        done = sum(f.done() for f in valid)
        wait_until(lambda: sum(f.done() for f in valid) > done, "the node that is left to go on alone")
        assert not all(f.done() for f in valid)
        third = cluster.add_node(num_cpus=1)
        wait_until(lambda: third.node_id in map(node_of, pool_of(sampler)._workers), "an actor there")
        return sampler.sample_wait(futures)


def node_of(worker: Any) -> str:
    return str(actors(worker._actor._actor_id.hex())["Address"]["NodeID"])


if __name__ == "__main__":
    main()
