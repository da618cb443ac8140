"""Builds the request that Vertex's client sends for a pipeline, in its environment: check_vertex.py FILE [NAME=VALUE…].

Prints the pipeline job as JSON.
"""

import sys

from google.auth.credentials import AnonymousCredentials
from google.cloud import aiplatform
from google.cloud.aiplatform_v1.types import PipelineJob
from google.protobuf import json_format

job = aiplatform.PipelineJob(
    display_name="job",
    template_path=sys.argv[1],
    pipeline_root="gs://bucket/root",
    parameter_values=dict(each.split("=", 1) for each in sys.argv[2:]),
    project="project",
    location="europe-west4",
    credentials=AnonymousCredentials(),
)
print(json_format.MessageToJson(PipelineJob.pb(job._gca_resource)))
