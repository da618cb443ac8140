"""A module of Lightning with hyperparameters and a metric, as a project has it."""

import lightning
import torch
from torch import nn


class LitNet(lightning.LightningModule):
    def __init__(self, width: int = 4, rate: float = 0.1) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.net = nn.Sequential(nn.Linear(3, width), nn.ReLU(), nn.Linear(width, 2))
        self.loss = nn.CrossEntropyLoss()

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.net(rows)
        return found

    def training_step(self, batch: list[torch.Tensor], place: int) -> torch.Tensor:
        loss: torch.Tensor = self.loss(self(batch[0]), batch[1])
        self.log("loss", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=self.hparams["rate"])


def fit(rows: torch.Tensor, labels: torch.Tensor) -> LitNet:
    """Train a net by Lightning's own trainer, the same from the same seed."""
    torch.manual_seed(0)
    net = LitNet(width=5)
    trainer = lightning.Trainer(
        max_epochs=3,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    data = torch.utils.data.TensorDataset(rows, labels)
    trainer.fit(net, torch.utils.data.DataLoader(data, batch_size=16))
    return net.eval()
