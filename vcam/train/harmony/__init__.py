"""A network that gives the person the light of the background: trained here, used by the filter `harmonise`.

It learns from pictures as they are (Cong et al., "DoveNet", CVPR 2020, have the idea; Ke et al., "Harmonizer", ECCV
2022, the form). A picture of one place agrees with itself. A part of it, a person or a region shaped like one, is
disturbed; the network sees the result and the matte, and gives the eight arguments of `vcam.harmony` that undo it.

arguments  what the arguments do, in PyTorch, for gradients to flow through
net        the network
shapes     regions shaped like people
disturb    another light, another camera: on a region or on the whole picture
samples    pictures of a folder as samples
stream     samples in batches, without end
training   the loop, and the folder of a run
exported   the network as ONNX with its card
"""
