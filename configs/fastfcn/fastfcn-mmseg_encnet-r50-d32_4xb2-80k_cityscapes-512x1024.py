_base_ = './fastfcn-mmseg_pspnet-r50-d32_4xb2-80k_cityscapes-512x1024.py'
model = dict(decode_head=_base_.enc_head)
