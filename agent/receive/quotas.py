"""How many associations there may be, of all peers and of each."""

import threading
from collections import Counter

from agent.receive.admission import Account, Refusal


class Place:
    """One association's place; it is given back once."""

    def __init__(self, quotas: "Quotas", account: Account) -> None:
        self._quotas = quotas
        self._account: Account | None = account
        self._lock = threading.Lock()

    def give_back(self) -> None:
        """Let another have it. Harmless when repeated."""
        with self._lock:
            account, self._account = self._account, None
        if account is not None:
            self._quotas._given_back(account)


class Quotas:
    """Counts associations. Threads share it.

    Parameters
    ----------
    total, of_each
        How many there may be, of all peers and of each.
    """

    def __init__(self, total: int, of_each: int) -> None:
        self._total = total
        self._of_each = of_each
        self._taken: Counter[Account] = Counter()
        self._lock = threading.Lock()

    def take(self, account: Account) -> Place | Refusal:
        """Return a place, or why there is none."""
        with self._lock:
            if self._taken[account] >= self._of_each:
                return Refusal.TOO_MANY_OF_THIS_PEER
            if self._taken.total() >= self._total:
                return Refusal.TOO_MANY_ASSOCIATIONS
            self._taken[account] += 1
        return Place(self, account)

    def _given_back(self, account: Account) -> None:
        with self._lock:
            self._taken[account] -= 1
            if not self._taken[account]:
                del self._taken[account]  # addresses are many
