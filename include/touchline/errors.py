"""What can go wrong, by name. Every message says what, where, and what to do."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that was probably meant; None when none is near."""
    return next(iter(get_close_matches(word, known, 1)), None)


class TouchlineError(Exception):
    """Root of everything Touchline raises on purpose.

    The command line prints it without a traceback and ends with its `exit_code`: 1 for what failed, 2 for wrong usage,
    4 for what is degraded.
    """

    exit_code = 1


class SettingsInvalid(TouchlineError):
    """A setting has a value that cannot be used, or there is no setting of that name."""

    exit_code = 2


class DatabaseUnavailable(TouchlineError):
    """No PostgreSQL answers where the settings say it is."""


class ServiceFailed(TouchlineError):
    """A process that Touchline started did not become healthy, or died."""


class RolloutFailed(TouchlineError):
    """Another image could not be put under a cluster; the one before goes on."""


class CodeDiffers(TouchlineError):
    """A task was given to a machine that has other code than the installation."""


class ValidationImpossible(TouchlineError):
    """An installation cannot be validated with these settings."""

    exit_code = 2


class SourceUnavailable(TouchlineError):
    """A source, or one file of it, cannot be read at all."""


class SourceResting(SourceUnavailable):
    """A source is not asked for now: its quota is spent, or its circuit is open."""


class SourceFailing(SourceResting):
    """A source is not asked for now, because its last calls have failed: its circuit is open."""


class SourceAsksToWait(SourceResting):
    """A source wants to be left alone for `seconds`, which is longer than a request waits; later it can be asked."""

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__(message)
        self.seconds = seconds


class PayloadRejected(TouchlineError):
    """A payload was stored but none of it can be parsed."""


class MonthNotClosed(TouchlineError):
    """A month of prices was to be compacted that may still receive some."""


class QualityGateFailed(TouchlineError):
    """Expectations failed at a gate; nothing downstream may change."""


class CompetitionHeld(TouchlineError):
    """A prediction was asked for a match of a competition that a quality gate holds."""


class HoldUnknown(TouchlineError):
    """A competition was to be released that nothing holds."""


class FixtureAlreadyKickedOff(TouchlineError):
    """A prediction was asked for a match that has begun."""


class MatchUnknown(TouchlineError):
    """A match was asked for that the warehouse does not hold, or that will not be played."""


class FeaturesUnavailable(TouchlineError):
    """Neither the online store nor the offline tables can give the features asked for."""


class ModelUnavailable(TouchlineError):
    """The registry holds no model that can do what is asked."""


class NothingToLearn(TouchlineError):
    """The training matches hold nothing that this candidate could be fitted on."""


class WarehouseBuildFailed(TouchlineError):
    """dbt could not build or test a layer."""


class WarehouseNotBuilt(TouchlineError):
    """A layer was asked for that has never been built."""


class ExportImpossible(TouchlineError):
    """A view was to be exported that does not exist, or to where or in a form it cannot be."""


class BacktestImpossible(TouchlineError):
    """There is nothing to forecast, or nothing to learn from."""


class ReplayImpossible(TouchlineError):
    """There is nothing to play in what was asked for."""

    exit_code = 2


class ForecastInSample(TouchlineError):
    """Bets were to be judged on forecasts that nothing proves to be out of sample."""


class PipelineFailed(TouchlineError):
    """A task of a run failed for good; the message holds its log."""


class PipelineDegraded(TouchlineError):
    """The work was done, and something that should be there is missing; the message holds what, and what to do."""

    exit_code = 4


class DayNotOver(TouchlineError):
    """A backfill asked for a day that has not ended."""


class NothingToBackfill(TouchlineError):
    """A backfill asked for what can only be done when it is time; the message says why."""


class WarehouseMoved(TouchlineError):
    """Another run moved the warehouse to another instant while a step worked for a past day."""


class PredictionUnknown(TouchlineError):
    """The ledger holds no prediction, or more than one, with the id given."""


class ColumnUnknown(TouchlineError):
    """A table or column was asked for that the warehouse does not have."""


class SqlNotUnderstood(TouchlineError):
    """The columns of a model could not be followed through its SQL."""


class PayloadUnknown(TouchlineError):
    """The landing area holds no payload with the number given."""


class TeamUnknown(TouchlineError):
    """A name was to be linked to a team that the anchor source does not have, or a link undone that is not there."""


class AnomalyUnknown(TouchlineError):
    """A finding was asked for that ops.anomaly does not hold."""


class KeyUnknown(TouchlineError):
    """A key of the API was named that was never made."""


class KeyNotUsable(TouchlineError):
    """A key of the API was to be rotated that was revoked or has expired."""


class ProfileInvalid(TouchlineError):
    """A profile names what does not exist: a competition, a team, a time zone, a language."""

    exit_code = 2


class BackupFailed(TouchlineError):
    """A program of PostgreSQL could not take a backup, or restore one."""


class BackupUnusable(TouchlineError):
    """A backup is damaged or not whole, or there is none for what is asked."""


class RestoreDiffers(TouchlineError):
    """A restored database is not what its source was."""


class MaintenanceInvalid(TouchlineError):
    """A maintenance was to be declared while one is in force, or ended while none is."""
