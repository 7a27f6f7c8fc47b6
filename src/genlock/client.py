"""The Python client: ``Genlock()`` calls a server over HTTP and returns frozen values.

    from genlock.client import Genlock

    gl = Genlock()
    for segment in gl.segments("rooftop", state="stale"):
        print(segment.name, segment.causes)

Without arguments it uses ``GENLOCK_URL`` and ``GENLOCK_TOKEN``, or else this machine's own server, which is started if
it is not running. Projects, scenes, segments and assets are named by references (``rooftop/night/3``, ``lora:rain@2``),
ids, or the objects themselves. Lists are fetched page by page during iteration. Failures raise one of the six errors of
``genlock.errors``, with a message and a hint.
"""

from genlock.sdk.captures import CapturesCalls
from genlock.sdk.connection import Connection
from genlock.sdk.imports import ImportCalls
from genlock.sdk.regeneration import RegenerationCalls
from genlock.sdk.reproduction import ReproductionCalls
from genlock.sdk.scanning import ScanCalls
from genlock.sdk.staleness import StalenessCalls
from genlock.sdk.system import SystemCalls
from genlock.sdk.takes import TakesCalls
from genlock.sdk.timeline import TimelineCalls


class Genlock(
    TimelineCalls,
    ScanCalls,
    TakesCalls,
    ImportCalls,
    CapturesCalls,
    StalenessCalls,
    RegenerationCalls,
    ReproductionCalls,
    SystemCalls,
    Connection,
):
    """A server of Genlock: every call of its API as a method. The arguments are those of ``Connection``."""
