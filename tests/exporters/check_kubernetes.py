"""Checks manifests by Kubernetes' own JSON schemas, strictly, in their environment: check_kubernetes.py FILE…."""

import sys
from pathlib import Path

import kubernetes_validate
import yaml

for name in sys.argv[1:]:
    for each in yaml.safe_load_all(Path(name).read_text(encoding="utf-8")):
        kubernetes_validate.validate(each, "1.34", strict=True)
        print(each["kind"])
