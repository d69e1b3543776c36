"""An ensemble of neural networks: D, P, DE or PE, by its settings."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mbrl_edu.core import check
from mbrl_edu.core.nets import MemberLinear
from mbrl_edu.core.rng import Streams
from mbrl_edu.models.layout import Layout

DECAY = (2.5e-5, 5e-5, 7.5e-5, 7.5e-5, 1e-4)  # MBPO, five layers
MOMENTS = ("exp_avg", "exp_avg_sq")  # Adam's
ROWS = 1024  # rows in one product: larger temporaries leave the processor's cache
MANY = 8_192  # rows of all members' hidden layers at once: this bounds the memory


@dataclass(frozen=True)
class Config:
    """Settings of an ensemble; with B = 1 and elites = 1 it is a single network."""

    B: int = 7  # members (MBPO; PETS 5)
    elites: int = 5  # members that predictions are drawn from (MBPO; PETS all)
    hidden: tuple[int, ...] = (200, 200, 200, 200)  # units per hidden layer (MBPO)
    probabilistic: bool = True  # learns the noise too: P and PE, else D and DE (PETS)
    decay: tuple[float, ...] | None = None  # per layer; None: MBPO's, over the depth
    bounds: float = 0.01  # weight of the penalty on the range of log-variances (PETS)
    lr: float = 3e-3  # Adam's step size (ours, with averaged weights; MBPO 1e-3)

    def __post_init__(self):
        check.integer("B", self.B, low=1)
        check.integer("elites", self.elites, low=1, high=self.B)
        check.number("bounds", self.bounds, low=0)
        check.number("lr", self.lr, low=0, open_low=True)
        if not self.hidden:
            raise ValueError("hidden is (), but must name at least one layer.")
        for h in self.hidden:
            check.integer("hidden", h, low=1)
        for rate in self.decay or ():
            check.number("decay", rate, low=0)
        if self.decay is not None and len(self.decay) != len(self.hidden) + 1:
            n = len(self.hidden) + 1
            raise ValueError(f"decay is {self.decay}, but must have {n} entries.")

    @property
    def family(self) -> str:
        """ "D", "P", "DE" or "PE" (lecture, model families)."""
        return ("P" if self.probabilistic else "D") + ("E" if self.B > 1 else "")

    @property
    def rates(self) -> tuple[float, ...]:
        """Weight decay of each layer."""
        if self.decay is not None:
            return self.decay
        n = len(self.hidden)
        return tuple(
            (1 - t % 1) * DECAY[int(t)] + (t % 1) * DECAY[min(int(t) + 1, 4)]
            for t in (4 * layer / n for layer in range(n + 1))
        )


class Ensemble(nn.Module):
    """B networks that each give a Gaussian over y = (r, s' - s) for (s, a).

    Source: PETS (Chua et al. 2018), MBPO (Janner et al. 2019) and their code. The
    weights depend on the seed and ``name`` alone; Adam's state stays between fits.
    """

    x_mean: Tensor
    x_std: Tensor
    elites: Tensor

    def __init__(
        self,
        layout: Layout,
        cfg: Config,
        rng: Streams,
        name: str = "model",
        device: str = "cpu",
    ):
        super().__init__()
        self.layout, self.cfg, self.B = layout, cfg, cfg.B
        dx, dy = layout.dx, layout.dy
        sizes = [dx, *cfg.hidden, 2 * dy if cfg.probabilistic else dy]
        with rng.init(name):
            pairs = zip(sizes[:-1], sizes[1:])
            self.layers = nn.ModuleList(MemberLinear(cfg.B, i, o) for i, o in pairs)
        if cfg.probabilistic:  # soft bounds of the log-variance, shared by all members
            self.lmax = nn.Parameter(torch.full((dy,), 0.5))
            self.lmin = nn.Parameter(torch.full((dy,), -10.0))
        self.register_buffer("x_mean", torch.zeros(dx))
        self.register_buffer("x_std", torch.ones(dx))
        self.register_buffer("elites", torch.arange(cfg.elites))
        self.rounded: list[tuple[Tensor, Tensor]] | None = None
        self.to(device)
        self.opt = torch.optim.Adam(self._groups(), lr=cfg.lr, fused=True)

    def _groups(self) -> list[dict]:
        """Parameters for Adam. A weight's own ``weight_decay`` adds lambda W to its
        gradient, which is the gradient of lambda / 2 |W|^2."""
        decayed = [layer.weight for layer in self.layers]
        ids = {id(w) for w in decayed}
        free = [p for p in self.parameters() if id(p) not in ids]
        groups = [
            {"params": [w], "weight_decay": rate}
            for w, rate in zip(decayed, self.cfg.rates)
        ]
        return [*groups, {"params": free, "weight_decay": 0.0}]

    # Forward pass

    def normalise(self, x: Tensor) -> Tensor:
        """Inputs with mean 0 and standard deviation 1 on the training data."""
        return (x - self.x_mean) / self.x_std

    def hidden(self, z: Tensor) -> Tensor:
        """Last hidden layer: normalised inputs (B, n, dx) -> (B, n, h)."""
        for layer in self.layers[:-1]:
            z = F.silu(layer(z), inplace=not torch.is_grad_enabled())
        return z

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of the target: (B, n, dx) -> (B, n, dy) each."""
        return self._gaussian(self.layers[-1](self.hidden(z)))

    def _gaussian(self, out: Tensor) -> tuple[Tensor, Tensor]:
        """The soft bounds: a clamp would have no gradient outside."""
        if not self.cfg.probabilistic:
            return out, out.new_full((), float("-inf")).expand_as(out)
        mean, lv = out.chunk(2, -1)
        lv = self.lmax - F.softplus(self.lmax - lv)
        return mean, self.lmin + F.softplus(lv - self.lmin)

    def loss(self, z: Tensor, y: Tensor) -> Tensor:
        """sum_b mean[(mu_b - y)^2 exp(-lv_b) + lv_b] + 0.01 sum(lmax - lmin); the mean
        runs over batch and dimensions. Without noise: sum_b mean[(mu_b - y)^2 / 2].

        z (B, n, dx) normalised inputs, y (B, n, dy) targets. Weight decay is Adam's.
        """
        mean, lv = self(z)
        error = (mean - y).square()
        if not self.cfg.probabilistic:
            return (error / 2).mean((1, 2)).sum()
        nll = (error * (-lv).exp() + lv).mean((1, 2)).sum()
        return nll + self.cfg.bounds * (self.lmax - self.lmin).sum()

    # What rollouts and planners use

    def predict(self, s: Tensor, a: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of (r, s' - s) from every member: (B, n, dy) each."""
        z = self.normalise(self.layout.x(s, a))
        parts = [self(x.expand(self.B, *x.shape)) for x in z.split(ROWS // self.B + 1)]
        mean, lv = (torch.cat(p, 1) for p in zip(*parts))
        return self.layout.change(s, mean), lv

    def features(self, s: Tensor, a: Tensor) -> Tensor:
        """Last hidden layer of every member: (B, n, h)."""
        z = self.normalise(self.layout.x(s, a))
        parts = [self.hidden(x.expand(self.B, *x.shape)) for x in z.split(MANY)]
        return torch.cat(parts, 1)

    def draw(self, n: int, g: torch.Generator) -> Tensor:
        """n members drawn uniformly from the elites: (n,)."""
        i = torch.randint(len(self.elites), (n,), generator=g, device=g.device)
        return self.elites[i]

    def predict_rows(self, s: Tensor, a: Tensor, who: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of (r, s' - s), row i from member ``who[i]``: (n, dy)
        each. Rows are grouped by member; no other member is evaluated."""
        order = who.argsort()
        z, sizes = self.normalise(self.layout.x(s, a))[order], _sizes(who, self.B)
        even = len(set(sizes)) == 1 and sizes[0] <= ROWS and self.rounded is None
        out = self._side_by_side(z) if even else self._one_by_one(z, sizes)
        mean, lv = self._gaussian(torch.empty_like(out).index_copy(0, order, out))
        return self.layout.change(s, mean), lv

    def _side_by_side(self, z: Tensor) -> Tensor:
        """Outputs for rows in groups of equal size, one a member: twice as fast where
        groups are small."""
        return self.layers[-1](self.hidden(z.unflatten(0, (self.B, -1)))).flatten(0, 1)

    def _one_by_one(self, z: Tensor, sizes: list[int]) -> Tensor:
        """Outputs for rows in groups of any size, one a member."""
        groups = enumerate(z.split(sizes))
        return torch.cat([self._member(b, x) for b, g in groups for x in g.split(ROWS)])

    def _member(self, b: int, z: Tensor) -> Tensor:
        first, *inner, last = cast(list[MemberLinear], list(self.layers))
        z = F.silu(first.member(b, z), inplace=not torch.is_grad_enabled())
        if self.rounded is not None:
            z = z.bfloat16()
            for weight, bias in self.rounded:
                z = F.silu(torch.addmm(bias[b], z, weight[b]), inplace=True)
            return last.member(b, z.float())
        for layer in inner:
            z = F.silu(layer.member(b, z), inplace=not torch.is_grad_enabled())
        return last.member(b, z)

    @torch.no_grad()
    def round(self, on: bool = True) -> None:
        """Let ``predict_rows`` multiply the present weights between hidden layers in
        bfloat16: several times as fast on a CPU with AMX and on a GPU, right to two or
        three digits, and without gradients. Call it again after each fit."""
        inner = cast(list[MemberLinear], list(self.layers[1:-1]))
        pairs = [(p.weight.bfloat16(), p.bias.bfloat16()) for p in inner]
        self.rounded = pairs if on else None

    def sample(
        self, s: Tensor, a: Tensor, g: torch.Generator, who: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """One draw of r (n,) and s' (n, ds): y = mu + sigma eps, differentiable in s
        and a. Row i comes from member ``who[i]``, by default drawn from the elites."""
        mean, lv = self.predict_rows(s, a, self.draw(len(s), g) if who is None else who)
        if self.cfg.probabilistic:
            eps = torch.randn(
                mean.shape, generator=g, device=g.device, dtype=mean.dtype
            )
            mean = mean + (lv / 2).exp() * eps
        return self.layout.apply(s, a, mean)

    # Members apart

    def take(self, members: Sequence[int]) -> Ensemble:
        """A copy with these members only, and their part of Adam's state."""
        part, rows = copy.deepcopy(self), list(members)
        for p in part.parameters():
            if p.dim() == 3:
                p.data = p.data[rows]
                for key in set(MOMENTS) & set(part.opt.state.get(p, {})):
                    part.opt.state[p][key] = part.opt.state[p][key][rows]
        part.B = len(members)
        part.elites = torch.arange(part.B, device=self.elites.device)
        return part

    @torch.no_grad()
    def put(self, members: Sequence[int], part: Ensemble) -> None:
        """Write ``part`` back as these members; its bounds become those of all."""
        if part is self:
            return
        for p, q in zip(self.parameters(), part.parameters()):
            rows = list(members) if p.dim() == 3 else slice(None)
            p[rows] = q
            for key, y in part.opt.state.get(q, {}).items():
                whole = torch.zeros_like(p if key in MOMENTS else y)
                state = self.opt.state[p].setdefault(key, whole)
                state[rows if key in MOMENTS else ...] = y

    # Adam's state belongs to state_dict()

    def get_extra_state(self) -> dict:
        return self.opt.state_dict()

    def set_extra_state(self, state: dict) -> None:
        self.opt.load_state_dict(state)


def _sizes(who: Tensor, B: int) -> list[int]:
    """How many rows each of B members has in ``who`` (n,)."""
    sizes = torch.bincount(who, minlength=B).tolist()
    if len(sizes) > B:
        raise ValueError(f"who holds {len(sizes) - 1}, but members are 0 to {B - 1}.")
    return sizes
