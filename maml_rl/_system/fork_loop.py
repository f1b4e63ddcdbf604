"""The fork server: it imports what workers need once, and forks one for each request. See `fork_client`."""

import os
import pkgutil
import select
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from multiprocessing.connection import Connection, wait
from types import FrameType
from typing import NoReturn

assert sys.platform != "win32"  # Also tells mypy that what Windows lacks is not asked for there.

CALLERS = (
    signal.SIGINT,
    signal.SIGHUP,
    signal.SIGTERM,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGXCPU,
)
"""Signals that are the caller's to handle, even where they are sent to all processes of a job."""

Serve = Callable[[Connection], None]


def main(descriptor: int, target: str) -> None:
    """Fork a worker for each request that comes down a socket, until its other end is closed.

    Args:
        descriptor: of the socket.
        target: the workers' function, "module:name".
    """
    for number in CALLERS:
        # A handler and not SIG_IGN, which programs that a worker starts would inherit.
        signal.signal(number, _pass_over)
        signal.siginterrupt(number, False)
    signal.signal(
        signal.SIGTTOU, signal.SIG_IGN
    )  # A group of its own may write to the terminal all the same.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, CALLERS)  # The caller blocked them for the time before this.
    control = socket.socket(fileno=descriptor)
    try:
        with _ending_with(control):
            serve: Serve = pkgutil.resolve_name(target)
    except BaseException as error:  # The caller says it in one line.
        control.send(f"{type(error).__name__}: {error}".encode()[:1000])
        return
    _Server(control, serve).run()


class _Server:
    """Answers requests and reports how workers end.

    Args:
        control: a request is a byte with two descriptors: the worker's end of its pipe, and the pipe that
            its number (or why there is none), and at last its exit code, are reported to.
    """

    def __init__(self, control: socket.socket, serve: Serve):
        self._control, self._serve = control, serve
        self._reports: dict[int, Connection] = {}
        self._woken, self._waker = socket.socketpair()
        for end in (self._woken, self._waker):
            end.setblocking(False)
        signal.signal(signal.SIGCHLD, _pass_over)  # Its number is written to the waker all the same.
        signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)

    def run(self) -> None:
        """Serve until the caller is gone; no worker outlives it."""
        called = True
        while called:
            ready = wait([self._control, self._woken])
            if self._woken in ready:
                with suppress(BlockingIOError):
                    self._woken.recv(4096)
                self._report_ends()
            if self._control in ready:
                called = self._answer()
        signal.set_wakeup_fd(-1)  # Of the workers that end now, none is to be reported.
        for end in (self._woken, self._waker):
            end.close()
        for pid in self._reports:
            kill_group(pid)

    def _report_ends(self) -> None:
        for pid in list(self._reports):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                kill_group(pid)  # The processes that its environments have started.
                with self._reports.pop(pid) as report, suppress(OSError):
                    report.send(os.waitstatus_to_exitcode(status))

    def _answer(self) -> bool:
        """Do one request; return whether there was one."""
        try:
            request, descriptors, *_ = socket.recv_fds(self._control, 1, 2)
        except ConnectionError:
            return False
        ends = [Connection(descriptor) for descriptor in descriptors]
        if len(ends) == 2:  # Else this process has no descriptors left, and the caller sees the pipes close.
            self._fork(*ends)
        return bool(request)

    def _fork(self, connection: Connection, report: Connection) -> None:
        with connection, suppress(OSError):  # Of reporting to a caller that is gone.
            try:
                pid = os.fork()
            except OSError as error:
                report.send(error.strerror)
                return
            if pid == 0:
                self._become_worker(connection, report)
            with suppress(OSError):  # It has ended already.
                os.setpgid(pid, pid)  # A group of its own, to be ended with what its environments start.
            self._reports[pid] = report
            report.send(pid)

    def _become_worker(self, connection: Connection, report: Connection) -> NoReturn:
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for end in (self._control, self._woken, self._waker):
                end.close()
            for each in (report, *self._reports.values()):
                each.close()
            os.register_at_fork(after_in_child=partial(_forget, connection))
            self._serve(connection)
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            with suppress(Exception):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)


def kill_group(pid: int) -> None:
    """End a worker, or what is left of its group."""
    with suppress(OSError):  # Nothing is.
        os.killpg(pid, signal.SIGKILL)


def _forget(connection: Connection) -> None:
    """In a process that an environment forks: leave the pipe and the handling of signals to the worker."""
    connection.close()
    for number in CALLERS:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)


def _pass_over(_number: int, _frame: FrameType | None) -> None:
    """Handle a signal by doing nothing."""


@contextmanager
def _ending_with(control: socket.socket) -> Iterator[None]:
    """End the process should the caller end meanwhile."""
    done = threading.Event()
    caller = select.poll()
    caller.register(control, 0)  # A hang-up is always reported.

    def watch() -> None:
        while not done.wait(0.1):
            if caller.poll(0):
                os._exit(0)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()  # What forks should have one thread.
