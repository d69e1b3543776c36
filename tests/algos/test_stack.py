"""The variants of MBPO on top of each other."""

from dataclasses import replace

import pytest
import torch
from memory import Cut, Memory, cut_after
from test_mbpo import LINE, TINY, same
from test_mbpo import run as run_mbpo

from mbrl_edu.algos import ampo, autombpo, bmpo, maac, mbpo
from mbrl_edu.algos.loop import learn
from mbrl_edu.core.rng import Streams


def own(module, **on):
    """The config of a variant with TINY's settings."""
    return module.Config(**(vars(TINY) | on))


HYPER = own(autombpo, G_max=4, k_max=3)
OFF = {
    "maac": own(maac, H=0),
    "ampo": own(ampo, G_adapt=0),
    "bmpo": own(bmpo, k_back=(0, 1, 0, 0), beta=(0, 1, 0, 0), H_mpc=0),
    "autombpo": autombpo.Fixed(),
}
ON = {
    "maac": own(maac, H=1),
    "ampo": own(ampo, G_adapt=2, adapt_batch=16),
    "bmpo": own(bmpo, k_back=(0, 1, 1, 1), beta=(0, 1, 0.1, 0.1), H_mpc=1, N_mpc=10),
    "autombpo": autombpo.Controller(
        HYPER.knobs, HYPER.ppo_config, Streams(0), greedy=False
    ),
}


def stack(configs, rng):
    parts = mbpo.mbpo(LINE, TINY, rng)
    for name, cfg in configs.items():
        if name == "autombpo":
            parts = autombpo.autombpo(parts, HYPER, rng, cfg)
            continue
        variant = getattr({"maac": maac, "ampo": ampo, "bmpo": bmpo}[name], name)
        parts = variant(parts, cfg, rng)
    return parts


def run(configs, change=None, **known):
    rng = Streams(0)
    parts = stack(configs, rng)
    return learn(change(parts) if change else parts, TINY, rng, **known)


def core(result):
    """The parts that MBPO has too."""
    modules = {k: result.parts.modules[k] for k in ("agent", "model")}
    return replace(result, parts=replace(result.parts, modules=modules))


def test_all_switched_off_together_are_mbpo():
    assert same(run_mbpo(), core(run(OFF)))


def test_all_switched_on_run_and_each_of_them_counts():
    whole = core(run(ON))
    for name in ON:
        assert not same(whole, core(run(ON | {name: OFF[name]})))


def test_the_whole_stack_can_be_resumed():
    kept = Memory()
    with pytest.raises(Cut):
        run(ON, lambda parts: cut_after(parts, 200), checkpoint=kept)
    assert kept.t
    whole, resumed = run(ON), run(ON, checkpoint=kept)
    assert same(whole, resumed)
    assert all(torch.equal(a, b) for a, b in zip(flat(whole), flat(resumed)))


def flat(result):
    """Every tensor of every module of the run."""

    def tensors(x):
        if isinstance(x, torch.Tensor):
            yield x
        elif isinstance(x, dict | list):
            for value in x.values() if isinstance(x, dict) else x:
                yield from tensors(value)

    return [t for m in result.parts.modules.values() for t in tensors(m.state_dict())]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_on_a_gpu_all_run_together():
    rng = Streams(0, "cuda")
    result = learn(stack(ON, rng), TINY, rng)
    own = [x for x in flat(result) if x.is_floating_point()]
    assert result.parts.agent.log_alpha.is_cuda and all(x.isfinite().all() for x in own)
