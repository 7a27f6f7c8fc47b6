"""Replaces packages that ComfyUI imports for classes which the tests never use: nothing is in them.

Every module and name below such a package can be imported. Whatever is called fails, and says what it lacks.
"""

import importlib.abc
import importlib.machinery
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any


class _Module(ModuleType):
    """A module that has every name."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _absent(f"{self.__name__}.{name}")


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds every module below the packages that are absent."""

    def __init__(self) -> None:
        self.packages: set[str] = set()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        package, _, rest = fullname.partition(".")
        if package not in self.packages or not rest:
            return None
        return importlib.machinery.ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        return _Module(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Add nothing to the module."""


_finder = _Finder()


def declare_absent(package: str) -> None:
    """Make every module and name below ``package`` importable."""
    if _finder not in sys.meta_path:
        sys.meta_path.append(_finder)
    _finder.packages.add(package)
    sys.modules[package].__class__ = _Module


def _absent(name: str) -> type:
    def refuse(*arguments: Any, **named: Any) -> Any:
        raise NotImplementedError(f"{name} is not installed in this test server")  # meant: no test may get here

    return type(name.rpartition(".")[2], (), {"__new__": refuse, "__module__": name.rpartition(".")[0]})
