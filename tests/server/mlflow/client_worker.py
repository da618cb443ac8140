"""Runs pieces of code with a real MLflow client, one at a time; what they name `result` goes back."""

import json
import os
import sys
import traceback

import mlflow

_answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # what the client prints is no answer


def _refusal(call, *values, **named):
    """Return the code of the error that a call ends in; None if it ends in none."""
    try:
        call(*values, **named)
    except mlflow.MlflowException as error:
        return error.error_code
    return None


for line in sys.stdin:
    asked = json.loads(line)
    names = {
        "mlflow": mlflow,
        "client": mlflow.MlflowClient(),
        "refusal": _refusal,
        "result": None,
        **asked["values"],
    }
    try:
        exec(asked["code"], names)
        answer = {"result": names["result"]}
    except BaseException:  # noqa: BLE001 - told to the test
        answer = {"error": traceback.format_exc()}
    _answers.write(json.dumps(answer, default=str) + "\n")
    _answers.flush()
