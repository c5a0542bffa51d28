"""The two-layer network as one fits it with scikit-learn."""

import warnings

import numpy as np
from arguments import answer, parser
from mnist import read
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_limits

told = parser(__doc__).parse_args()
threadpool_limits(told.threads)
warnings.simplefilter("ignore", ConvergenceWarning)

X, y, X_test, y_test = read(told.data)
network = MLPClassifier(
    (told.hidden,),
    solver="sgd",
    learning_rate_init=told.learning_rate,
    momentum=0.9,
    nesterovs_momentum=False,
    alpha=2 * told.penalty * told.batch_size,  # its penalty is alpha/(2n)·ΣW², n the samples of a minibatch
    batch_size=told.batch_size,
    random_state=0,
)
CLASSES = np.arange(10)


def train_epoch(epoch: int) -> None:
    """Take every sample once, in random order: partial_fit is an epoch, and keeps the momentum."""
    network.partial_fit(X, y, classes=CLASSES)


def accuracy() -> float:
    """Return the share of the test images that are classified rightly."""
    return float(network.score(X_test, y_test))


answer(train_epoch, accuracy, told.epochs)
