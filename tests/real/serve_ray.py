"""A Ray cluster on loopback: a head without CPUs, and two machines that work, as Ray plays them.

    python serve_ray.py TEMPORARY_FOLDER

Prints one line of JSON with its address and the processes' ids of the two, and ends with its
input.
"""

import json
import os
import signal
import sys

os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}

from ray.cluster_utils import Cluster

_STORE = 100 * 1024 * 1024
# Ray takes 127.0.0.1 for a name of this machine's address in its network, and looks for it there.
_HOST = "127.0.0.2"


def main() -> None:
    """Serve until standard input closes."""
    common = {"object_store_memory": _STORE, "include_dashboard": False}
    head = {"num_cpus": 0, "temp_dir": sys.argv[1], "node_ip_address": _HOST, **common}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    nodes = [cluster.add_node(num_cpus=1, node_ip_address=_HOST, **common) for _ in range(2)]
    raylets = [node.all_processes["raylet"][0].process.pid for node in nodes]
    print(json.dumps({"address": cluster.address, "raylets": raylets}), flush=True)  # noqa: T201
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))  # all of its group are told to end
    sys.stdin.read()
    cluster.shutdown()


main()
