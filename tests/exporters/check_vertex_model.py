"""Reads upload requests of models with Vertex's own types, in its environment: check_vertex_model.py FILE….

Prints the requests as its client would send them.
"""

import json
import sys
from pathlib import Path

from google.cloud.aiplatform_v1.types import UploadModelRequest
from google.protobuf import json_format

read = []
for name in sys.argv[1:]:
    # Unknown fields and values of a wrong type are errors.
    request = UploadModelRequest.pb(UploadModelRequest())
    json_format.Parse(Path(name).read_text(encoding="utf-8"), request)
    read.append(json.loads(json_format.MessageToJson(request)))
print(json.dumps(read))
