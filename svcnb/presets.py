"""The settings that a So-VITS starts from: the original's two templates, and our small model.

Notebook: 03_train_sovits
"""

from copy import deepcopy

_DECODER = dict(
    resblock="1", resblock_kernel_sizes=[3, 7, 11], resblock_dilation_sizes=[[1, 3, 5]] * 3,
    upsample_rates=[8, 8, 2, 2, 2], upsample_initial_channel=512, upsample_kernel_sizes=[16, 16, 4, 4, 4],
)  # fmt: skip
_FULL = dict(
    train=dict(
        log_interval=200, eval_interval=800, seed=1234, epochs=10000, learning_rate=0.0001, betas=[0.8, 0.99],
        eps=1e-09, batch_size=6, fp16_run=False, half_type="fp16", lr_decay=0.999875, segment_size=10240,
        init_lr_ratio=1, warmup_epochs=0, c_mel=45, c_kl=1.0, use_sr=True, max_speclen=512, port="8001",
        keep_ckpts=3, all_in_mem=False, vol_aug=False,
    ),
    data=dict(
        training_files="filelists/train.txt", validation_files="filelists/val.txt", max_wav_value=32768.0,
        sampling_rate=44100, filter_length=2048, hop_length=512, win_length=2048, n_mel_channels=80, mel_fmin=0.0,
        mel_fmax=22050, unit_interpolate_mode="nearest",
    ),
    model=dict(
        inter_channels=192, hidden_channels=192, filter_channels=768, n_heads=2, n_layers=6, kernel_size=3,
        p_dropout=0.1, **_DECODER, n_layers_q=3, n_layers_trans_flow=3, n_flow_layer=4, use_spectral_norm=False,
        gin_channels=768, ssl_dim=768, n_speakers=200, vocoder_name="nsf-hifigan", speech_encoder="vec768l12",
        speaker_embedding=False, vol_embedding=False, use_depthwise_conv=False, flow_share_parameter=False,
        use_automatic_f0_prediction=True, use_transformer_flow=False,
    ),
    spk={},
)  # fmt: skip
_TINY = deepcopy(_FULL)
_TINY["model"].update(
    filter_channels=512, upsample_initial_channel=400, use_depthwise_conv=True, flow_share_parameter=True
)
_LESSON = deepcopy(_FULL)
_LESSON["train"].update(  # what each of these gives: benchmarks/README.md
    log_interval=20, eval_interval=200, learning_rate=0.0006, batch_size=8, lr_decay=0.999, segment_size=8192,
    c_mel=30, c_kl=0.01, c_stft=10.0, c_level=20.0, crop_frames=96, grad_clip=200.0, ema_decay=0.995, clear_start=True,
    no_hum=True, prior_share=0.5, disc_start=2000, disc_width=0.25, all_in_mem=True, vol_aug=True,
    vol_jitter=6.0,
)  # fmt: skip
_LESSON["model"].update(
    inter_channels=64, hidden_channels=96, filter_channels=256, n_layers=2, p_dropout=0.0, gin_channels=64,
    resblock="2", resblock_kernel_sizes=[3, 5, 7], resblock_dilation_sizes=[[1, 2], [2, 6], [3, 12]],
    upsample_rates=[8, 8, 8], upsample_initial_channel=256, upsample_kernel_sizes=[16, 16, 16],
    flow_share_parameter=True, vol_embedding=True, sawtooth=True,
)  # fmt: skip
PRESETS = {"full": _FULL, "tiny": _TINY, "lesson": _LESSON}
