"""Evaluate a checkpoint: ``python eval.py --data_dir data --model_path cnn_epoch_20.pth``, like ``mrsal evaluate``."""

from mrsal.cli import evaluate_script

if __name__ == "__main__":
    evaluate_script()
