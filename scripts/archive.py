"""Packs a built program, the DuckDB library, licences, README and completions into finops-<version>-<platform>.tar.gz.
Equal files give equal bytes. Prints the path of the archive.

usage: archive.py <binary> <folder of the DuckDB library> <folder for the archive>
"""

import gzip
import io
import os
import pathlib
import platform
import re
import subprocess
import sys
import tarfile

ROOT = pathlib.Path(__file__).parent.parent
SHELLS = ["bash", "elvish", "fish", "powershell", "zsh"]


def contents(binary, libraries):
    """Names in the archive, each with its bytes and whether it is a program."""
    library = "libduckdb.dylib" if platform.system() == "Darwin" else "libduckdb.so"
    yield "finops", binary.read_bytes(), True
    # Beside the program, where it finds the library (emulator/build.rs).
    yield library, (libraries / library).read_bytes(), False
    yield "LICENSE", (ROOT / "LICENSE").read_bytes(), False
    yield "LICENSE-DuckDB", (libraries / "LICENSE").read_bytes(), False
    yield "README.md", (ROOT / "README.md").read_bytes(), False
    finds_library = os.environ | {"LD_LIBRARY_PATH": str(libraries), "DYLD_LIBRARY_PATH": str(libraries)}
    for shell in SHELLS:
        command = [binary, "completions", shell]
        script = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=finds_library).stdout
        yield f"completions/finops.{shell}", script, False


def main():
    binary, libraries, folder = (pathlib.Path(path).resolve() for path in sys.argv[1:])
    version = re.search(r'^version = "(.*)"$', (ROOT / "Cargo.toml").read_text(), re.MULTILINE)[1]
    system = {"Darwin": "macos"}.get(platform.system(), platform.system().lower())
    name = f"finops-{version}-{system}-{platform.machine()}"
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for path, data, is_program in sorted(contents(binary, libraries)):
            # All else, such as owner and time, is zero.
            entry = tarfile.TarInfo(f"{name}/{path}")
            entry.size, entry.mode = len(data), 0o755 if is_program else 0o644
            archive.addfile(entry, io.BytesIO(data))
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.tar.gz"
    path.write_bytes(gzip.compress(packed.getvalue(), compresslevel=6, mtime=0))
    print(path)


main()
