"""Ask pip what it would do on Colab: what it would add to the preinstalled packages, and whether it would change one.

    python3.13 colab/check_resolver.py [preinstalled.txt]

It needs the Python that Colab has and a network, and installs nothing: in a throw-away environment it writes down the
preinstalled packages as if they were there, names and versions alone, and lets pip plan. The whole list of what Colab
has is published as googlecolab/backend-info; colab/preinstalled.txt is the part that svcnb meets.
"""

import json
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

HERE = Path(__file__).parent


def pinned(path: Path) -> dict[str, str]:
    """Versions by name of a file with a line name==version for each package."""
    lines = (line.partition("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines())
    return dict(line.split("==") for line in lines if line)


def pretend(environment: Path, versions: dict[str, str]) -> Path:
    """Make an environment without pip in which these packages seem to be installed; its Python."""
    venv.create(environment, symlinks=True)
    python = environment / "bin/python"
    where = [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    site = Path(subprocess.run(where, capture_output=True, text=True, check=True).stdout.strip())
    for name, version in versions.items():
        record = site / f"{name.replace('-', '_')}-{version}.dist-info"
        record.mkdir()
        (record / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        (record / "INSTALLER").write_text("pip\n")
    return python


def plan(preinstalled: Path, *wanted: str) -> list[tuple[str, str, str]]:
    """What pip would install for `wanted`: name, version and address of each. Raises CalledProcessError."""
    with tempfile.TemporaryDirectory() as folder:
        python, report = pretend(Path(folder, "colab"), pinned(preinstalled)), Path(folder, "report.json")
        command = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--dry-run"]
        command += ["--only-binary", ":all:", "-c", preinstalled, "--report", report, *wanted]
        subprocess.run(command, check=True)
        found = json.loads(report.read_text(encoding="utf-8"))["install"]
    return [(one["metadata"]["name"], one["metadata"]["version"], one["download_info"]["url"]) for one in found]


def main() -> None:
    preinstalled = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "preinstalled.txt"
    if sys.version_info[:2] != (3, 13):
        sys.exit("Colab has Python 3.13: run this with it, for pip asks its own Python what fits.")
    added = plan(preinstalled, "-r", str(HERE / "requirements.txt"), f"{HERE.parent}[onnx]")
    for name, version, address in added:
        print(f"adds {name} {version}: {address.rsplit('/', 1)[-1]}")
    normal = lambda name: name.lower().replace("_", "-")
    changed = {normal(name) for name, *_ in added} & {normal(name) for name in pinned(preinstalled)}
    print(f"{len(added)} packages are added, {', '.join(sorted(changed)) or 'none'} changed.")
    sys.exit(bool(changed))


if __name__ == "__main__":
    main()
