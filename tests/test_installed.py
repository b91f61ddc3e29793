"""The wheel in a fresh environment outside the checkout includes data, ontology, queries and templates."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A `kg` command installed from the wheel, with the dependencies of the test environment."""
    folder = tmp_path_factory.mktemp("installed")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True, text=True, timeout=300)
    wheel = next(folder.glob("*.whl"))
    venv.create(folder / "venv", with_pip=False)
    python = folder / "venv" / "bin" / "python"
    site = folder / "venv" / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(site), str(wheel)],
        check=True, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    (site / "dependencies.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    launcher = folder / "venv" / "bin" / "kg"
    launcher.write_text(f"#!{python}\nfrom kg.cli.commands import main\nmain()\n")
    launcher.chmod(0o755)
    return launcher


def run(launcher: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(folder), "LANG": "C.UTF-8"}
    return subprocess.run(
        [str(launcher), *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_the_installed_command_reads_its_own_copy(installed: Path, tmp_path: Path) -> None:
    where = run(
        installed.parent / "python",
        tmp_path,
        "-c",
        "from kg.project.location import project_root; print(project_root())",
    )
    assert "site-packages" in where.stdout, where.stderr
    assert str(ROOT) not in where.stdout


def test_the_installed_command_builds_and_answers(installed: Path, tmp_path: Path) -> None:
    checked = run(installed, tmp_path, "check")
    assert checked.returncode == 0, checked.stderr
    built = run(installed, tmp_path, "build")
    assert built.returncode == 0, built.stderr
    assert (tmp_path / ".local" / "share" / "aikg" / "releases" / "current").exists()
    asked = run(installed, tmp_path, "query", "network-lab-total-projects", "--format", "csv")
    assert "339" in asked.stdout, asked.stderr


def test_the_installed_server_has_its_templates(installed: Path, tmp_path: Path) -> None:
    code = (
        "from pathlib import Path; import api; folder = Path(api.__file__).parent; "
        "print(len(list((folder / 'templates').rglob('*.html'))), len(list((folder / 'static').iterdir())))"
    )
    counted = run(installed.parent / "python", tmp_path, "-c", code)
    templates, static = map(int, counted.stdout.split())
    assert templates > 3
    assert static > 0


def test_the_installed_command_makes_a_new_project(installed: Path, tmp_path: Path) -> None:
    made = run(installed, tmp_path, "new", "forests")
    assert made.returncode == 0, made.stderr
    assert (tmp_path / "forests" / ".github" / "workflows" / "check.yml").is_file()
    built = run(installed, tmp_path, "--project", "forests", "build")
    assert built.returncode == 0, built.stderr
    assert run(installed, tmp_path, "--project", "forests", "answers").stdout.strip() == "1 answers as expected"
    inside = run(installed, tmp_path / "forests", "query", "programmes", "--format", "csv")
    assert "https://example.org/forests/id/programme/example" in inside.stdout, inside.stderr
