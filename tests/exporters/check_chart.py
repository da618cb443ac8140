"""Lints a Helm chart and renders it by Helm's own library, in its environment: check_chart.py FOLDER [VALUES as JSON].

Every manifest is checked by Kubernetes' JSON schemas, strictly. Prints them as JSON.
"""

import json
import sys

import helm_python as helm
import kubernetes_validate
import yaml

folder, values = sys.argv[1], json.loads(sys.argv[2]) if len(sys.argv) > 2 else {}
report = helm.lint(folder, values=values)
with helm.Chart.load(folder) as chart:
    chart.validate_schema(values)
    rendered = chart.render(values, name="ml", namespace="team")
manifests = [
    each
    for name, text in rendered.items()
    if name.endswith(".yaml")
    for each in yaml.safe_load_all(text)
    if each
]
for each in manifests:
    kubernetes_validate.validate(each, "1.34", strict=True)
print(json.dumps({"messages": report["messages"], "manifests": manifests}))
