"""How long a gradient lives in an RNN: products of Jacobians, starts, clipping.

    dh_T/dh_k = prod over t = T, ..., k+1 of diag(1 - h_t^2) W_hh
    g <- g min(1, max_norm / |g|)

Shapes: x (T, B, I), h_0 (B, H), W_hh (H, H), norms (T+1, B)
        T time steps, B batch, I input size, H hidden size
Page:   docs/gradients/vanishing_exploding.md, docs/gradients/clipping.md
Test:   tests/gradients/test_vanishing_exploding.py
Source: Bengio, Simard and Frasconi (1994), doi:10.1109/72.279181;
        Pascanu, Mikolov and Bengio (2013), arXiv:1211.5063;
        orthogonal start: Saxe, McClelland and Ganguli (2013), arXiv:1312.6120;
        adding problem: Le, Jaitly and Hinton (2015), arXiv:1504.00941

One unit, two steps, W_hh = 2. From h_0 = 0 without input the state stays 0 and
each step doubles the gradient. An input of 1 moves the state to tanh(1) and
tanh(2 tanh(1)), and the factors become 2 (1 - 0.7616^2), 2 (1 - 0.9093^2):

>>> import torch
>>> from rnn_examples.gradients.vanishing_exploding import jacobian_norms
>>> from rnn_examples.recurrence.elman import ElmanParams
>>> one, zero = torch.ones(1, 1), torch.zeros(1, 1)
>>> p = ElmanParams(W_ih=one, W_hh=2 * one, b_ih=zero[0], b_hh=zero[0])
>>> jacobian_norms(torch.stack([zero, zero]), zero, p).flatten().tolist()
[4.0, 2.0, 1.0]
>>> norms = jacobian_norms(torch.stack([one, zero]), zero, p)
>>> [round(n, 4) for n in norms.flatten().tolist()]
[0.2911, 0.3465, 1.0]

Any size, against autograd through torch's layer:

>>> import torch
>>> from rnn_examples.gradients.vanishing_exploding import jacobian_norms
>>> from rnn_examples.recurrence.elman import params_of
>>> rnn = torch.nn.RNN(input_size=3, hidden_size=4)
>>> x, h_0 = torch.randn(5, 1, 3), torch.randn(1, 4)  # (T, 1, I), (1, H)
>>> last = lambda h: rnn(x, h[None])[1].flatten()  # h_0 -> h_T
>>> J = torch.autograd.functional.jacobian(last, h_0)[:, 0]  # (H, H)
>>> sigma_max = torch.linalg.matrix_norm(J, ord=2)
>>> norms = jacobian_norms(x, h_0, params_of(rnn))
>>> torch.testing.assert_close(norms[0, 0], sigma_max)
"""

import torch
from torch import Generator, Tensor

from rnn_examples.recurrence.elman import ElmanParams, rnn_forward


@torch.no_grad()
def jacobian_norms(x: Tensor, h_0: Tensor, p: ElmanParams) -> Tensor:
    """sigma_max(dh_T/dh_k) for k = 0 .. T: (T, B, I) -> (T+1, B)."""
    hs, _ = rnn_forward(x, h_0, p)
    J = torch.eye(h_0.shape[1]).to(hs).expand(len(h_0), -1, -1)
    Js = [J]  # dh_T/dh_T, (B, H, H)
    for h in hs.flip(0):  # from the last step back
        J = J @ ((1 - h.square())[:, :, None] * p.W_hh)
        Js.append(J)
    norms: Tensor = torch.linalg.matrix_norm(torch.stack(Js), ord=2)  # sigma_max
    return norms.flip(0)


def spectral_radius(W: Tensor) -> float:
    """Largest absolute value of an eigenvalue: (H, H) -> number."""
    eigenvalues: Tensor = torch.linalg.eigvals(W)
    return eigenvalues.abs().max().item()


def scaled_orthogonal(
    H: int, gain: float, generator: Generator | None = None
) -> Tensor:
    """Random float64 matrix (H, H) whose singular values are all gain.

    Raises ValueError unless gain is positive.
    """
    if not gain > 0:
        raise ValueError(f"gain is {gain}; need a positive number")
    normal = torch.randn(H, H, generator=generator, dtype=torch.float64)
    Q, R = torch.linalg.qr(normal)
    # QR leaves signs open; these make every rotation equally likely.
    rotation: Tensor = Q @ R.diagonal().sign().diag()
    return gain * rotation


def clip_by_norm(
    grads: list[Tensor],
    max_norm: float,
) -> tuple[list[Tensor], Tensor]:
    """All gradients times one factor; their common norm is then <= max_norm.

    Returns the new gradients and the norm before.
    Raises ValueError for no gradients or a max_norm that is not positive.
    """
    if not grads:
        raise ValueError("grads is empty; need at least one tensor")
    if not max_norm > 0:
        raise ValueError(f"max_norm is {max_norm}; need a positive number")
    norm = torch.cat([g.flatten() for g in grads]).norm()
    factor = (max_norm / (norm + 1e-6)).clamp(max=1)  # 1e-6 as in torch
    return [factor * g for g in grads], norm


def adding_problem(
    T: int, B: int, generator: Generator | None = None
) -> tuple[Tensor, Tensor]:
    """Values and marks x (T, B, 2), float64, and the marked values' sum (B,).

    One mark falls in the first half of the steps, one in the second.
    Raises ValueError for T < 2.
    """
    if T < 2:
        raise ValueError(f"T is {T}; need at least 2 steps")
    x = torch.zeros(T, B, 2, dtype=torch.float64)
    x[:, :, 0] = torch.rand(T, B, generator=generator, dtype=torch.float64)
    half, columns = T // 2, torch.arange(B)
    x[torch.randint(0, half, (B,), generator=generator), columns, 1] = 1
    x[torch.randint(half, T, (B,), generator=generator), columns, 1] = 1
    return x, x.prod(dim=2).sum(dim=0)
