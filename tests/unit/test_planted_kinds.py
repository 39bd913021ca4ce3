"""Every kind of finding is planted in a sandbox, or it is said where else it is tried."""

from __future__ import annotations

import yaml

from shared.domain.sweep.kinds import SWEEP_KINDS
from shared.domain.sweep.project_kinds import PROJECT_KINDS
from tests.fixtures.read import FOLDER

ELSEWHERE = {
    "cluster-extension-missing": "tests/e2e/test_projects.py, in a sandbox with projects",
    "native-member-overdue": "tests/unit/test_sweep.py: it needs a policy of another mode",
    "notice-undelivered": "tests/e2e/test_sweep.py, by a receiver that is throttled for good",
    "osconfig-missing": "tests/e2e/test_projects.py, in a sandbox with projects",
    "subscription-unseen": "tests/e2e/test_sweep.py takes the Reader away",
    "sweep-incomplete": "tests/e2e/test_sweep.py, by faults",
    **{kind.key: "tests/contract/test_project_causes.py breaks each in a sandbox" for kind in PROJECT_KINDS},
}


def test_every_kind_is_planted_or_tried_elsewhere() -> None:
    file = yaml.safe_load((FOLDER / "sweep" / "planted.yaml").read_text(encoding="utf-8"))
    planted = {key for part in ("accounts", "machines", "deployment") for each in file[part] for key in each["found"]}
    assert planted | ELSEWHERE.keys() == {kind.key for kind in SWEEP_KINDS}
    assert not planted & ELSEWHERE.keys()
