"""Metaflow, local mode: linear chains, foreach fan-out and `resume` of a finished chain."""

import os
import subprocess
import sys
import tempfile

import common as c

WORK = tempfile.mkdtemp()
ENV = {
    **os.environ,
    "METAFLOW_DATASTORE_SYSROOT_LOCAL": WORK,
    "METAFLOW_USER": "bench",
    "METAFLOW_HOME": WORK,
    "USERNAME": "bench",
}


def chain(n):
    body = [
        "from metaflow import FlowSpec, step",
        f"class Chain{n}(FlowSpec):",
        "    @step",
        "    def start(self):",
        "        self.v = 0",
        "        self.next(self.s1)",
    ]
    for i in range(1, n - 1):
        nxt = f"s{i + 1}" if i < n - 2 else "end"
        body += [
            "    @step",
            f"    def s{i}(self):",
            "        self.v += 1",
            f"        self.next(self.{nxt})",
        ]
    body += [
        "    @step",
        "    def end(self):",
        "        pass",
        "if __name__ == '__main__':",
        f"    Chain{n}()",
    ]
    return write(f"chain{n}.py", body)


def fan(n):
    return write(
        f"fan{n}.py",
        f"""
from metaflow import FlowSpec, step
class Fan(FlowSpec):
    @step
    def start(self):
        self.xs = list(range({n}))
        self.next(self.mid, foreach='xs')
    @step
    def mid(self):
        self.v = self.input
        self.next(self.join)
    @step
    def join(self, inputs):
        self.t = sum(i.v for i in inputs)
        self.next(self.end)
    @step
    def end(self):
        pass
if __name__ == '__main__':
    Fan()
""".splitlines(),
    )


def write(name, lines):
    p = os.path.join(WORK, name)
    open(p, "w").write("\n".join(lines) + "\n")
    return p


def run(path, *args):
    p = subprocess.run(
        [sys.executable, path, *args], cwd=WORK, env=ENV, capture_output=True, text=True
    )
    if p.returncode:
        raise RuntimeError(p.stdout[-800:] + p.stderr[-800:])


def main():
    f = {**c.env_facts("metaflow"), "import_s": c.import_s("metaflow", env=ENV)}
    lo, hi = 3, 10
    paths = {n: chain(n) for n in (lo, hi)}
    f["hello_s"], f["hello_cpu_s"] = c.med(lambda: run(paths[lo], "run"), 1)
    t = {lo: (f["hello_s"], f["hello_cpu_s"]), hi: c.timed(lambda: run(paths[hi], "run"))}
    c.slopes(t, f, lo, hi)
    f["resume_end_n10_s"] = c.timed(lambda: run(paths[hi], "resume", "end"))[0]
    f["o2_fan10_s"] = c.timed(lambda: run(fan(10), "run", "--max-workers", "2"))[0]
    c.report("metaflow", f)


if __name__ == "__main__":
    main()
