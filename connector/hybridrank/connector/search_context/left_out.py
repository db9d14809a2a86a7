"""Parts of the answer that one search left out, with the reasons."""

from dataclasses import dataclass, field

from hybridrank.connector.errors import EngineError, Misconfigured, SidecarError
from hybridrank.connector.faults import Reason, is_configuration
from hybridrank.connector.types import Degraded

__all__ = ["LeftOut"]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Collects the entries of `SearchResponse.degraded`, in order."""

    entries: list[Degraded] = field(default_factory=list)

    def record(self, part: str, reason: Reason, detail: str) -> None:
        """Records a missing part of the answer without an error."""
        self.entries.append(Degraded(part, reason.value, detail, reason.configuration))

    def failed(
        self, part: str, error: SidecarError | EngineError, *, reason: Reason | None = None, instead: str = ""
    ) -> None:
        """Records a part left out because of `error`; `instead` is the replacement, `reason` overrides the error's.

        Only the error decides whether it is a configuration fault.
        """
        configuration = is_configuration(error.reason, error.status if isinstance(error, EngineError) else 0)
        detail = f"{instead}: {error}" if instead else str(error)
        self.entries.append(Degraded(part, reason.value if reason else error.reason, detail, configuration))

    def check_configuration(self) -> None:
        """Raises Misconfigured if an entry is a configuration fault."""
        if faults := [each for each in self.entries if each.configuration]:
            raise Misconfigured(faults)
