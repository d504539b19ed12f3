"""Predictions asked for by the real client; see test_ecotaxa_client about its interpreter."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from support.image_models import digit_archive

PYTHON = os.environ.get("QUADRAT_TEST_ECOTAXA_PYTHON")
SCRIPT = Path(__file__).parent / "clients" / "ecotaxa_py_client" / "predict.py"
pytestmark = [
    pytest.mark.clients,
    pytest.mark.timeout(400),
    pytest.mark.skipif(PYTHON is None, reason="QUADRAT_TEST_ECOTAXA_PYTHON names no interpreter"),
]


def test_client_has_objects_predicted(server: Any, tmp_path: Path):
    assert PYTHON is not None
    archive = tmp_path / "digits.zip"
    archive.write_bytes(digit_archive(80, 50))
    environment = {
        "QUADRAT_CONTRACT_URL": server.url,
        "QUADRAT_CONTRACT_TOKEN": server.token,
        "QUADRAT_CONTRACT_ARCHIVE": str(archive),
        "PATH": os.environ["PATH"],
    }
    ran = subprocess.run([PYTHON, SCRIPT], env=environment, capture_output=True, text=True, timeout=350, check=False)
    assert ran.returncode == 0, ran.stderr[-4000:]
    found = json.loads(ran.stdout)
    assert found["asked"] == [[], []]
    assert found["job"] == ["F", "Prediction", [], 100, {"rowcount": 30}]
    assert found["params"] == [["filters", "req"], True]
    assert found["counts"] == [80, 50, 30]
    assert found["lost"] == ["E", [f"Project {found['project']} has no feature fre.no."]]
    assert found["unknown_project"] == 404
