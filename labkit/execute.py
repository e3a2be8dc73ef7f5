"""Run notebooks with papermill's parameters, each in a kernel of the Python that runs this.

Kernels are processes, so threads that wait for them are all that running side by side needs.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labkit import errors
from labkit.errors import LabkitError, StudyError

if TYPE_CHECKING:
    from nbformat import NotebookNode

__all__ = ["NotebookError", "execute_all"]


class NotebookError(RuntimeError):
    """A notebook stopped for a reason that is not the user's; the message ends with its traceback."""


def execute_all(
    paths: Sequence[Path], study: Path, *, jobs: int, strict: bool, say: Callable[[str], object]
) -> dict[Path, NotebookNode]:
    """Run notebooks on the study in this folder, side by side, each in a kernel (a process) of its own.

    Gives the run notebooks by their paths. The first notebook that fails stops the others.

    Raises
    ------
    LabkitError
        The one that a notebook raised, in the same words.
    NotebookError
        A notebook stopped for any other reason.
    """
    if not paths:
        return {}
    kernels: list[Any] = []
    scratch_folder = tempfile.TemporaryDirectory(prefix="labkit-", ignore_cleanup_errors=True)
    with scratch_folder as scratch, ThreadPoolExecutor(jobs) as pool:
        futures: dict[Path, Future[NotebookNode]] = {}
        try:
            for path in paths:
                futures[path] = pool.submit(_execute, path, study, strict, Path(scratch), kernels, say)
            import nbconvert.exporters  # noqa: F401 - needed later; loading takes as long as a kernel's start

            done, _ = wait(futures.values(), return_when=FIRST_EXCEPTION)
            for future in done:
                future.result()
            return {path: future.result() for path, future in futures.items()}
        except BaseException:
            for future in futures.values():
                future.cancel()
            for kernel in kernels:
                _kill(kernel)
            raise


def _execute(
    path: Path, study: Path, strict: bool, scratch: Path, kernels: list[Any], say: Callable[[str], object]
) -> NotebookNode:
    import logging

    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, DeadKernelError
    from papermill.parameterize import parameterize_notebook

    start = time.monotonic()
    notebook = nbformat.read(path, as_version=4)
    if not any("parameters" in cell.metadata.get("tags", ()) for cell in notebook.cells):
        raise LabkitError(
            "no cell is tagged parameters", todo="tag the cell that says study = ...", where=path.name
        )
    # papermill looks for both everywhere; cells that a reader adds have no tags.
    notebook.metadata.setdefault("papermill", {})
    for cell in notebook.cells:
        cell.metadata.setdefault("tags", [])
    notebook = parameterize_notebook(
        notebook, {"study": str(study)}, kernel_name="python3", language="python"
    )
    quiet = logging.getLogger("labkit.report")
    quiet.addHandler(logging.NullHandler())
    quiet.propagate = False
    client = NotebookClient(
        notebook, log=quiet, record_timing=False, store_widget_state=False, timeout=None, startup_timeout=300,
        resources={"metadata": {"path": str(path.parent)}},
        kernel_manager_class=_kernel_class(scratch, kernels),
    )  # fmt: skip
    environment = os.environ | {
        # Neither the user's start-up files nor a history that kernels share.
        "IPYTHONDIR": str(scratch / path.stem),
        "LABKIT_STUDY": str(study),
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    }
    if strict:
        environment["LABKIT_STRICT"] = "1"
    try:
        # The loop that ZeroMQ needs on Windows.
        with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
            runner.run(client.async_execute(env=environment))
    except CellExecutionError as error:
        say(f"{path.stem}: stopped after {time.monotonic() - start:.1f} s")
        raise _told(error, notebook, path) from None
    except DeadKernelError:
        raise NotebookError(
            f"{path.name}: Python ended without a word; perhaps the memory was not enough"
        ) from None
    say(f"{path.stem}: {time.monotonic() - start:.1f} s")
    return notebook


def _kernel_class(scratch: Path, kernels: list[Any]) -> type:
    """Kernels of the Python that runs this, whatever kernel the user has installed under the name python3."""
    from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager

    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}", "--log-level=ERROR"]

    class ThisPython(KernelSpecManager):
        def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
            return KernelSpec(argv=argv, display_name="Python 3", language="python")

    class Kernel(AsyncKernelManager):
        def __init__(self, **options: Any) -> None:
            options["kernel_spec_manager"] = ThisPython()
            address = scratch / f"kernel-{time.monotonic_ns()}"
            options["connection_file"] = f"{address}.json"
            if os.name == "posix":  # files that only this user can open, rather than ports that all can
                options |= {"transport": "ipc", "ip": str(address)}
            super().__init__(**options)
            kernels.append(self)

    return Kernel


def _kill(kernel: Any) -> None:
    """End a kernel at once, from another thread than the one that waits for it."""
    import signal

    pid = getattr(kernel.provisioner, "pid", None)
    if pid:
        with suppress(OSError):
            os.kill(pid, getattr(signal, "SIGKILL", signal.SIGTERM))


def _told(error: Any, notebook: NotebookNode, path: Path) -> Exception:
    """The user's mistake as the sentence it was, anything else as a bug with the end of its traceback."""
    sentence = str(error.evalue)
    kind = getattr(errors, error.ename, None)
    # Other packages have a DataError too; only ours ends as a sentence does.
    if isinstance(kind, type) and issubclass(kind, LabkitError) and sentence.endswith("."):
        if kind is StudyError:
            return StudyError(errors.Problem(line.removesuffix(".")) for line in sentence.splitlines())
        return kind(sentence.removesuffix("."))
    cells = [
        cell
        for cell in notebook.cells
        if cell.cell_type == "code" and "injected-parameters" not in cell.metadata.get("tags", ())
    ]
    failed = [
        i for i, cell in enumerate(cells, 1) for output in cell.outputs if output.output_type == "error"
    ]
    trace = re.sub(r"\x1b\[[0-9;]*m", "", str(error.traceback)).rstrip().splitlines()[-15:]
    where = f"{path.name}, code cell {failed[0]}" if failed else path.name
    return NotebookError("\n".join([f"{where}: {error.ename}: {sentence}", *trace]))
