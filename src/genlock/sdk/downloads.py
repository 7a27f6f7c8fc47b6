"""Downloads: written beside their place, verified against their digest, then put there whole."""

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
    """Write what the server has at ``path`` to ``target``; what was there is replaced only by verified bytes.

    Raises ``Tampered`` if the bytes are not those of ``digest``, ``Unavailable`` if they break off,
    ``Invalid`` if the place cannot be written.
    """
    beside = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        with beside.open("xb") as file, http.stream(path) as response:
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
                f"What was downloaded for {target.name} is not {digest}.",
                hint="Do not use it. Ask for `genlock verify` on the server.",
            )
        beside.replace(target)
    except httpx.TransportError as error:
        raise Unavailable(f"The download of {target.name} broke off: {error}.", hint="Try again.") from error
    except OSError as error:
        raise Invalid(
            f"{target} cannot be written: {error.strerror}.",
            hint="Name a folder that exists and is yours.",
            code="no_file",
        ) from error
    finally:
        with suppress(OSError):  # it was put in its place, or there is nothing to remove
            beside.unlink()
    return target
