"""Install svcnb beside what Colab has, and change nothing of that: so nothing is to be restarted.

    python colab/install.py

Whatever is installed is pinned to its version while pip looks for the rest. A runtime too old or too new for svcnb
then ends in pip's own sentence about the two versions, with everything as it was.
"""

import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path

HERE = Path(__file__).parent


def installed() -> dict[str, str]:
    """Version of each installed package by name; those without a proper record can not be pinned, and are left out."""
    found = {package.metadata["Name"]: package.version for package in metadata.distributions()}
    return {name: version for name, version in found.items() if name and version}


def pip(*arguments: str) -> None:
    """Run pip quietly. Raises CalledProcessError after pip has said why."""
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--no-input", *arguments], check=True)


def install() -> None:
    """Add what colab/requirements.txt names, then svcnb itself. Raises CalledProcessError."""
    with tempfile.TemporaryDirectory() as folder:
        pins = Path(folder, "pins.txt")
        pins.write_text("".join(f"{name}==={version}\n" for name, version in installed().items()))
        pip("--only-binary", ":all:", "-c", str(pins), "-r", str(HERE / "requirements.txt"))
    pip("--no-deps", "--no-build-isolation", str(HERE.parent))


if __name__ == "__main__":
    before = installed()
    install()
    changed = [name for name, version in before.items() if installed().get(name) != version and name != "svcnb"]
    print(f"svcnb is installed, with {len(installed()) - len(before)} packages that were not here.")
    if changed:
        print(f"Restart the session (Runtime > Restart session): {', '.join(changed)} changed.")
