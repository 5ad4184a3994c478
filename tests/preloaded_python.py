# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Start Python processes that have the host packages imported already.

Importing torch, mmseg and mmpose takes seconds, and the suite starts dozens of
commands as a user does. A server imports them once, and nothing of mmhires but
the package itself. ``CLIENT`` stands in for ``python``: it asks the server for
a fork that runs the command with the files, folder and variables of the
client. Signals to the client reach the fork, which ends with it; the exit code
of the fork is that of the client.

What depends on how packages are imported, or on which process is whose child,
needs a real Python.
"""

import contextlib
import fcntl
import gc
import importlib
import json
import os
import runpy
import selectors
import signal
import socket
import subprocess
import sys
import types
import warnings
from collections.abc import Iterator
from pathlib import Path

CLIENT = """#!{python} -IS
import json, os, signal, socket, sys

rest = list(sys.argv[1:])
while rest and rest[0][:2] in ('-B', '-u', '-W'):
    del rest[:1 + (rest[0] == '-W')]
if not rest or rest[0][0] == '-' and rest[0] not in ('-c', '-m'):
    os.execv({python!r}, [{python!r}, *sys.argv[1:]])
files = [file for file in map(int, os.listdir('/proc/self/fd'))
         if file < 3 or os.path.exists(f'/proc/self/fd/{{file}}')
         and os.get_inheritable(file)]
server = socket.socket(socket.AF_UNIX)
server.connect({address!r})
socket.send_fds(server, [b'+'], files)
answer = server.makefile('rw')
print(json.dumps(dict(argv=sys.argv, env=dict(os.environ), cwd=os.getcwd(),
                      files=files)), file=answer, flush=True)
fork = int(answer.readline())
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda number, frame: os.kill(fork, number))
code = os.waitstatus_to_exitcode(int(answer.readline()))
if code < 0:
    if -code in signal.valid_signals() - {{signal.SIGKILL, signal.SIGSTOP}}:
        signal.signal(-code, signal.SIG_DFL)
    os.kill(os.getpid(), -code)
sys.exit(code)
"""


@contextlib.contextmanager
def preloaded_python(folder: Path) -> Iterator[str]:
    """Yield what to start instead of ``sys.executable``."""
    if not hasattr(os, 'pidfd_open'):  # only Linux has it
        yield sys.executable
        return
    address, client = folder / 'socket', folder / 'python'
    client.write_text(CLIENT.format(python=sys.executable, address=str(address)))
    client.chmod(0o755)
    root = str(Path(__file__).resolve().parents[1])
    with open(folder / 'log', 'w') as log:
        server = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd=folder,
            env={**os.environ, 'PYTHONPATH': root},
        )
    assert server.stdout.readline() == b'ready\n', log.name
    yield str(client)
    server.communicate()  # closes its input, which ends it


def serve() -> dict:
    """Answer requests; in a fork, return its request."""
    importlib.import_module('mmhires')  # before mmseg, which needs its compat
    importlib.import_module('mmseg.apis')
    with contextlib.suppress(ModuleNotFoundError):
        importlib.import_module('mmpose.apis')
    gc.freeze()  # or each fork looks at, and copies, all of it when it ends
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind('socket')
    listener.listen()
    os.write(1, b'ready\n')
    events = selectors.DefaultSelector()
    events.register(listener, selectors.EVENT_READ)
    events.register(sys.stdin, selectors.EVENT_READ)
    clients: dict[int, socket.socket] = {}  # by the file of their fork
    while True:
        for key, _ in events.select():
            if key.fileobj is sys.stdin:
                sys.exit()
            elif key.fileobj is listener:
                client = listener.accept()[0]
                files = socket.recv_fds(client, 1, 250)[1]
                request = json.loads(client.makefile().readline())
                process = os.fork()
                if process == 0:
                    for other in (listener, client, *clients.values()):
                        other.detach()
                    give(files, request.pop('files'))
                    return request
                for file in files:
                    os.close(file)
                client.sendall(f'{process}\n'.encode())
                fork = os.pidfd_open(process)
                clients[fork] = client
                events.register(fork, selectors.EVENT_READ, process)
                events.register(client, selectors.EVENT_READ, process)
            elif key.fd in clients:
                status = os.waitpid(key.data, 0)[1]
                client = clients.pop(key.fd)
                events.unregister(key.fd)
                os.close(key.fd)
                with contextlib.suppress(KeyError):
                    events.unregister(client)
                with contextlib.suppress(OSError):
                    client.sendall(f'{status}\n'.encode())
                client.close()
            elif key.fileobj in clients.values():  # its client was killed
                events.unregister(key.fileobj)
                os.kill(key.data, signal.SIGKILL)


def give(files: list[int], numbers: list[int]) -> None:
    """Have this process use these files, by these numbers, and no others."""
    above = max(numbers) + 1
    files = [fcntl.fcntl(file, fcntl.F_DUPFD, above) for file in files]
    os.closerange(3, above)
    for file, number in zip(files, numbers):
        os.dup2(file, number)
    os.closerange(above, max(files) + 1)


def run(argv: list[str], env: dict[str, str], cwd: str) -> None:
    """Run a command line of Python in this process."""
    import multiprocessing

    import numpy as np

    np.random.seed()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    importlib.invalidate_caches()
    sys.executable, *rest = argv
    multiprocessing.set_executable(sys.executable)
    while rest[0][:2] in ('-B', '-u', '-W'):
        if (option := rest.pop(0)).startswith('-W'):
            sys.warnoptions.append(option[2:] or rest.pop(0))
    warnings._processoptions(sys.warnoptions)
    folder = '' if rest[0] in ('-c', '-m') else os.path.dirname(os.path.abspath(rest[0]))
    # Instead of the folder of this file, and of the source tree.
    sys.path[:2] = [folder, *filter(None, env.get('PYTHONPATH', '').split(os.pathsep))]
    if rest[0] == '-m':
        sys.argv = rest[1:]
        runpy._run_module_as_main(rest[1])
        return
    main = sys.modules['__main__'] = types.ModuleType('__main__')
    if rest[0] == '-c':
        name, code = '<string>', rest.pop(1)
    else:
        name = main.__file__ = rest[0]
        code = Path(name).read_text()
    sys.argv = rest
    exec(compile(code, name, 'exec'), main.__dict__)


if __name__ == '__main__':
    run(**serve())
