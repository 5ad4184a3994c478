# By deconvolutions of class maps, as the authors released it.
_base_ = './dsrl-sssr-subpixel-distilled_espnetv2-s2_1xb4-3000_camvid-180x240-to-360x480.py'
model = dict(decode_head=dict(sssr='logits'))
