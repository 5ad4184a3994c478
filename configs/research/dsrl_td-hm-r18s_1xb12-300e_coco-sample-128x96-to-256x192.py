_base_ = [
    '../_base_/models/dsrl_pose_r18s.py',
    '../_base_/datasets/coco_sample_256x192.py',
    '../_base_/schedules/schedule_300e_pose.py',
    '../_base_/default_runtime_pose.py',
]
model = dict(head=dict(heatmap_head=dict(decoder=_base_.codec)))
