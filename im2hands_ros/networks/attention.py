"""Query-image attention: every query point attends to the image's tokens (Im2Hands, 3.2).

Each query is its own sequence [query; tokens], of which only the query's output is kept. The
tokens' keys and values are the same for all queries, so they are precomputed once per image: the
same result, and about as many times cheaper as there are tokens.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class TokenMemory(NamedTuple):
    """Keys and values of the image tokens: (B, heads, T, d) each."""

    keys: Tensor
    values: Tensor


class AttentionBlock(nn.Module):
    """Pre-norm multi-head attention and feed-forward, both residual."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.head_width = width // heads
        inner = self.head_width * heads
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.query = nn.Linear(width, inner)
        self.key = nn.Linear(width, inner)
        self.value = nn.Linear(width, inner)
        self.output = nn.Linear(inner, width)
        self.feed_norm = nn.LayerNorm(width, eps=1e-6)
        self.feed_first = nn.Linear(width, width)
        self.feed_second = nn.Linear(width, width)

    def forward(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
        """Self-attention among (B, T, width) tokens.

        ``mask``: bool, broadcast to (B, heads, T, T), False where a token is not attended to.
        """
        y = self.norm(tokens)
        attended = F.scaled_dot_product_attention(
            self._split(self.query(y)),
            self._split(self.key(y)),
            self._split(self.value(y)),
            attn_mask=mask,
        )
        return self._finish(tokens, attended.transpose(1, 2).flatten(2))

    def precompute(self, tokens: Tensor) -> TokenMemory:
        """Keys and values of (B, T, width) tokens, to be attended to by many queries."""
        y = self.norm(tokens)
        return TokenMemory(self._split(self.key(y)), self._split(self.value(y)))

    def attend(self, queries: Tensor, memory: TokenMemory) -> Tensor:
        """Output of (B, N, width) queries, each attending to itself and to the memory."""
        y = self.norm(queries)
        query = self._split(self.query(y)) * self.head_width**-0.5
        own = (query * self._split(self.key(y))).sum(-1, keepdim=True)
        scores = torch.cat([own, query @ memory.keys.transpose(2, 3)], dim=-1)
        weights = scores.float().softmax(-1).to(query.dtype)
        attended = weights[..., :1] * self._split(self.value(y)) + weights[..., 1:] @ memory.values
        return self._finish(queries, attended.transpose(1, 2).flatten(2))

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, self.head_width)).transpose(1, 2)

    def _finish(self, x: Tensor, attended: Tensor) -> Tensor:
        x = x + self.output(attended)
        return x + self.feed_second(F.relu(self.feed_first(self.feed_norm(x))))


class AttentionBlocks(nn.ModuleList):
    """Blocks of self-attention, one after the other.

    Attributes:
        native: what computes them instead, if anything: (B, T, width) tokens and a mask or None to
            the same tokens.
    """

    native: Callable[[Tensor, Tensor | None], Tensor] | None = None

    def __init__(self, count: int, width: int, heads: int) -> None:
        super().__init__(AttentionBlock(width, heads) for _ in range(count))

    def forward(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
        """(B, T, width) tokens, each attending to those where the (B, T) bool mask is True."""
        if self.native is not None:
            return self.native(tokens, mask)
        for block in self:
            tokens = block(tokens, None if mask is None else mask[:, None, None])
        return tokens


class QueryImageAttention(nn.Module):
    """Image tokens with learned positions, and query points that attend to them."""

    def __init__(
        self,
        image_width: int,
        token_count: int,
        token_width: int,
        query_width: int,
        heads: int,
        patch: int = 1,
    ) -> None:
        """Each token is made of ``patch`` x ``patch`` feature pixels."""
        super().__init__()
        self.project = nn.Conv2d(image_width, token_width, patch, stride=patch)
        self.positions = nn.Parameter(torch.randn(token_count, token_width) * 0.02)
        self.among_tokens = AttentionBlock(token_width, heads)
        self.to_query_width = nn.Linear(token_width, query_width)
        self.from_queries = AttentionBlock(query_width, heads)

    def precompute(self, image: Tensor) -> TokenMemory:
        """Keys and values of g*g tokens of (B, image_width, g p, g p) features; once per image."""
        tokens = F.relu(self.project(image)).flatten(2).transpose(1, 2) + self.positions
        return self.from_queries.precompute(self.to_query_width(self.among_tokens(tokens)))

    def forward(self, queries: Tensor, memory: TokenMemory) -> Tensor:
        """(B, N, query_width) query tokens to (B, N, query_width) features of the image."""
        return self.from_queries.attend(queries, memory)
