"""Train Mr-CNN, like ``mrsal train``: ``python train.py --data_dir data --epochs 20``."""

from mrsal.cli import train_script

if __name__ == "__main__":
    train_script()
