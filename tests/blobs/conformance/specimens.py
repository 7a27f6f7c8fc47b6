"""Every implementation of ``Store`` that the conformance suite runs over. A new one is one more entry here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from genlock.blobs.disk import DiskStore
from genlock.blobs.store import Store
from genlock.digest import Digest


@dataclass(frozen=True)
class Specimen:
    """A store under test: ``overwrite`` goes behind its back, ``reopen`` is what another process would see,
    ``litter`` lists whatever lies around that is not a finished blob."""

    store: Store
    overwrite: Callable[[Digest, bytes], None]
    reopen: Callable[[], Store]
    litter: Callable[[], list[str]]


def disk(folder: Path) -> Specimen:
    root = folder / "blobs"
    store = DiskStore(root)

    def overwrite(digest: Digest, content: bytes) -> None:
        path = store.path_of(digest)
        path.chmod(0o644)
        path.write_bytes(content)

    return Specimen(
        store=store,
        overwrite=overwrite,
        reopen=lambda: DiskStore(root),
        litter=lambda: [path.name for path in (root / "incoming").iterdir()],
    )


SPECIMENS: Mapping[str, Callable[[Path], Specimen]] = {"disk": disk}
