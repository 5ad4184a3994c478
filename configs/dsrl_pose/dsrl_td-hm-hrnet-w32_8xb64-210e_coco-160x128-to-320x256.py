_base_ = [
    '../_base_/models/dsrl_pose_hrnet_w32.py',
    '../_base_/datasets/coco_keypoints_320x256.py',
    '../_base_/schedules/schedule_210e_pose.py',
    '../_base_/default_runtime_pose.py',
]
model = dict(head=dict(heatmap_head=dict(decoder=_base_.codec)))
