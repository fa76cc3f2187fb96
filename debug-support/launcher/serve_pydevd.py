"""Runs a program with pydevd listening: serve_pydevd.py PORT WAIT (FILE | -m MODULE | -c CODE) ARGUMENTS..."""
import os
import sys

sys.path[0] = os.path.join(os.path.dirname(os.path.abspath(__file__)), "debugpy", "_vendored", "pydevd")
import pydevd  # noqa: E402

del sys.path[0]
from _pydevd_bundle import pydevd_runpy as runpy  # noqa: E402

port, wait, target = int(sys.argv[1]), sys.argv[2] == "true", sys.argv[3:]
pydevd.settrace(
    host="0.0.0.0", port=port, suspend=False, block_until_connected=wait, wait_for_ready_to_run=wait,
    dont_trace_start_patterns=(__file__,),
)
if target[0] == "-m":
    sys.path.insert(0, "")
    sys.argv = target[1:]
    runpy._run_module_as_main(target[1], alter_argv=True)
elif target[0] == "-c":
    sys.path.insert(0, "")
    sys.argv = ["-c"] + target[2:]
    exec(compile(target[1], "<string>", "exec"), {"__name__": "__main__"})
else:
    sys.path.insert(0, os.path.dirname(target[0]))
    sys.argv = target
    runpy.run_path(target[0], run_name="__main__")
