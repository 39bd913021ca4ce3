"""Facts about accounts and projects as the policy file writes them, and the forms of text that its sections share."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field, StringConstraints, WithJsonSchema

from shared.adapters.policy.profile_document import Part
from shared.domain.accounts import Provider
from shared.domain.matching import Matcher
from shared.messages.defaults import empty_dict, empty_list

AccountId = Annotated[str, StringConstraints(pattern=r"^[0-9]{12}$")]
ProjectNumber = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,18}$")]
"""Twelve digits as a rule; by Google's definition any positive 64-bit number. Organizations have them, too."""
PathPattern = Annotated[str, StringConstraints(pattern=r"^/.*$", max_length=1024)]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
TagValues = Annotated[
    list[str],
    BeforeValidator(lambda value: [value] if isinstance(value, str) else value),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]
"""One value is short for a list of one."""


class MatcherDocument(Part):
    """Facts about an account. Names, units and tag values may hold `*`; a unit stands for everything below it, too."""

    provider: Provider | None = Field(
        default=None, description="the cloud: `aws`, since projects have rules of their own in `gcp`"
    )
    ou_paths: list[PathPattern] = Field(
        default_factory=empty_list, description="`*` within one name, `**` any number of units"
    )
    accounts: list[AccountId] = Field(
        default_factory=empty_list, description="ids; in quotes, or editors take them for numbers"
    )
    names: list[str] = Field(
        default_factory=empty_list, description="account names, case and all; `*` any number of letters"
    )
    tags: dict[str, TagValues] = Field(default_factory=empty_dict, description="key: value, or a list of values")

    def to_domain(self) -> Matcher:
        """The matcher that the decision uses."""
        return Matcher(
            provider=self.provider,
            ou_paths=tuple(self.ou_paths),
            account_ids=frozenset(self.accounts),
            names=tuple(self.names),
            tags={key: tuple(values) for key, values in self.tags.items()},
        )


class ProjectMatcherDocument(Part):
    """Facts about a GCP project, by the same words as an account's. A folder stands for everything below it, too."""

    ou_paths: list[PathPattern] = Field(
        default_factory=empty_list,
        description="folders by display name; `*` within one name, `**` any number of folders",
    )
    accounts: list[ProjectNumber] = Field(
        default_factory=empty_list, description="project numbers; in quotes, or editors take them for numbers"
    )
    names: list[str] = Field(
        default_factory=empty_list, description="project ids, not display names; `*` any number of letters"
    )
    tags: dict[str, TagValues] = Field(
        default_factory=empty_dict, description="labels: key: value, or a list of values"
    )

    def to_domain(self) -> Matcher:
        """The matcher that the decision uses."""
        return Matcher(
            ou_paths=tuple(self.ou_paths),
            account_ids=frozenset(self.accounts),
            names=tuple(self.names),
            tags={key: tuple(values) for key, values in self.tags.items()},
        )
