"""Assertions of the modules that compare tell what differs."""

import pytest

pytest.register_assert_rewrite("support.beside", "support.serial")
