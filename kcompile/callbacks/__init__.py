"""keras.callbacks."""

from ..suggest import suggest_names
from .callback import Callback
from .callback_list import CallbackList
from .checkpoint import BackupAndRestore, ModelCheckpoint
from .early_stopping import EarlyStopping
from .history import History
from .learning_rate import LearningRateScheduler, ReduceLROnPlateau
from .progbar_logger import ProgbarLogger
from .small import CSVLogger, LambdaCallback, TerminateOnNaN

__all__ = [
    "BackupAndRestore", "CSVLogger", "Callback", "CallbackList", "EarlyStopping", "History", "LambdaCallback", "LearningRateScheduler",
    "ModelCheckpoint", "ProgbarLogger", "ReduceLROnPlateau", "TerminateOnNaN",
]


suggest_names(__name__)
