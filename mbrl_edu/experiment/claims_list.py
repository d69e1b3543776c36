"""The claims of the lecture in our own words: where each is made and shown."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Claim:
    """One claim: `text`, the part of the lecture, the chapters that take it up, and
    what has to be measured before a verdict can be given."""

    id: str
    text: str
    lecture: str
    chapters: tuple[str, ...]
    shown: str


COMPARED = "Model-free RL v.s. Model-based RL"
BOUND = "Bound based on Model & Policy Error"

CLAIMS: tuple[Claim, ...] = (
    Claim(
        "L1",
        "With a model, far fewer real steps are needed than without one.",
        COMPARED,
        ("introduction", "mbpo"),
        "real steps to reach a fixed return: SAC and PPO against PETS and MBPO",
    ),
    Claim(
        "L2",
        "In the long run, model-free methods end highest.",
        COMPARED,
        ("introduction", "summary"),
        "return after a long budget, SAC against MBPO",
    ),
    Claim(
        "L3",
        "Errors of a model pile up along an imagined path.",
        COMPARED,
        ("models",),
        "prediction error after k steps against k, for every family of models",
    ),
    Claim(
        "L4",
        "A model's gradients get more out of the same data than its samples do.",
        "Model-based RL: Blackbox and Whitebox",
        ("introduction", "maac", "summary"),
        "MAAC and SVG against MBPO at equal real data; one table of all methods",
    ),
    Claim(
        "L5",
        "Q-planning learns the values from the model's sampled transitions alone.",
        "Q-Planning",
        ("dyna",),
        "convergence to the exact Q of the maze, and how many updates it takes",
    ),
    Claim(
        "L6",
        "The more Dyna-Q plans per real step, the fewer episodes it needs.",
        "Dyna-Q on a Simple Maze",
        ("dyna",),
        "n = 0, 5, 50; values in mid episode 2; changing mazes; prioritized sweeping",
    ),
    Claim(
        "L7",
        "Random shooting is simple and cheap but of high variance; the cross-entropy "
        "method plans better.",
        "Random Shooting (RS)",
        ("shooting",),
        "return and spread at equal model calls, by dimension and horizon",
    ),
    Claim(
        "L8",
        "The families D, P, DE, GP and PE capture noise and lack of knowledge as the "
        "lecture's table says.",
        "PETS",
        ("models",),
        "likelihood, coverage and CRPS inside the data, in a gap, and outside",
    ),
    Claim(
        "L9",
        "Sampled trajectories through a bootstrap ensemble and replanning at every "
        "step learn control: PETS.",
        "PETS Algorithm",
        ("pets",),
        "cart-pole swing-up in a handful of trials; every part of PETS exchanged",
    ),
    Claim(
        "L10",
        "PETS comes close to what model-free learning ends at, with far fewer samples.",
        "PETS Experiments",
        ("pets",),
        "PETS against long-trained SAC on the same task",
    ),
    Claim(
        "L11",
        "The return in branched rollouts bounds the real one; Dyna is the case k = 1.",
        BOUND,
        ("bounds",),
        "the bound on thousands of exact MDPs, and which printed forms are false",
    ),
    Claim(
        "L12",
        "Some rollout length k > 0 is best if the model's error grows slowly enough "
        "with the policy's shift.",
        BOUND,
        ("bounds",),
        "the best k in closed form, and the growth measured on a learned model",
    ),
    Claim(
        "L13",
        "Short rollouts branched from real states, with SAC on top, learn fast: MBPO.",
        "MBPO Algorithm",
        ("mbpo",),
        "k = 1, a schedule, long k, from the start state; SAC with equal updates",
    ),
    Claim(
        "L14",
        "The gap between real and imagined return follows the model's error and the "
        "policy's shift.",
        "Summary of Theoretic Analysis in MBRL",
        ("mbpo",),
        "both returns during training beside the measured terms of the bound",
    ),
    Claim(
        "L15",
        "At equal length, imagining backward and forward piles up less error than "
        "forward alone.",
        "Bidirectional Model",
        ("bmpo",),
        "error of k1 + k2 steps forward against k1 back and k2 forward",
    ),
    Claim(
        "L16",
        "A backward model and a backward policy can be learned by maximum likelihood "
        "or as a conditional GAN.",
        "Backward Policy",
        ("bmpo",),
        "both, compared by the likelihood of real actions and by return",
    ),
    Claim(
        "L17",
        "Starting rollouts in states of high value, and planning with MPC, both help.",
        "Other Components of BMPO",
        ("bmpo",),
        "each switched off in turn",
    ),
    Claim(
        "L18",
        "The bound for the bidirectional model is tighter.",
        "Theoretical Analysis",
        ("bmpo",),
        "the bound against the exact gap; under which anchor it is true",
    ),
    Claim(
        "L19",
        "BMPO learns faster than MBPO, which imagines forward only.",
        "Comparison with State-of-the-Arts",
        ("bmpo",),
        "learning curves with paired seeds",
    ),
    Claim(
        "L20",
        "Simulated data are distributed differently from real data, and this is what "
        "errors pile up from.",
        "Distribution Mismatch in MBRL",
        ("ampo",),
        "distance between real and imagined features over training, and the error",
    ),
    Claim(
        "L21",
        "The real return is at least the imagined one minus terms in an integral "
        "probability metric.",
        "A Lower Bound for Expected Return",
        ("ampo",),
        "the true form on exact MDPs; Wasserstein distance exactly against the critic",
    ),
    Claim(
        "L22",
        "Pulling the features of real and imagined data together improves the model "
        "and the policy: AMPO.",
        "Unsupervised Model Adaptation",
        ("ampo",),
        "distance and errors with and without adaptation, learning curves",
    ),
    Claim(
        "L23",
        "The best share of real data grows as real data come in.",
        "Analysis of real ratio schedule",
        ("autombpo",),
        "fitted value iteration on exact MDPs; MBPO with fixed, rising, falling share",
    ),
    Claim(
        "L24",
        "A controller trained with PPO finds schedules that beat hand-made ones and "
        "that can be read.",
        "AutoMBPO",
        ("autombpo",),
        "controller against fixed and random schedules; transfer to another task",
    ),
    Claim(
        "L25",
        "The gradient of a deterministic policy is the mean of the critic's gradient "
        "through the action.",
        "Deterministic Policy Gradient",
        ("svg",),
        "against closed form and finite differences on a linear-quadratic system",
    ),
    Claim(
        "L26",
        "Reparameterised noise turns stochastic policies and models into "
        "differentiable ones.",
        "From Deterministic to Stochastic",
        ("svg",),
        "variance against the score function; SVG(0), SVG(1), SVG(inf)",
    ),
    Claim(
        "L27",
        "Noise inferred from a real trajectory lets gradients run back along it.",
        "SVG Algorithm and Experiments",
        ("svg",),
        "the recursion against automatic differentiation; a control task learned",
    ),
    Claim(
        "L28",
        "A longer horizon H trades the critic's error for the model's.",
        "Model-Augmented Actor Critic",
        ("maac",),
        "the gradient's error against H in its two parts; return against H",
    ),
    Claim(
        "L29",
        "The errors of gradient and policy are bounded, and so improvement is assured.",
        "Theoretic Bounds",
        ("maac",),
        "the true forms checked; counterexamples to the printed ones",
    ),
    Claim(
        "L30",
        "Gaussian processes with moment matching and exact gradients learn in a few "
        "trials: PILCO.",
        "Summary of Model-based RL",
        ("pilco",),
        "moments against Monte Carlo; cart-pole swing-up in at most ten trials",
    ),
    Claim(
        "L31",
        "The lecture's key questions have answers, and directions remain open.",
        "Key Questions of Deep MBRL; Future Directions of MBRL",
        ("summary",),
        "a figure of the book for each question; multi-agent learning as a pointer",
    ),
)
