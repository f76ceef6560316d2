"""Does several things at the same time that mostly wait: for scanners' answers."""

from _thread import allocate_lock, start_new_thread

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    T = TypeVar("T")


def together(jobs: "list[Callable[[], T]]") -> "list[T]":
    """What each of the jobs gives, in their order; the first exception, once all have ended."""
    tasks = [_Task(job) for job in jobs]
    for task in tasks[1:]:
        try:
            start_new_thread(task.run, ())
        except RuntimeError:  # no more threads for this user: one after the other then
            task.run()
    tasks[0].run()
    for task in tasks:
        task.ended.acquire()
    return [task.result() for task in tasks]


class _Task:
    """One job, and what came of it once the lock `ended` can be had."""

    def __init__(self, job: "Callable[[], Any]") -> None:
        self._job = job
        self._results: list[Any] = []
        self._error: BaseException | None = None
        self.ended = allocate_lock()
        self.ended.acquire()

    def run(self) -> None:
        try:
            self._results.append(self._job())
        except BaseException as error:  # raised again in the thread that waits
            self._error = error
        finally:
            self.ended.release()

    def result(self) -> "Any":
        if self._error is not None:
            raise self._error
        return self._results[0]
