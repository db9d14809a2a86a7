"""Limits retries, so that they never double the load on sidecars that are all failing. Pure."""

from dataclasses import dataclass

__all__ = ["MAX_TOKENS", "RetryBudget"]

MAX_TOKENS = 100.0
"""A replica that dies fails every call that waits for it: half as many may be retried on another at that moment."""

_GIVEN_BACK = 0.1  # by each success, so in the long run one call in ten may be a retry


@dataclass(slots=True)
class RetryBudget:
    """Works like gRPC's `retryThrottling` (proposal A6): a failure takes a token, a success returns a tenth.

    https://github.com/grpc/proposal/blob/master/A6-client-retries.md
    """

    tokens: float = MAX_TOKENS

    def succeeded(self) -> None:
        """Records an answered call."""
        self.tokens = min(MAX_TOKENS, self.tokens + _GIVEN_BACK)

    def failed(self) -> bool:
        """Records a call without a usable answer; True if a retry is allowed: more than half of the tokens are left."""
        self.tokens = max(0.0, self.tokens - 1)
        return self.tokens > MAX_TOKENS / 2
