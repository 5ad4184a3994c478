default_scope = 'mmpose'
custom_imports = dict(imports=['mmhires', 'mmhires.models.pose'], allow_failed_imports=False)
env_cfg = dict(
    cudnn_benchmark=False,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    dist_cfg=dict(backend='nccl'),
)
vis_backends = [dict(type='LocalVisBackend')]
visualizer = dict(type='PoseLocalVisualizer', vis_backends=vis_backends, name='visualizer')
log_processor = dict(by_epoch=True, window_size=50, num_digits=6)
log_level = 'INFO'
# Batch norm statistics are those of each process: average before testing.
custom_hooks = [
    dict(type='SyncBuffersHook'),
    dict(type='mmhires.ExactResumeHook'),
    dict(type='mmhires.FiniteLossHook'),
]
load_from = None
resume = False
