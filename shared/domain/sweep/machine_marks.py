"""How Defender marks the Arc machines that it onboards from each cloud, and what the marks say of the instance.

Source: Microsoft, "Connect AWS accounts to Microsoft Defender for Cloud" and "Connect GCP projects to Microsoft
Defender for Cloud": the tags that have to be on the machines. That MachineId is the number of the instance stands
nowhere: what is no such number is never asked for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from shared.domain.accounts import Provider

DEFENDERS_TAG = "mdfcsecurityconnector"
MULTICLOUD_TAG = "publiccloudconnectorsresourceid"
_DOCS = "https://learn.microsoft.com/azure/defender-for-cloud"


@dataclass(frozen=True, kw_only=True)
class Marks:
    """The tags of one cloud's machines. `needed`: as Microsoft writes them, by their names in lower case.

    `account`, `instance` and `name` are those that name the account, the instance by its id, and by its name where it
    has one; `cloud` is what the tag Cloud says, `subject` how findings call an instance.
    """

    cloud: str
    needed: Mapping[str, str]
    account: str
    instance: str
    accounts: re.Pattern[str]
    instances: re.Pattern[str]
    subject: str
    link: str
    name: str = ""


MARKS = {
    Provider.AWS: Marks(
        cloud="AWS",
        needed={
            "accountid": "AccountId",
            "cloud": "Cloud",
            "instanceid": "InstanceId",
            DEFENDERS_TAG: "MDFCSecurityConnector",
        },
        account="accountid",
        instance="instanceid",
        accounts=re.compile(r"[0-9]{12}"),
        instances=re.compile(r"i-([0-9a-f]{8}|[0-9a-f]{17})"),
        subject="{account}/{instance}",
        link=f"{_DOCS}/quickstart-onboard-aws",
    ),
    Provider.GCP: Marks(
        cloud="GCP",
        needed={
            "cloud": "Cloud",
            "instancename": "InstanceName",
            "machineid": "MachineId",
            DEFENDERS_TAG: "MDFCSecurityConnector",
            "projectid": "ProjectId",
            "projectnumber": "ProjectNumber",
        },
        account="projectnumber",
        instance="machineid",
        name="instancename",
        accounts=re.compile(r"[1-9][0-9]{0,18}"),
        instances=re.compile(r"[1-9][0-9]{0,19}"),
        subject="projects/{account}/instances/{instance}",
        link=f"{_DOCS}/quickstart-onboard-gcp",
    ),
}


def cloud_of(tags: Mapping[str, str]) -> Provider | None:
    """The cloud that a machine with these tags, by names in lower case, comes from; None for any other.

    One without the tag Cloud comes from AWS where it has a tag that names an account or an instance there, else from
    GCP where it has one of those; else from AWS. The other tags may be a user's own, as ProjectId is for costs.
    """
    if "cloud" not in tags:
        named = (each for each, marks in MARKS.items() if tags.keys() & {marks.account, marks.instance})
        return next(named, Provider.AWS)
    return next((each for each, marks in MARKS.items() if marks.cloud == tags["cloud"].upper()), None)


def is_defenders(tags: Mapping[str, str]) -> bool:
    """Whether these tags, by names in lower case, are those of a machine that Defender onboarded from AWS or GCP."""
    return DEFENDERS_TAG in tags and MULTICLOUD_TAG not in tags and cloud_of(tags) is not None
