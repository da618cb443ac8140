"""A project to export."""

import pytest
from tests.exporters.engines import Job


@pytest.fixture
def job(tmp_path):
    return Job(tmp_path)
