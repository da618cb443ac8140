"""Executes a pipeline's IR YAML by kfp.local, in kfp's environment: run_kfp.py FILE ROOT."""

import sys

from kfp import components, local
from kfp.local import subprocess_task_handler

# Without Docker, the subprocess runner takes Python components only; that is the one check switched
# off. The placeholders, the order, the loops and the outputs are kfp's.
subprocess_task_handler.SubprocessTaskHandler.validate_not_container_component = lambda *_: None

local.init(local.SubprocessRunner(use_venv=False), pipeline_root=sys.argv[2])
components.load_component_from_file(sys.argv[1])()
