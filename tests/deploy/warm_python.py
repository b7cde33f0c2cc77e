"""A Python in which gcloud is imported already: each call of gcloud is a fork of this process.

usage: warm_python.py <folder>      prints the path of an interpreter in the folder, for CLOUDSDK_PYTHON

gcloud's launcher, its code and its requests are the real ones. Only the imports are shared, which take most of the time of a
call: 0.9 s of CPU, and 0.1 s without them. What a call has imported is imported here before the next one.
"""

import atexit
import contextlib
import importlib
import json
import os
import socket
import sys
import traceback
from pathlib import Path

# The interpreter. It runs other programs than gcloud itself.
CLIENT = """#!{python} -IS
import json, os, socket, sys
if not sys.argv[1].endswith("/lib/gcloud.py"):
    os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
call = {{"arguments": sys.argv[1:], "environment": dict(os.environ), "folder": os.getcwd()}}
call = json.dumps(call).encode()
with socket.socket(socket.AF_UNIX) as server:
    server.connect({address!r})
    socket.send_fds(server, [len(call).to_bytes(4, "big")], [0, 1, 2])
    server.sendall(call)
    sys.exit(int(server.recv(16)))
"""


def gcloud(program):
    """The main function of gcloud, imported in the same way as its lib/gcloud.py does."""
    folder = os.path.dirname(program)
    if folder not in sys.path:
        # The first folder is that of this script.
        sys.path[:1] = [os.path.join(folder, "third_party"), folder]
    return importlib.import_module("googlecloudsdk.gcloud_main").main


def set_environment(call):
    """Replaces this process's environment by that of the call."""
    os.environ.clear()
    os.environ.update(call["environment"])


def run(call, files, modules):
    """Runs a call in this process, and ends the process. Writes the names of the imported modules to `modules`."""
    for number, file in enumerate(files):
        os.dup2(file, number)
    set_environment(call)
    os.chdir(call["folder"])
    sys.argv = call["arguments"]
    code = 1
    try:
        code = gcloud(sys.argv[0])()
    except SystemExit as end:
        code = end.code
    except BaseException:
        traceback.print_exc()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    with open(modules, "w", encoding="utf-8") as names:
        names.write("\n".join(sys.modules))
    # To take all modules apart would take longer than the call.
    os._exit(code or 0)


def answer(connection):
    """Answers one call with its exit code."""
    head, files, _, _ = socket.recv_fds(connection, 4, 3)
    with connection.makefile("rb") as stream:
        call = json.loads(stream.read(int.from_bytes(head, "big")))
    # Modules read the environment when they are imported. It is the same in all calls.
    set_environment(call)
    gcloud(call["arguments"][0])
    ours, theirs = os.pipe()
    child = os.fork()
    if not child:
        run(call, files, theirs)
    for file in (theirs, *files):
        os.close(file)
    with open(ours, encoding="utf-8") as names:
        modules = names.read().split("\n")
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    connection.sendall(str(code).encode())
    connection.close()
    for name in modules:
        with contextlib.suppress(Exception):
            importlib.import_module(name)


def main():
    """Serves until it is killed."""
    folder = Path(sys.argv[1])
    address, client = folder / "python.socket", folder / "python"
    client.write_text(CLIENT.format(python=sys.executable, address=str(address)))
    client.chmod(0o755)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(address))
        listener.listen()
        print(client, flush=True)
        while True:
            answer(listener.accept()[0])


if __name__ == "__main__":
    main()
