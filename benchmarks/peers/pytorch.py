"""The two-layer network as one writes it in PyTorch: eager, or by torch.compile with --compile."""

import torch
from arguments import answer, parser
from mnist import read
from torch import nn

options = parser(__doc__)
options.add_argument("--compile", action="store_true", help="by torch.compile, which needs a C++ compiler")
told = options.parse_args()
torch.set_num_threads(told.threads)
torch.manual_seed(0)

X, y, X_test, y_test = (torch.from_numpy(array) for array in read(told.data))
network = nn.Sequential(nn.Linear(784, told.hidden), nn.ReLU(), nn.Linear(told.hidden, 10))
optimiser = torch.optim.SGD(
    network.parameters(), lr=told.learning_rate, momentum=0.9, weight_decay=2 * told.penalty
)
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, told.epochs * -(-len(X) // told.batch_size))
criterion = nn.CrossEntropyLoss()
forward = torch.compile(network) if told.compile else network


def train_epoch(epoch: int) -> None:
    """Take every sample once, in random order."""
    network.train()
    for index in torch.randperm(len(X)).split(told.batch_size):
        loss = criterion(forward(X[index]), y[index])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()


@torch.no_grad()
def accuracy() -> float:
    """Return the share of the test images that are classified rightly."""
    network.eval()
    return float((network(X_test).argmax(1) == y_test).float().mean())


answer(train_epoch, accuracy, told.epochs)
