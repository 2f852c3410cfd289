"""Runs ``tools/smoke_kernels.py`` on emulated processors: other instruction sets than this machine's.

    python tools/emulate.py                # all of them
    python tools/emulate.py Nehalem arm64  # some

Needs a Debian system on x86-64 with QEMU's user-mode emulators (``apt-get install qemu-user-static``). Names of x86
processors are QEMU's (``qemu-x86_64-static -cpu help``). For ``arm64`` it fetches, once, an interpreter from the
distribution's packages and the wheels that pip finds for that platform, into ``--directory``.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

from fungrad.core.programs import finish

ROOT = Path(__file__).resolve().parent.parent
SMOKE = ROOT / "tools" / "smoke_kernels.py"

# Only SSE4.2, AVX2, AVX-512 as far as QEMU has it (it shows 256 bits); then another architecture.
PROCESSORS = ["Nehalem", "Haswell", "Skylake-Server", "arm64"]
_WITHOUT_AVX = ("Nehalem", "Westmere")

_PACKAGES = """python3.11-minimal libpython3.11-minimal libpython3.11-stdlib libc6 libstdc++6 libgcc-s1 zlib1g libexpat1
libffi8 libssl3 libbz2-1.0 liblzma5 libgomp1""".split()
_WHEELS = ["numpy", "numba", "scipy", "optree", "ml_dtypes", "opt_einsum", "typing_extensions"]
_PLATFORMS = ["manylinux2014_aarch64", "manylinux_2_26_aarch64", "manylinux_2_27_aarch64", "manylinux_2_28_aarch64"]


def x86(processor: str) -> list[str]:
    """Command that runs the smoke test with this interpreter on another x86 processor."""
    paths = os.pathsep.join([str(ROOT), sysconfig.get_paths()["purelib"], sysconfig.get_paths()["platlib"]])
    interpreter = Path(sys.executable).resolve()
    settings = [f"PYTHONPATH={paths}"]
    if processor in _WITHOUT_AVX:
        # The BLAS of NumPy and SciPy would choose kernels with AVX by the model's number.
        settings.append("OPENBLAS_CORETYPE=Nehalem")
    options = [x for s in settings for x in ("-E", s)]
    return ["qemu-x86_64-static", "-cpu", processor, *options, str(interpreter), str(SMOKE)]


def arm64(directory: Path) -> list[str]:
    """Command that runs the smoke test with an interpreter for 64-bit Arm, which is fetched if it is not there."""
    root, site = directory / "root", directory / "site"
    if not (site / "numpy").exists():
        fetch(directory, root, site)
    interpreter = root / "usr" / "bin" / "python3.11"
    settings = [f"PYTHONPATH={ROOT}{os.pathsep}{site}", f"PYTHONHOME={root / 'usr'}"]
    return [
        "qemu-aarch64-static",
        "-L",
        str(root),
        *(x for s in settings for x in ("-E", s)),
        str(interpreter),
        str(SMOKE),
    ]


def fetch(directory: Path, root: Path, site: Path) -> None:
    """Brings an interpreter and the wheels of the dependencies for 64-bit Arm."""
    packages, wheels = directory / "packages", directory / "wheels"
    for place in (root, site, packages, wheels):
        place.mkdir(parents=True, exist_ok=True)
    both = ["apt-get", "-q", "-o", "APT::Architectures::=amd64", "-o", "APT::Architectures::=arm64"]
    subprocess.run([*both, "update"], check=True, stdout=subprocess.DEVNULL)
    subprocess.run([*both, "download", *(f"{name}:arm64" for name in _PACKAGES)], check=True, cwd=packages)
    for package in packages.glob("*.deb"):
        subprocess.run(["dpkg", "-x", str(package), str(root)], check=True)
    platforms = [x for p in _PLATFORMS for x in ("--platform", p)]
    pip = [sys.executable, "-m", "pip", "download", "-q", "--only-binary=:all:", "--python-version", "311"]
    subprocess.run([*pip, *platforms, "-d", str(wheels), *_WHEELS], check=True)
    for wheel in wheels.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(site)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("processor", nargs="*", default=PROCESSORS)
    parser.add_argument("--directory", type=Path, default=Path.home() / ".cache" / "fungrad-emulation")
    chosen = parser.parse_args()
    failed = []
    for name in chosen.processor:
        command = arm64(chosen.directory) if name == "arm64" else x86(name)
        print(f"== {name}", flush=True)
        # Code for another processor must not meet this one's, nor be cached beside it.
        done = subprocess.run(command, env={**os.environ, "FUNGRAD_CACHE_DIR": ""})
        if done.returncode:
            failed.append(name)
    print(f"wrong: {', '.join(failed)}" if failed else "all right")
    return int(bool(failed))


if __name__ == "__main__":
    finish(main)
