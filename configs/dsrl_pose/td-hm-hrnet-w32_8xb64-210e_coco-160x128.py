_base_ = [
    '../_base_/models/pose_hrnet_w32.py',
    '../_base_/datasets/coco_keypoints_160x128.py',
    '../_base_/schedules/schedule_210e_pose.py',
    '../_base_/default_runtime_pose.py',
]
model = dict(head=dict(decoder=_base_.codec))
