"""Tokens looked up once and remembered for seconds; a revocation reaches every process through NOTIFY."""

import time
from collections.abc import Callable

from quadrat.base.joined import Joined
from quadrat.db.engine import Database
from quadrat.db.notify import Listener
from quadrat.identity.actions.access import ProjectRef, access_to, authenticate, hash_token
from quadrat.identity.changes import CHANNEL, add_memory
from quadrat.identity.changes import announce_change as announce_change
from quadrat.identity.types import Access, Caller, UserId

_LIFE_S = 5.0
_DISTRUST_S = 1.0
_MAX_ENTRIES = 50_000


class Authenticator:
    """Answers "who is this token" and "what may they do here" from memory where it can.

    Args:
        db: Where to look otherwise.
        listener: Empties the memory when identity changed; subscribe before the listener starts.
        clock: Monotonic seconds.
    """

    def __init__(self, db: Database, listener: Listener, clock: Callable[[], float] = time.monotonic) -> None:
        self._db = db
        self._clock = clock
        self._callers: dict[bytes, tuple[float, Caller]] = {}
        self._accesses: dict[tuple[UserId, ProjectRef], tuple[float, Access]] = {}
        # A busy caller is forgotten for hundreds of requests.
        self._asking = Joined()
        self._generation = 0
        self._trusted_from = 0.0
        add_memory(self)
        listener.subscribe(CHANNEL, lambda _payload: self.forget(), on_reset=self.forget)

    def forget(self) -> None:
        """Drop everything remembered, also what is being looked up at this moment."""
        self._generation += 1
        self._callers.clear()
        self._accesses.clear()

    def distrust(self) -> None:
        """Remember nothing for a second: this process is about to change something.

        Whoever has changed it may ask again before the notification of it comes.
        """
        self.forget()
        self._trusted_from = self._clock() + _DISTRUST_S

    @property
    def is_trusted(self) -> bool:
        """Whether what is looked up now may be remembered."""
        return self._clock() >= self._trusted_from

    @property
    def generation(self) -> int:
        """Changes whenever something is forgotten before its time."""
        return self._generation

    def remembered(self, secret: str) -> Caller | None:
        """The caller, when the token was seen within the last seconds."""
        entry = self._callers.get(hash_token(secret))
        return entry[1] if entry is not None and entry[0] > self._clock() else None

    async def caller(self, secret: str) -> Caller:
        """The caller behind a token.

        Raises:
            QuadratError: unauthenticated.
        """
        found = self.remembered(secret)
        if found is not None:
            return found
        key = hash_token(secret)
        generation = self._generation
        return await self._asking.find(
            ("caller", generation, key), lambda: self._look_up_caller(secret, key, generation)
        )

    async def _look_up_caller(self, secret: str, key: bytes, generation: int) -> Caller:
        async with self._db.begin() as tx:
            found = await authenticate(tx, secret)
        if generation == self._generation and self.is_trusted:
            if len(self._callers) >= _MAX_ENTRIES:
                self._callers.clear()
            self._callers[key] = (self._clock() + _LIFE_S, found)
        return found

    async def access(self, caller: Caller, ref: ProjectRef) -> Access:
        """The project and all that decides about the caller in it, at most seconds old.

        Raises:
            QuadratError: not_found.
        """
        key = (caller.user_id, ref)
        entry = self._accesses.get(key)
        if entry is not None and entry[0] > self._clock():
            return entry[1]
        generation = self._generation
        return await self._asking.find(
            ("access", generation, key), lambda: self._look_up_access(caller, ref, generation)
        )

    async def _look_up_access(self, caller: Caller, ref: ProjectRef, generation: int) -> Access:
        async with self._db.begin() as tx:
            access = await access_to(tx, caller, ref)
        if generation == self._generation and self.is_trusted:
            if len(self._accesses) >= _MAX_ENTRIES:
                self._accesses.clear()
            self._accesses[caller.user_id, ref] = (self._clock() + _LIFE_S, access)
        return access
