"""Executes the job of an exported file by Dagster, in Dagster's environment: run_dagster.py FILE."""

import runpy
import sys

exported = runpy.run_path(sys.argv[1], run_name="exported")
assert exported["defs"].resolve_job_def(exported["pipeline"].name)
sys.exit(0 if exported["pipeline"].execute_in_process(raise_on_error=False).success else 1)
