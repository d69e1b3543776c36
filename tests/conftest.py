"""Settings for all tests."""

from hypothesis import settings

# No time limit for one example: the machine may be busy with something else.
settings.register_profile("project", deadline=None)
settings.load_profile("project")
