"""The processes of one suite, by kind, and what befalls them: SIGKILL, or SIGSTOP for a while."""

import contextlib
import os
import pathlib
import signal

SERVICES = ("ledger", "models", "reviewer", "dispatcher", "planner", "gateway")
# An agent supervises outside of the sandbox; its runner and the project's validators are inside.
KINDS = (*SERVICES, "up", "agent", "runner", "validator")
# These are stopped for longer than a lease and go on: what they say then is from another time.
FROZEN = {f"frozen {kind}": kind for kind in
          ("agent", "dispatcher", "models", "ledger", "reviewer")}
# These live for parts of a second only.
SHORT_LIVED = ("runner", "validator")


def _processes():
    """(arguments, parent's id) by process id."""
    found = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        directory = pathlib.Path("/proc") / entry
        try:
            arguments = (directory / "cmdline").read_bytes().decode(errors="replace").split("\0")
            status = (directory / "stat").read_text(errors="replace")
        except OSError:
            continue
        state, parent = status.rsplit(")", 1)[1].split()[:2]
        if state != "Z":
            found[int(entry)] = (arguments[:-1], int(parent))
    return found


def _is_below(pid, ancestors, processes):
    while pid in processes:
        pid = processes[pid][1]
        if pid in ancestors:
            return True
    return False


def find(kind, data):
    """Ids of the processes of `kind` that belong to the suite in `data`."""
    processes = _processes()

    def running(program, marker):
        return [pid for pid, (arguments, _) in processes.items()
                if arguments and os.path.basename(arguments[0]) == program
                and str(marker) in arguments]

    if kind == "up":
        return [pid for pid in running("slipway", data) if processes[pid][0][1] == "up"]
    if kind != "agent" and kind not in SHORT_LIVED:
        return running(f"slipway-{kind}", data / "config" / f"{kind}.yaml")
    agents = running("slipway-agent", data / "config" / "agent.yaml")
    if kind == "agent":
        return agents
    marker = "--runner" if kind == "runner" else "unittest"
    return [pid for pid, (arguments, _) in processes.items()
            if marker in arguments and "bwrap" not in os.path.basename(arguments[0])
            and pid not in agents and _is_below(pid, set(agents), processes)]


@contextlib.contextmanager
def _held(kind, data, pid):
    """A handle of the process; None when it has gone already."""
    try:
        handle = os.pidfd_open(pid)
    except OSError:
        yield None
        return
    try:
        # The id may name another process by now.
        yield handle if pid in find(kind, data) else None
    finally:
        os.close(handle)


def kill(kind, data, pid):
    """Ends one process for good; False when it has gone already."""
    with _held(kind, data, pid) as handle:
        return handle is not None and _signal(handle, signal.SIGKILL)


def freeze(kind, data, pid, thaw):
    """Stops one process until `thaw` returns; False when it has gone already."""
    with _held(kind, data, pid) as handle:
        if handle is None or not _signal(handle, signal.SIGSTOP):
            return False
        try:
            thaw()
        finally:
            _signal(handle, signal.SIGCONT)
        return True


def _signal(handle, number):
    try:
        signal.pidfd_send_signal(handle, number)
    except OSError:
        return False
    return True


def naming(text):
    """Command lines of all running processes that have `text` in them."""
    return [" ".join(arguments) for pid, (arguments, _) in _processes().items()
            if pid != os.getpid() and any(text in argument for argument in arguments)]
