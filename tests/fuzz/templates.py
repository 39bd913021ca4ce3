"""CloudFormation templates: our own one and those of the portal, as `rollcall template lint` reads them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from shared.adapters.policy.yaml_tree import UnreadableError
from shared.adapters.template.check import check_template
from shared.adapters.template.document import read_template
from shared.domain.profiles import BUILT_IN
from tests.fuzz.campaign import Base, Case
from tests.fuzz.watch import Watch, WrongError

ROOT = Path(__file__).parents[2]
OWN = ROOT / "infra" / "aws" / "member-roles.yaml"
SMALL = b"""
AWSTemplateFormatVersion: "2010-09-09"
Parameters: {TenantId: {Type: String}, Which: {Type: String, Default: "1"}}
Conditions: {Wanted: !Equals [!Ref Which, "1"], Both: !And [!Condition Wanted, !Not [!Condition Wanted]]}
Resources:
  Provider:
    Type: AWS::IAM::OIDCProvider
    Properties: {Url: !Sub "https://sts.windows.net/${TenantId}", ClientIdList: [api://x], ThumbprintList: [a]}
  Role:
    Type: AWS::IAM::Role
    Condition: Wanted
    Properties:
      RoleName: !Join ["-", [a, !Select [!Ref Which, [b, c]], !FindInMap [M, a, b]]]
      ManagedPolicyArns: [!If [Wanted, !Ref Own, !Ref AWS::NoValue]]
      AssumeRolePolicyDocument:
        Statement:
          - Effect: Allow
            Principal: {Federated: !GetAtt Provider.Arn}
            Action: sts:AssumeRoleWithWebIdentity
            Condition: {StringEquals: {"sts.windows.net/x:aud": api://x}}
  Own:
    Type: AWS::IAM::ManagedPolicy
    Properties:
      ManagedPolicyName: own
      Roles: [!Ref Role]
      PolicyDocument: {Statement: [{Effect: Allow, Action: "a:b"}]}
"""
_CHOICES = ("foundational", "recommended", "maximum")
MOST_LETTERS = 4_000


class Templates:
    """Surface: the bytes of a template."""

    name = "templates"

    @cached_property
    def bases(self) -> Sequence[Base]:
        """A small one with every function twice as often as ours and the portal's, which take longer."""
        small = Base("small", SMALL, _as_json(SMALL))
        portal = [
            Base(path.stem, path.read_bytes(), path.read_bytes())
            for path in sorted((ROOT / "tests" / "fixtures" / "templates").glob("*.json"))
        ]
        return [*[small] * 8, Base("own", OWN.read_bytes(), _as_json(OWN.read_bytes())), portal[-1]]

    @cached_property
    def _own(self) -> bytes:
        return OWN.read_bytes()

    def take(self, case: Case, watch: Watch) -> str:
        """It is compared, or refused with a place and words."""
        try:
            if case.choice % 4 and case.base != "small":
                read_template(case.content)
                return "read"
            profile = BUILT_IN[_CHOICES[case.choice // 4 % len(_CHOICES)]]
            own = SMALL if case.base == "small" else self._own
            report = check_template(case.content, own, profile)
        except UnreadableError as error:
            problem = error.problem
            if not problem.message.strip() or problem.line < 1 or len(problem.message) > MOST_LETTERS:
                raise WrongError("a problem without words, without a place, or without end") from error
            return f"unreadable {problem.message[:20]}"
        for each in report.findings:
            if not str(each).strip() or len(str(each)) > 100 * MOST_LETTERS:
                raise WrongError("a finding without words or without end")
        return f"compared, {min(len(report.findings), 3)} findings or more"


def _as_json(content: bytes) -> bytes:
    return json.dumps(read_template(content).value).encode()
