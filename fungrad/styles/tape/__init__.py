"""``fungrad.styles.tape``: TensorFlow's style over fungrad's primitives.

A tape records what is done with variables while code runs, and is asked for gradients afterwards.
``import fungrad.styles.tape as tf`` runs programs of that style:

  >>> from fungrad.styles import tape as tf
  >>> w = tf.Variable([1.0, -1.0])
  >>> optimizer = tf.optimizers.SGD(learning_rate=0.1)
  >>> for _ in range(50):
  ...   with tf.GradientTape() as tape:
  ...     loss = tf.reduce_sum((w - 3.0) ** 2)
  ...   gradients = tape.gradient(loss, [w])
  ...   optimizer.apply_gradients(zip(gradients, [w]))
  >>> w
  <Variable 'Variable' shape=(2,) dtype=float32, numpy=[2.9999714, 2.999943 ]>

The file holds no code.
"""

from fungrad.numpy import bool_ as bool, complex64, float16, float32, float64, int32, int64
from fungrad.styles import sequential as keras
from fungrad.styles.tape import datasets as data, optimizers
from fungrad.styles.tape.functions import *  # noqa: F403
from fungrad.styles.tape.gradient_tape import GradientTape
from fungrad.styles.tape.tensors import Tensor, Variable
