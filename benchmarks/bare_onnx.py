"""A bare ASGI handler around onnxruntime: what F15 compares the model server with.

MODEL names a file of ONNX with one matrix of float32. ``{"x": [[30 floats]]}`` gives ``{"y": [label]}``.
No checks, no ids, no log: the least that answers a row.
"""

import os

import msgspec
import numpy as np
import onnxruntime

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1
session = onnxruntime.InferenceSession(
    os.environ["MODEL"], options, providers=["CPUExecutionProvider"]
)
outputs, name = [session.get_outputs()[0].name], session.get_inputs()[0].name


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    rows = np.asarray(msgspec.json.decode(body)["x"], dtype=np.float32)
    answer = msgspec.json.encode({"y": session.run(outputs, {name: rows})[0].tolist()})
    head = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(answer)).encode()),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": head})
    await send({"type": "http.response.body", "body": answer})
