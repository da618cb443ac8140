"""Runs an exported file by Ray Serve until the process is ended: run_ray_serve.py MODULE PORT."""

import importlib
import signal
import sys

import ray
from ray import serve

ray.init(
    address="local", num_cpus=2, include_dashboard=False, _node_ip_address="127.0.0.1"
)  # no other's cluster
serve.start(http_options={"host": "127.0.0.1", "port": int(sys.argv[2])})
sys.path.insert(0, "")
serve.run(importlib.import_module(sys.argv[1]).app)
signal.sigwait({signal.SIGTERM, signal.SIGINT})
serve.shutdown()  # replicas write the rest of their prediction logs
ray.shutdown()
