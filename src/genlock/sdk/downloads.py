"""Downloads: written to a temporary file next to the target, verified, then moved to the target."""

import hashlib
import secrets
from contextlib import suppress
from pathlib import Path

import httpx

from genlock.digest import PREFIX, Digest
from genlock.errors import Invalid, Tampered, Unavailable
from genlock.sdk.transport import Transport
from genlock.sdk.uploads import Progress

_CHUNK_BYTES = 2**20


def download(http: Transport, path: str, target: Path, digest: Digest | None, on_progress: Progress | None) -> Path:
    """Download ``path`` to ``target``. An existing file is replaced only by verified bytes.

    Raise ``Tampered`` if the bytes do not have ``digest``, ``Unavailable`` if the connection is lost, ``Invalid`` if
    the target cannot be written.
    """
    partial = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        with partial.open("xb") as file, http.stream(path) as response:
            total = int(response.headers.get("content-length", 0))
            received, hasher = 0, hashlib.sha256()
            for chunk in response.iter_bytes(_CHUNK_BYTES):
                file.write(chunk)
                hasher.update(chunk)
                received += len(chunk)
                if on_progress is not None:
                    on_progress(received, total)
        if digest is not None and PREFIX + hasher.hexdigest() != digest:
            raise Tampered(
                f"The bytes downloaded for {target.name} do not have the digest {digest}.",
                hint="Do not use them. The server's stored file is damaged: upload the original again.",
            )
        partial.replace(target)
    except httpx.TransportError as error:
        raise Unavailable(f"The download of {target.name} was interrupted: {error}.", hint="Try again.") from error
    except OSError as error:
        raise Invalid(
            f"{target} cannot be written: {error.strerror}.",
            hint="Choose a folder that exists and that you may write to.",
            code="no_file",
        ) from error
    finally:
        with suppress(OSError):  # it was moved, or never created
            partial.unlink()
    return target
