"""Which distributions a folder has, by the metadata that they were installed with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from artefacts.licences import TEXT_OF, licence_of

TARGET: Mapping[str, str] = {
    "implementation_name": "cpython",
    "os_name": "posix",
    "platform_python_implementation": "CPython",
    "platform_system": "Linux",
    "python_full_version": "3.13.0",
    "python_version": "3.13",
    "sys_platform": "linux",
}
"""What an artefact runs on, in the words of markers; both machines that there are have no say in ours."""


@dataclass(frozen=True, kw_only=True)
class Component:
    """One distribution; `requires` are its own requirements, `native` says that it was built for one machine."""

    name: str
    version: str
    licence: str
    texts: tuple[str, ...]
    requires: tuple[str, ...]
    native: bool

    @property
    def purl(self) -> str:
        """Its package URL. Source: package-url specification, type `pypi`."""
        return f"pkg:pypi/{self.name}@{self.version}"


def inventory(folder: Path) -> tuple[Component, ...]:
    """What was installed into `folder`, by name."""
    return components(metadata.distributions(path=[str(folder)]))


def components(found: Iterable[metadata.Distribution]) -> tuple[Component, ...]:
    """The same of distributions that somebody has found already."""
    return tuple(sorted(map(_component, found), key=lambda each: each.name))


def _component(found: metadata.Distribution) -> Component:
    name = canonicalize_name(found.metadata["Name"])
    return Component(
        name=name,
        version=found.version,
        licence=licence_of(name, found.metadata),
        texts=tuple(found.metadata.get_all("License-File") or _texts_beside(found)) or TEXT_OF.get(name, ()),
        requires=tuple(found.requires or ()),
        native=any(not tag.endswith("-any") for tag in _tags(found)),
    )


def _texts_beside(found: metadata.Distribution) -> Iterator[str]:
    """Texts that older metadata do not name."""
    for path in found.files or ():
        if path.parent.suffix == ".dist-info" and path.name.upper().startswith("LICENSE"):
            yield path.name


def _tags(found: metadata.Distribution) -> Iterator[str]:
    for line in (found.read_text("WHEEL") or "").splitlines():
        name, _, value = line.partition(":")
        if name == "Tag":
            yield value.strip()


def graph(found: Iterable[Component]) -> dict[str, tuple[str, ...]]:
    """Which of these needs which others, by name. What only an extra asks for counts where somebody asks for it."""
    by_name = {each.name: each for each in found}
    asked = [Requirement(line) for each in by_name.values() for line in each.requires]
    extras = {(str(canonicalize_name(each.name)), extra) for each in asked for extra in each.extras}
    return {name: tuple(sorted(_needs(each, extras) & by_name.keys())) for name, each in by_name.items()}


def _needs(component: Component, extras: set[tuple[str, str]]) -> set[str]:
    wanted = {"", *(extra for name, extra in extras if name == component.name)}
    requirements = [Requirement(line) for line in component.requires]
    return {
        canonicalize_name(each.name)
        for each in requirements
        if each.marker is None or any(each.marker.evaluate({**TARGET, "extra": extra}) for extra in wanted)
    }
