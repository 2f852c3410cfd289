from fungrad.jit.kernels.vecmath.exp_log import *
from fungrad.jit.kernels.vecmath.core import FUNCTIONS
from fungrad.jit.kernels.vecmath.trig import *
