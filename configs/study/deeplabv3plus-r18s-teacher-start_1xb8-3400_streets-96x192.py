# Streets: plain, from the weights of the full-size network.
_base_ = './deeplabv3plus-r18s_1xb8-3400_streets-96x192.py'
load_from = '{{ fileDirname }}/../demo/deeplabv3plus-r18s_streets-192x384.pth'
