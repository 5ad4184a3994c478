_base_ = [
    '../_base_/models/ddrnet_23_imagenet.py',
    '../_base_/datasets/imagenet_224x224.py',
    '../_base_/schedules/schedule_100e_imagenet.py',
    '../_base_/default_runtime_pretrain.py',
]
