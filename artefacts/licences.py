"""Under which licence a distribution says that it is, as an SPDX expression, and which licences may go out."""

from __future__ import annotations

from collections.abc import Mapping
from email.message import Message
from importlib.metadata import PackageMetadata

ALLOWED = frozenset({"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MIT-0", "MPL-2.0", "PSF-2.0"})
"""Permissive ones, and the Mozilla Public License, which covers its own files only (certifi's list of authorities)."""

_WORDS = {
    "Apache License 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
}
"""Words of older metadata that mean one licence. `BSD License` is none of them: there are several."""

READ_BY_HAND = {
    "jinja2": "BSD-3-Clause",  # a classifier, `BSD License`; by the file LICENSE.txt
    "isodate": "BSD-3-Clause",  # the metadata has the text
    "python-dateutil": "Apache-2.0 OR BSD-3-Clause",  # `Dual License`; the file LICENSE says which parts are under both
    "pyasn1-modules": "BSD-2-Clause",  # `BSD`; by the file LICENSE.txt
    "requests-oauthlib": "ISC",  # `ISC` and, as a classifier, `BSD License`; by the file LICENSE
}
"""Distributions whose metadata is not clear, by what their licence file says."""

TEXT_OF: Mapping[str, tuple[str, ...]] = {
    "opentelemetry-util-http": ("LICENSE of opentelemetry-api",),  # one project, one licence; this wheel has no text
}
"""Distributions that come without the text of their licence, and where in the same artefact it is."""

_CLASSIFIER = "License :: OSI Approved :: "


def licence_of(name: str, told: PackageMetadata | Message) -> str:
    """The SPDX expression; empty where the metadata says nothing that means one licence.

    Source: Core metadata specifications, `License-Expression`, `License` (deprecated) and `Classifier`.
    """
    if name in READ_BY_HAND:
        return READ_BY_HAND[name]
    expression = told.get_all("License-Expression") or ()
    for said in (*expression, *(told.get_all("License") or ())):
        known = _WORDS.get(str(said), str(said))
        if expression or known in ALLOWED:
            return known
    classifiers = told.get_all("Classifier") or ()
    words = {each.removeprefix(_CLASSIFIER) for each in classifiers if each.startswith(_CLASSIFIER)}
    return _WORDS.get(next(iter(words)), "") if len(words) == 1 else ""


def is_allowed(expression: str) -> bool:
    """Whether we may hand it on: one of the alternatives, with all of its parts, is allowed.

    An expression with parentheses or an exception is not taken apart: a person decides.
    """
    return any(all(part in ALLOWED for part in alternative.split(" AND ")) for alternative in expression.split(" OR "))
