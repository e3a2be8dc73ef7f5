"""Run the project's notebooks on the demo study and keep their outputs in them: ``python -m labkit.refresh``.

What is kept is the same at every run, so that a change in a notebook is a change of its story: no widget (its
picture stays), no times, no injected cell.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["refresh"]


def refresh(folder: Path, study: Path) -> None:
    """Run the notebooks of a folder in order on a study, with confirmed picks only, and write them back."""
    import nbformat

    from labkit.execute import execute_all
    from labkit.files import write_text_whole
    from labkit.page import tidy
    from labkit.report import notice

    for path in sorted(folder.glob("*.ipynb")):
        done = tidy(execute_all([path], study, jobs=1, strict=True, say=print)[path], notice)
        done.metadata.pop("papermill", None)
        done.cells = [cell for cell in done.cells if "injected-parameters" not in cell.metadata["tags"]]
        count = 0
        for cell in done.cells:
            cell.metadata = {"tags": cell.metadata["tags"]} if cell.metadata["tags"] else {}
            if cell.cell_type == "code":
                count += 1
                cell.execution_count = count
                for output in cell.outputs:
                    if output.output_type == "execute_result":
                        output.execution_count = count
        write_text_whole(path, nbformat.writes(done) + "\n")


if __name__ == "__main__":
    root = Path(__file__).resolve().parent.parent
    refresh(root / "notebooks", root / "data" / "demo")
