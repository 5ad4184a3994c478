# Plain: the full-size network, fine-tuned to see half of each side.
_base_ = [
    '../_base_/models/deeplabv3plus_r18s-d16_3-stages.py',
    '../_base_/datasets/streets_192x384_demo.py',
    '../_base_/default_runtime.py',
    '../_base_/schedules/schedule_demo.py',
]
load_from = '{{ fileDirname }}/deeplabv3plus-r18s_streets-192x384.pth'
model = dict(
    data_preprocessor=dict(low_res_label=False, size=_base_.crop_size),
    decode_head=dict(loss_decode=dict(class_weight=_base_.class_weight)),
)
