"""What the README shows is what is in the repository."""

from __future__ import annotations

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "sources"))
from root_files import write_jets

from eventbraid.loading import load_job
from eventbraid.plan import make_plan

ROOT = Path(__file__).parents[1]


def test_every_python_snippet_of_the_readme_is_a_file_of_the_examples() -> None:
    snippets = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    files = {file.read_text() for file in (ROOT / "examples").glob("*.py")}
    assert snippets
    assert all(snippet in files for snippet in snippets)


def test_every_example_is_a_job_without_a_fault_or_warning(tmp_path: Path) -> None:
    file = str(write_jets(tmp_path / "mine.root"))
    settings = {
        "jets.py": {"source.files": file},
        "toptag_root.py": {"source.files": file, "source.branches": {"candidates": "Jet_*"}},
    }
    for example in (ROOT / "examples").glob("*.py"):
        assert make_plan(load_job(example).replace(settings=settings.get(example.name))).warnings == ()


def test_every_link_of_the_pages_leads_somewhere() -> None:
    for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]:
        for target in re.findall(r"\]\((?!http)([^)#]+)", re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
