"""A Python in which gcloud and bq are imported already: each call of them is a fork of a process of this program.

usage: warm_python.py <folder>      prints the path of an interpreter in the folder, for CLOUDSDK_PYTHON

Their launchers, code and requests are the real ones. Only the imports are shared, which take most of the time of a
call: of gcloud 0.9 s of CPU, and 0.1 s without them. What a call has imported is imported here before the next one. Each
program has a process of its own, since gcloud and bq have modules of the same names.
"""

import atexit
import contextlib
import importlib
import json
import os
import runpy
import select
import socket
import sys
import traceback
from pathlib import Path

# gcloud, bq's launcher, and bq.
PROGRAMS = ("/lib/gcloud.py", "/bin/bootstrapping/bq.py", "/platform/bq/bq.py")

# The interpreter. It runs other programs itself.
CLIENT = """#!{python} -IS
import json, os, socket, sys
number = next((n for n, end in enumerate({programs!r}) if sys.argv[1].endswith(end)), None)
if number is None:
    os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
call = {{"arguments": sys.argv[1:], "environment": dict(os.environ), "folder": os.getcwd()}}
call = json.dumps(call).encode()
with socket.socket(socket.AF_UNIX) as server:
    server.connect({address!r} + str(number))
    socket.send_fds(server, [len(call).to_bytes(4, "big")], [0, 1, 2])
    server.sendall(call)
    sys.exit(int(server.recv(16)))
"""


def load(program):
    """The main function of a program. That of gcloud is imported in the same way as its lib/gcloud.py does."""
    folder = os.path.dirname(program)
    of_gcloud = program.endswith(PROGRAMS[0])
    if folder not in sys.path:
        # The first folder is that of this script.
        sys.path[:1] = [os.path.join(folder, "third_party"), folder] if of_gcloud else [folder]
    if of_gcloud:
        return importlib.import_module("googlecloudsdk.gcloud_main").main
    return lambda: runpy.run_path(program, run_name="__main__") and 0


def set_environment(call):
    """Replaces this process's environment by that of the call."""
    os.environ.clear()
    os.environ.update(call["environment"])


def run(call, files, modules):
    """Runs a call in this process, and ends the process. Writes its path and the names of its modules to `modules`."""
    for number, file in enumerate(files):
        os.dup2(file, number)
    set_environment(call)
    os.chdir(call["folder"])
    sys.argv = call["arguments"]
    code = 1
    try:
        code = load(sys.argv[0])()
    except SystemExit as end:
        code = end.code
    except BaseException:
        traceback.print_exc()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    with open(modules, "w", encoding="utf-8") as names:
        json.dump([sys.path, list(sys.modules)], names)
    # To take all modules apart would take longer than the call.
    os._exit(code or 0)


def answer(connection):
    """Answers one call with its exit code."""
    head, files, _, _ = socket.recv_fds(connection, 4, 3)
    with connection.makefile("rb") as stream:
        call = json.loads(stream.read(int.from_bytes(head, "big")))
    # Modules read the environment when they are imported. It is the same in all calls.
    set_environment(call)
    load(call["arguments"][0])
    ours, theirs = os.pipe()
    child = os.fork()
    if not child:
        run(call, files, theirs)
    for file in (theirs, *files):
        os.close(file)
    with open(ours, encoding="utf-8") as names:
        sys.path, modules = json.load(names)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    connection.sendall(str(code).encode())
    connection.close()
    for name in modules:
        with contextlib.suppress(Exception):
            importlib.import_module(name)


def serve(address, alive, end):
    """Starts a process that answers the calls of one program until this process, which has the `end` of a pipe, is killed."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()
        if not os.fork():
            os.close(end)
            while alive not in select.select([listener, alive], [], [])[0]:
                answer(listener.accept()[0])
            os._exit(0)


def main():
    """Serves until it is killed."""
    folder = Path(sys.argv[1])
    address, client = str(folder / "python.socket"), folder / "python"
    client.write_text(CLIENT.format(python=sys.executable, address=address, programs=PROGRAMS))
    client.chmod(0o755)
    pipe = os.pipe()
    for number in range(len(PROGRAMS)):
        serve(f"{address}{number}", *pipe)
    print(client, flush=True)
    os.wait()


if __name__ == "__main__":
    main()
