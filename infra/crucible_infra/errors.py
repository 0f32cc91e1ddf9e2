"""Every error this project raises, as one tree.

CrucibleError                      exit code 1
├── InvalidInput                   2  a flag, file or configuration is wrong
│   ├── FormatError                   a file's content, named by file and line
│   ├── UnknownDataset
│   ├── DatasetUnavailable            not in the cache and its home cannot be reached
│   ├── InvalidModelSpec
│   ├── RunNotFound
│   ├── FineTuneNotFound
│   ├── ConversationNotFound
│   ├── NameTaken                     another fine-tune's model is called so
│   ├── EmptyCorpus                   a tree of which nothing is left to train on
│   └── UnsupportedLanguage
├── GateNotMet                     3  --fail-under or --fail-if-worse
├── RunIncomplete                  4  some completions have no verdict
├── ModelError                     1  a model server; never a wrong answer
│   ├── EndpointDown
│   │   ├── EndpointUnreachable       nobody listens at its address
│   │   └── EndpointGone              and nobody came back within the time given
│   ├── ModelNotFound
│   ├── ContextOverflow
│   ├── RateLimited
│   ├── QuotaExhausted
│   ├── RequestRefused
│   ├── ServerTimeout
│   ├── BrokenStream
│   └── EmptyCompletion
├── SandboxError                   1
│   ├── SandboxUnavailable            this host lacks a building block
│   ├── SandboxBroken                 a prison died or spoke nonsense
│   ├── HostSick                      a program whose verdict is certain got another one
│   └── UnusableTests                 the dataset's own tests cannot be loaded
├── TrainingError                  1
│   ├── NotEnoughMemory               to train this model in this way on this host
│   ├── GangBroken                    another member of the gang is gone: start it again
│   └── LossDiverged
├── StorageError                   1
│   ├── DatabaseUnavailable
│   ├── SchemaOutdated
│   ├── DiskFull
│   └── ArtifactMissing
├── NoCode                         1  code was asked for, and the answer has none
├── NotVerified                    1  no answer passes the tests it was put to
├── BrokerUnavailable              1
├── ServerUnavailable              1  the `crucible serve` that CRUCIBLE_SERVER names
└── NoWorker                       1  nobody serves the queue that the work would wait in

The class docstring is the default message. `hint` says what to do next.
"""

from __future__ import annotations

from pathlib import Path


class CrucibleError(Exception):
    """Something went wrong."""

    exit_code = 1

    def __init__(self, message: str | None = None, *, hint: str | None = None) -> None:
        self.message = message or (self.__doc__ or "").strip()
        self.hint = hint
        super().__init__(self.message)


class InvalidInput(CrucibleError):
    """The input cannot be used."""

    exit_code = 2


class FormatError(InvalidInput):
    """A file's content is not what its format asks for."""

    @classmethod
    def at(cls, path: Path | str, line: int | None, problem: str) -> FormatError:
        """Name the place in the form `file:line: problem`, as compilers do."""
        place = f"{path}:{line}" if line is not None else f"{path}"
        return cls(f"{place}: {problem}")


class UnknownDataset(InvalidInput):
    """No dataset has this name."""


class DatasetUnavailable(InvalidInput):
    """The dataset is not in the cache and its home cannot be reached."""


class InvalidModelSpec(InvalidInput):
    """This is not a model spec."""


class RunNotFound(InvalidInput):
    """No run has this id."""


class FineTuneNotFound(InvalidInput):
    """No fine-tune has this id or name."""


class ConversationNotFound(InvalidInput):
    """No logged conversation has this id."""


class NameTaken(InvalidInput):
    """Another fine-tune's model has this name."""


class EmptyCorpus(InvalidInput):
    """Nothing is left to train on."""


class UnsupportedLanguage(InvalidInput):
    """The sandbox cannot run this language."""


class GateNotMet(CrucibleError):
    """The score is below the gate."""

    exit_code = 3


class RunIncomplete(CrucibleError):
    """Some completions have no verdict."""

    exit_code = 4


class ModelError(CrucibleError):
    """A model server did not answer as it should."""

    #: whether asking again later can help
    is_transient = False


class EndpointDown(ModelError):
    """The model server cannot be reached."""

    is_transient = True


class EndpointUnreachable(EndpointDown):
    """Nobody listens at the model server's address."""


class EndpointGone(EndpointDown):
    """The model server did not come back."""

    # only a person can help now
    is_transient = False


class ModelNotFound(ModelError):
    """The server does not have this model."""


class ContextOverflow(ModelError):
    """The prompt and the answer do not fit the model's context."""


class RateLimited(ModelError):
    """The server asks to slow down."""

    is_transient = True

    def __init__(
        self,
        message: str | None = None,
        *,
        hint: str | None = None,
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.retry_after_seconds = retry_after_seconds


class QuotaExhausted(ModelError):
    """The account behind this endpoint has no quota left."""


class RequestRefused(ModelError):
    """The server refused the request."""


class ServerTimeout(ModelError):
    """The server did not answer in time."""

    is_transient = True


class BrokenStream(ModelError):
    """The answer ended before the server said it was complete."""

    is_transient = True


class EmptyCompletion(ModelError):
    """The server answered with no text."""

    is_transient = True


class SandboxError(CrucibleError):
    """The sandbox failed."""


class SandboxUnavailable(SandboxError):
    """This host lacks something the sandbox needs."""


class SandboxBroken(SandboxError):
    """A prison died or spoke nonsense."""


class HostSick(SandboxError):
    """This host gave wrong verdicts to programs whose verdict is certain."""


class UnusableTests(SandboxError):
    """The challenge's own tests cannot be loaded."""


class TrainingError(CrucibleError):
    """Training failed."""


class NotEnoughMemory(TrainingError):
    """Training needs more memory than there is."""


class GangBroken(TrainingError):
    """Another member of the gang is gone."""


class LossDiverged(TrainingError):
    """The loss is no longer a number."""


class StorageError(CrucibleError):
    """Results could not be stored."""


class DatabaseUnavailable(StorageError):
    """The database cannot be reached."""


class SchemaOutdated(StorageError):
    """The database's schema is older or newer than this program."""


class DiskFull(StorageError):
    """No space is left on the device."""


class ArtifactMissing(StorageError):
    """The artifact store does not hold this digest."""


class NoCode(CrucibleError):
    """The answer has no code."""


class NotVerified(CrucibleError):
    """No answer passes its tests."""


class BrokerUnavailable(CrucibleError):
    """The message broker cannot be reached."""


class ServerUnavailable(CrucibleError):
    """The server cannot be reached."""


class NoWorker(CrucibleError):
    """No worker serves this queue."""
