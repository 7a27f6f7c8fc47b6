"""A large upload streams: written once, both digests on the way, and the process does not grow."""

import subprocess
import sys
from pathlib import Path

import pytest

MEBI = 2**20

UPLOAD = """
import json, resource, sys
from pathlib import Path
from genlock.blobs.disk import DiskStore
from genlock.library.identify import Identifier
from genlock.model import Kind

def upload(store, size_bytes):
    header = json.dumps({"weights": {"dtype": "U8", "shape": [size_bytes], "data_offsets": [0, size_bytes]}}).encode()
    identifier = Identifier(Kind.MODEL, "large.safetensors")
    with store.begin(identifier) as draft:
        draft.write(len(header).to_bytes(8, "little") + header)
        chunk = bytes(range(256)) * 4096
        for _ in range(size_bytes // len(chunk)):
            draft.write(chunk)
        identity = identifier.finish()
        stored = draft.commit()
    assert stored.digest == identity.digest != identity.effective_digest
    return stored

store = DiskStore(Path(sys.argv[1]))
upload(store, 4 * 2**20)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
stored = upload(store, int(sys.argv[2]))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, stored.size_bytes)
"""


@pytest.mark.parametrize("size_mebi", [200, pytest.param(2048, marks=pytest.mark.long)])
def test_memory_does_not_grow_with_the_upload(tmp_path: Path, size_mebi: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", UPLOAD, tmp_path, str(size_mebi * MEBI)], capture_output=True, text=True, check=True
    )
    grown_kibi, size_bytes = map(int, done.stdout.split())
    assert size_bytes > size_mebi * MEBI
    assert grown_kibi * 1024 <= 64 * MEBI
    assert list((tmp_path / "incoming").iterdir()) == []
