"""Train Mr-CNN: ``python train.py --data_dir data --epochs 20``. The same as ``mrsal train``."""

from mrsal.cli import train_script

if __name__ == "__main__":
    train_script()
