"""Check a student's answer: ``check("dyna.backup", my_function)``."""

from mbrl_edu.grading.contract import Feedback, check, exercises

__all__ = ["Feedback", "check", "exercises"]
