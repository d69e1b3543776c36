"""What is to be run: every name and option checked before any work is done."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mbrl_edu.core import check, device
from mbrl_edu.experiment import options as opt
from mbrl_edu.experiment import provenance
from mbrl_edu.experiment.registry import (
    Method,
    TaskInfo,
    find_method,
    find_task,
    make_env,
)

if TYPE_CHECKING:
    from mbrl_edu.envs.task import Task


@dataclass(frozen=True)
class Plan:
    """One run, checked: every name and option is known to be good."""

    method: Method
    task: TaskInfo
    seed: int
    config: Any  # the method's Config
    device: str = "cpu"

    @property
    def label(self) -> str:
        """The plan in a few words."""
        return f"{self.method.name} on {self.task.short}, seed {self.seed}"

    @property
    def command(self) -> str:
        """The shell command that does the same; "" if there is none."""
        if self.task.own is not None:
            return ""
        on = self.device if self.method.kind == "continuous" else None
        return provenance.command(
            self.method.name, self.task.short, self.seed, self.config, on
        )

    @cached_property
    def config_hash(self) -> str:
        """Hash of method, task and config."""
        task = self.task.name
        if self.task.own is not None:
            task += f" {provenance.fingerprint(self.task.own)}"
        return provenance.config_hash(self.method.name, task, self.config)

    @cached_property
    def code(self) -> str:
        """Hash of the program text that the run may use."""
        return provenance.code_fingerprint(self.method.module)

    @property
    def name(self) -> str:
        """The run's directory: the same exactly if the run would be the same.

        It holds a hash of the config and of the package's program text, so that runs
        made by older code are neither mistaken for new ones nor overwritten.
        """
        task = self.task.short.replace("/", "_")
        on = "" if self.device == "cpu" else f"-{self.device}"
        key = f"{self.config_hash[:6]}{self.code[:6]}"
        return f"{self.method.name}-{task}-{key}{on}-s{self.seed}"

    @property
    def identity(self) -> dict[str, Any]:
        """Everything that decides what the run's numbers are."""
        return {
            "method": self.method.name,
            "task": self.task.name,
            "seed": self.seed,
            "config": asdict(self.config),
            "config_hash": self.config_hash,
            "code": self.code,
            "device": self.device,
            "command": self.command,
        }


def prepare(
    method: str | Method,
    task: str | TaskInfo | Task,
    seed: int = 0,
    preset: str | None = None,
    device: str = "auto",
    **options: Any,
) -> Plan:
    """Check everything that can be checked before any work is done.

    Raises ValueError with one sentence for an unknown method, task, preset or option, a
    bad value, a device that is not there, or a task that the method cannot learn.
    """
    found, info = find_method(method), find_task(task)
    seed = check.integer("seed", seed, low=0)
    if preset is not None:
        from mbrl_edu.algos import presets

        options = presets.preset(found.name, info.short, preset) | options
    config = opt.make_config(found.config, options)
    on = _device(found, device)
    make_env(found, info).close()
    return Plan(found, info, seed, config, on)


def _device(method: Method, name: str) -> str:
    check.choice("device", name, ["auto", "cpu", "cuda"])
    if method.kind != "tabular":
        return device.resolve(name)
    if name == "cuda":
        raise ValueError(
            f"device is 'cuda', but {method.name} is a tabular method and runs on the "
            "CPU."
        )
    return "cpu"
