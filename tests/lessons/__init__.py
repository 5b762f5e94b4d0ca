import pytest

pytest.register_assert_rewrite("tests.lessons.attempts")  # so that its asserts, too, show what they compared
