"""Where tensors live."""

from mbrl_edu.core import check


def resolve(device: str = "auto") -> str:
    """``"cuda"`` or ``"cpu"``: what ``device`` stands for on this machine.

    ``"auto"`` is CUDA if there is a usable GPU, else the CPU. Asking for ``"cuda"``
    where there is none raises ValueError: there is no silent fallback.
    """
    check.choice("device", device, ["auto", "cpu", "cuda"])
    if device == "cpu":
        return device
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if device == "cuda":
        raise ValueError(
            "device is 'cuda', but this machine has no GPU that torch can use; "
            "'auto' and 'cpu' are possible here."
        )
    return "cpu"
