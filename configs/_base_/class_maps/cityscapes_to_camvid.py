# For each class of EdgeNets' Cityscapes networks, the 19 and a background,
# CamVid's. As SegNet merges CamVid's 32 classes: walls are buildings.
class_map = [
    'Road', 'Sidewalk', 'Building', 'Building', 'Fence', 'Pole', 'SignSymbol',
    'SignSymbol', 'Tree', 'Tree', 'Sky', 'Pedestrian', 'Bicyclist', 'Car',
    'Car', 'Car', 'Car', 'Bicyclist', 'Bicyclist', None
]
