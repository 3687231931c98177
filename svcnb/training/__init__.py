"""Training: the So-VITS GAN (`train_sovits`)."""
