"""Requirements of every store, checked on every implementation."""

import hashlib
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.blobs.conformance.specimens import SPECIMENS, Specimen

from genlock.blobs.store import CHUNK_BYTES, Chunk, Store
from genlock.digest import digest_of
from genlock.errors import Invalid, NotFound, Tampered

LARGE = os.urandom(2 * CHUNK_BYTES + 12345)
NOBODY = digest_of(b"never stored")


@pytest.fixture(params=sorted(SPECIMENS))
def specimen(request: pytest.FixtureRequest, tmp_path: Path) -> Specimen:
    return SPECIMENS[request.param](tmp_path)


@pytest.fixture
def store(specimen: Specimen) -> Store:
    return specimen.store


@pytest.mark.parametrize("content", [b"", b"a", b"hello", LARGE], ids=["empty", "one", "small", "large"])
def test_what_goes_in_comes_out(specimen: Specimen, tmp_path: Path, content: bytes) -> None:
    stored = specimen.store.put(content)
    assert (stored.digest, stored.size_bytes, stored.is_new) == (digest_of(content), len(content), True)
    for store in (specimen.store, specimen.reopen()):
        assert store.exists(stored.digest)
        assert store.size(stored.digest) == len(content)
        assert store.read_verified(stored.digest) == content
        assert store.verify(stored.digest) == len(content)
        assert b"".join(store.verified_chunks(stored.digest)) == content
        assert store.copy_out(stored.digest, tmp_path / "out") == len(content)
        assert (tmp_path / "out").read_bytes() == content
        with store.open_verified(stored.digest) as source:
            assert source.read() == content
        held = store.stat(stored.digest)
        assert held is not None
        assert (held.digest, held.size_bytes) == (stored.digest, len(content))
        assert held.written_at.tzinfo is not None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30)
@given(chunks=st.lists(st.binary(max_size=300), max_size=12))
def test_chunks_may_be_of_any_size(store: Store, chunks: list[bytes]) -> None:
    with store.begin() as draft:
        for chunk in chunks:
            draft.write(memoryview(bytearray(chunk)))
        assert draft.size_bytes == sum(map(len, chunks))
        stored = draft.commit()
    assert stored.digest == digest_of(b"".join(chunks))
    assert store.read_verified(stored.digest) == b"".join(chunks)


def test_ranges_are_read_by_seeking(store: Store) -> None:
    digest = store.put(LARGE).digest
    with store.open(digest) as source:
        source.seek(CHUNK_BYTES + 7)
        assert source.read(100) == LARGE[CHUNK_BYTES + 7 : CHUNK_BYTES + 107]
        source.seek(-10, os.SEEK_END)
        assert source.read() == LARGE[-10:]


def test_a_file_is_kept_as_a_copy(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "walk.mp4"
    path.write_bytes(LARGE)
    digest = store.put_file(path).digest
    path.write_bytes(b"changed afterwards")
    assert store.read_verified(digest) == LARGE


def test_bytes_that_are_there_are_not_written_again(specimen: Specimen) -> None:
    store = specimen.store
    first = store.put(b"twice")
    with store.open(first.digest) as held_open:
        again = store.put(b"twice")
        assert (again.digest, again.is_new) == (first.digest, False)
        assert held_open.read() == b"twice"
    assert list(store.digests()) == [first.digest]
    assert specimen.litter() == []


def test_nothing_is_visible_before_the_commit(specimen: Specimen) -> None:
    with specimen.store.begin() as draft:
        draft.write(b"half of it")
        for store in (specimen.store, specimen.reopen()):
            assert list(store.digests()) == []
            assert not store.exists(digest_of(b"half of it"))
        stored = draft.commit()
    assert specimen.reopen().read_verified(stored.digest) == b"half of it"
    assert specimen.litter() == []


def leave(specimen: Specimen) -> None:
    with specimen.store.begin() as draft:
        draft.write(LARGE)


def fail(specimen: Specimen) -> None:
    with pytest.raises(ConnectionResetError), specimen.store.begin() as draft:
        draft.write(LARGE)
        raise ConnectionResetError


def abort(specimen: Specimen) -> None:
    draft = specimen.store.begin()
    draft.write(LARGE)
    draft.abort()
    draft.abort()


@pytest.mark.parametrize("end", [leave, fail, abort])
def test_an_upload_that_is_broken_off_leaves_nothing(specimen: Specimen, end: Callable[[Specimen], None]) -> None:
    end(specimen)
    assert specimen.litter() == []
    assert list(specimen.store.digests()) == []


def test_a_draft_that_has_ended_takes_no_more(store: Store) -> None:
    with store.begin() as draft:
        draft.write(b"done")
        draft.commit()
        with pytest.raises(ValueError, match="ended"):
            draft.write(b"more")
        with pytest.raises(ValueError, match="ended"):
            draft.commit()
    assert store.read_verified(digest_of(b"done")) == b"done"


class Refusing:
    """A hasher that refuses the second chunk, as an identifier refuses a file that is not sound."""

    def __init__(self) -> None:
        self._hasher = hashlib.sha256()
        self._chunks = 0

    def update(self, chunk: Chunk, /) -> None:
        self._chunks += 1
        if self._chunks == 2:
            raise Invalid("not sound")
        self._hasher.update(chunk)

    def digest(self) -> bytes:
        return self._hasher.digest()


def test_what_the_hasher_refuses_is_not_kept(specimen: Specimen) -> None:
    with specimen.store.begin(Refusing()) as draft:
        draft.write(b"first")
        with pytest.raises(Invalid):
            draft.write(b"second")
        assert specimen.litter() == []
        with pytest.raises(ValueError, match="ended"):
            draft.commit()
    assert list(specimen.store.digests()) == []


class Waiting:
    """A hasher that stays inside ``update`` until the test lets it go on."""

    def __init__(self) -> None:
        self.entered, self.go_on = Event(), Event()
        self._hasher = hashlib.sha256()

    def update(self, chunk: Chunk, /) -> None:
        self.entered.set()
        assert self.go_on.wait(30)
        self._hasher.update(chunk)

    def digest(self) -> bytes:
        return self._hasher.digest()


def test_abort_waits_for_the_write_on_another_thread(specimen: Specimen) -> None:
    hasher = Waiting()
    draft = specimen.store.begin(hasher)
    with ThreadPoolExecutor(2) as pool:
        writing = pool.submit(draft.write, LARGE)
        assert hasher.entered.wait(30)
        aborting = pool.submit(draft.abort)
        hasher.go_on.set()
        writing.result()
        aborting.result()
    assert specimen.litter() == []
    assert list(specimen.store.digests()) == []


def test_equal_uploads_at_once_are_one_blob(specimen: Specimen) -> None:
    def upload(_: int) -> bool:
        with specimen.store.begin() as draft:
            draft.write(LARGE)
            return draft.commit().is_new

    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(upload, range(8)))
    assert sorted(outcomes) == [False] * 7 + [True]
    assert specimen.store.read_verified(digest_of(LARGE)) == LARGE
    assert specimen.litter() == []


def test_digests_are_listed_in_order(store: Store) -> None:
    stored = [store.put(str(number).encode()).digest for number in range(300)]
    assert list(store.digests()) == sorted(stored)


def flip_last_bit(content: bytes) -> bytes:
    return content[:-1] + bytes([content[-1] ^ 1])


def flip_first_bit(content: bytes) -> bytes:
    return bytes([content[0] ^ 128]) + content[1:]


def cut_off(content: bytes) -> bytes:
    return content[:-1]


def append(content: bytes) -> bytes:
    return content + b"x"


def empty(content: bytes) -> bytes:
    return content[:0]


@pytest.mark.parametrize("content", [b"a", LARGE], ids=["small", "large"])
@pytest.mark.parametrize("damage", [flip_last_bit, flip_first_bit, cut_off, append, empty])
def test_changed_bytes_are_noticed(
    specimen: Specimen, tmp_path: Path, content: bytes, damage: Callable[[bytes], bytes]
) -> None:
    store = specimen.store
    digest = store.put(content).digest
    specimen.overwrite(digest, damage(content))
    target = tmp_path / "out"
    target.write_bytes(b"what was there before")
    with pytest.raises(Tampered, match=digest):
        store.read_verified(digest)
    with pytest.raises(Tampered, match=digest):
        store.verify(digest)
    with pytest.raises(Tampered, match=digest):
        store.open_verified(digest)
    with pytest.raises(Tampered, match=digest):
        store.copy_out(digest, target)
    assert target.read_bytes() == b"what was there before"
    assert [path.name for path in tmp_path.glob(".*")] == []


def test_a_reader_never_gets_a_whole_file_that_is_wrong(specimen: Specimen) -> None:
    digest = specimen.store.put(LARGE).digest
    specimen.overwrite(digest, flip_last_bit(LARGE))
    received = b""
    with pytest.raises(Tampered):
        for chunk in specimen.store.verified_chunks(digest):
            received += chunk
    assert received
    assert len(received) < len(LARGE)


def test_uploading_the_original_again_repairs_it(specimen: Specimen) -> None:
    digest = specimen.store.put(b"original").digest
    specimen.overwrite(digest, b"rotten!!")
    assert specimen.store.put(b"original").is_new is False
    assert specimen.store.read_verified(digest) == b"original"
    assert specimen.litter() == []


def test_missing_bytes_are_reported_as_gone(store: Store, tmp_path: Path) -> None:
    assert not store.exists(NOBODY)
    assert store.stat(NOBODY) is None
    for read in (store.open, store.open_verified, store.read_verified, store.verify, store.size):
        with pytest.raises(NotFound) as caught:
            read(NOBODY)
        assert caught.value.code == "bytes_gone"
        assert NOBODY in caught.value.message
    with pytest.raises(NotFound):
        store.copy_out(NOBODY, tmp_path / "out")
    assert list(tmp_path.glob("out")) == []


def test_removed_bytes_are_gone(specimen: Specimen) -> None:
    store = specimen.store
    digest = store.put(b"let go").digest
    other = store.put(b"stays").digest
    assert store.remove(digest) is True
    assert store.remove(digest) is False
    assert not specimen.reopen().exists(digest)
    assert list(store.digests()) == [other]
    assert store.put(b"let go").is_new is True


@pytest.mark.parametrize(
    "text", ["", "sha256:", "sha256:../../../../etc/passwd", "sha256:" + "A" * 64, "md5:" + "0" * 32, "../x", "0" * 64]
)
def test_what_is_not_a_digest_is_refused(store: Store, text: str) -> None:
    for call in (store.open, store.stat, store.exists, store.remove, store.read_verified):
        with pytest.raises(Invalid, match="not a digest"):
            call(text)
