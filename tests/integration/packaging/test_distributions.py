"""What is in a wheel and in a source distribution, and that each can be installed and started."""

import tarfile
import zipfile
from pathlib import Path

import keizoku
from tests.worlds.installed import ROOT, Installed, build, environment

ROOMS = ("billing", "db", "link", "scheduler", "sla", "terms", "web")
DATA = {".toml", ".sql", ".mako", ".j2", ".css", ".js", ".svg", ".txt"}
"""Kinds of files that the rooms have beside their code; another kind wants a line in package-data, too."""


def files(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_a_wheel_puts_one_package_into_site_packages_with_every_file_of_the_rooms(wheel: Path) -> None:
    held = files(wheel)
    assert {name.partition("/")[0] for name in held} == {"keizoku", f"keizoku-{keizoku.__version__}.dist-info"}
    ours = {
        f"keizoku/{file.relative_to(ROOT)}"
        for room in ROOMS
        for file in (ROOT / room).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    names = (
        "__init__.py",
        "__main__.py",
        "extras.py",
        "gc_pause.py",
        "limits.py",
        "pacing.py",
        "py.typed",
        "sealing.py",
    )
    own = {f"keizoku/{name}" for name in names}
    assert {name for name in held if name.startswith("keizoku/")} == ours | own
    assert {Path(name).suffix for name in ours} == DATA | {".py"}  # each kind was looked at


def test_a_source_distribution_holds_files_no_links_and_builds_the_same_wheel(
    source: Path, wheel: Path, tmp_path: Path
) -> None:
    sdist = build("sdist", source, tmp_path / "sdist")
    with tarfile.open(sdist) as archive:
        members = archive.getmembers()
        archive.extractall(tmp_path, filter="data")
    assert [member.name for member in members if not (member.isfile() or member.isdir())] == []
    top = f"keizoku-{keizoku.__version__}"
    held = {member.name.removeprefix(f"{top}/").partition("/")[0] for member in members if member.name != top}
    assert held == {
        "LICENSE", "PKG-INFO", "README.md", "keizoku", "keizoku.egg-info", "pyproject.toml", "setup.cfg",
    }  # fmt: skip
    assert files(build("wheel", tmp_path / top, tmp_path / "again")) == files(wheel)


def test_an_installed_wheel_starts_as_a_command_and_as_a_module(installed: Installed) -> None:
    for command in (("keizoku",), ("python", "-m", "keizoku")):
        version = installed.run(*command, "--version")
        assert (version.returncode, version.stdout) == (0, f"keizoku {keizoku.__version__}\n"), version.stderr
        shown = installed.run(*command, "--help")
        assert shown.returncode == 0
        assert "explain" in shown.stdout
    where = installed.run("python", "-c", "import keizoku.billing; print(keizoku.billing.__file__)").stdout
    assert Path(where.strip()).is_relative_to(installed.site_packages)


def test_a_wheel_has_no_example_month_and_says_so_in_a_line(installed: Installed) -> None:
    done = installed.run("keizoku", "demo")
    assert done.returncode == 2
    assert done.stderr == (
        "error: no example month here: name it with --examples (examples/2026-04 of the source repository)\n"
    )


def test_an_editable_install_follows_the_links(source: Path, tmp_path: Path) -> None:
    edited = environment(tmp_path / "editable", ("--editable", str(source)))
    assert edited.run("keizoku", "--version").stdout == f"keizoku {keizoku.__version__}\n"
    line = "import keizoku.terms.calendar as ours, pathlib; print(pathlib.Path(ours.__file__).resolve())"
    assert edited.run("python", "-c", line).stdout.strip() == str((source / "terms" / "calendar.py").resolve())
    examples = "from keizoku.scheduler.demo.place import examples_dir; print(examples_dir())"
    (source / "examples").symlink_to(ROOT / "examples")
    assert edited.run("python", "-c", examples).stdout.strip() == str(source.resolve() / "examples" / "2026-04")
